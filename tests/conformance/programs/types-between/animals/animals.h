#pragma once
#include <stdexcept>
#include <typeinfo>

struct Animal { // the key function is in animals.cpp
    virtual ~Animal();
    virtual const char *name() const
    {
        return "animal";
    }
};

struct Pet { // no key function: its type information is weak, wherever it is used
    virtual ~Pet() = default;
    int owner = 3;
};

struct Escape : std::runtime_error { // with a key function
    explicit Escape(const char *who);
    ~Escape() override;
};

struct Bite { // without
    int teeth;
    explicit Bite(int n) : teeth(n) {}
    virtual ~Bite() = default;
};

int owner_of(const Animal *animal);     // by dynamic_cast, in the base library
const std::type_info &type_of_pet();    // of a weak type
const std::type_info &type_of_animal(); // of a strong type
[[noreturn]] void escape(const char *who);
[[noreturn]] void bite(int teeth);
int catch_from(void (*thrower)()); // how many teeth
