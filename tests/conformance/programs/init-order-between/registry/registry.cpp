#include "registry.h"
#include <cstdio>

static std::map<std::string, Factory> entries; // with dynamic initialisation

struct Last {
    ~Last()
    {
        std::printf("registry ends with %zu entries\n", entries.size());
    }
} last;

std::map<std::string, Factory> &registry()
{
    return entries;
}
Registration::Registration(const char *n, Factory factory) : name(n)
{
    entries[name] = factory;
}
Registration::~Registration()
{
    entries.erase(name);
}
