#pragma once

inline int inline_variable = 1;
inline thread_local int inline_thread_local = 2;
inline int constructions = 0;
__attribute__((weak)) extern int weak_data;

struct Counted {
    int value = 5;
    Counted()
    {
        constructions++;
    }
};

inline int &inline_static()
{
    static int value = 3;
    return value;
}

inline Counted &guarded_static()
{
    static Counted value;
    return value;
}

template <class T> struct Holder {
    static T value;
};
template <class T> T Holder<T>::value = T(4);

inline void *address_of(int which)
{
    switch (which) {
    case 0:
        return &inline_variable;
    case 1:
        return &inline_static();
    case 2:
        return &Holder<long>::value;
    case 3:
        return &guarded_static();
    case 4:
        return &inline_thread_local;
    case 5:
        return &weak_data;
    default:
        return &constructions;
    }
}
