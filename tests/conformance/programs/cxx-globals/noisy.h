#pragma once
#include <cstdio>

struct Noisy {
    const char *name;
    explicit Noisy(const char *n) : name(n)
    {
        std::printf("+ %s\n", name);
    }
    ~Noisy()
    {
        std::printf("- %s\n", name);
    }
};
