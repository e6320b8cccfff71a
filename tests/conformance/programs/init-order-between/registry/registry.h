#pragma once
#include <map>
#include <string>

using Factory = int (*)();
std::map<std::string, Factory> &registry();

struct Registration {
    std::string name;
    Registration(const char *n, Factory factory);
    ~Registration();
};
