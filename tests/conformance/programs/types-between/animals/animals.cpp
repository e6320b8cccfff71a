#include "animals.h"

Animal::~Animal() = default;
Escape::Escape(const char *who) : std::runtime_error(who) {}
Escape::~Escape() = default;

int owner_of(const Animal *animal)
{
    auto *pet = dynamic_cast<const Pet *>(animal);
    return pet ? pet->owner : -1;
}

const std::type_info &type_of_pet()
{
    return typeid(Pet);
}
const std::type_info &type_of_animal()
{
    return typeid(Animal);
}
void escape(const char *who)
{
    throw Escape(who);
}
void bite(int teeth)
{
    throw Bite{teeth};
}

int catch_from(void (*thrower)())
{
    try {
        thrower();
    } catch (const Bite &b) {
        return b.teeth;
    } catch (...) {
        return -1;
    }
    return 0;
}
