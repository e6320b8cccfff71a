#pragma once
#include <typeinfo>

inline int &counter_variable()
{
    static int count = 0;
    return count;
}

inline int counter()
{
    return ++counter_variable();
}

inline int inline_variable = 1;

template <class T> struct Holder {
    static T value;
};
template <class T> T Holder<T>::value{};

struct Polymorphic {
    virtual ~Polymorphic() = default;
};

struct Addresses {
    int (*function)();
    int *inline_static, *inline_variable;
    long *template_static;
    const std::type_info *type;
};

inline Addresses addresses()
{
    counter();
    return {counter, &counter_variable(), &inline_variable, &Holder<long>::value,
            &typeid(Polymorphic)};
}

Addresses addresses_of_other();
