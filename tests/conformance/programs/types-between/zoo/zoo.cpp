#include "animals/animals.h"
#include <cstdio>

struct Dog : Animal, Pet {
    const char *name() const override
    {
        return "dog";
    }
};

extern "C" int run()
{
    Dog dog;
    Animal *animal = &dog;
    std::printf("owner %d, of a plain animal %d\n", owner_of(animal), owner_of(new Animal));
    std::printf("weak type %s\n", &typeid(Pet) == &type_of_pet() ? "one object" : "two objects");
    std::printf("strong type %s\n",
                &typeid(Animal) == &type_of_animal() ? "one object" : "two objects");
    std::printf("cross cast %s\n", dynamic_cast<Pet *>(animal) ? "works" : "fails");
    try {
        escape("tiger");
    } catch (const Escape &e) {
        std::printf("Escape %s\n", e.what());
    }
    try {
        escape("lion");
    } catch (const std::runtime_error &e) {
        std::printf("runtime_error %s\n", e.what());
    }
    try {
        bite(30);
    } catch (const Bite &b) {
        std::printf("Bite %d\n", b.teeth);
    }
    std::printf("caught in the base: %d\n", catch_from([] { throw Bite{42}; }));
    return 0;
}
