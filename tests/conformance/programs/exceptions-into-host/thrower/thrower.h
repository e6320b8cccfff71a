#pragma once
#include <exception>

struct SharedException : std::exception {
    int code;
    explicit SharedException(int c) : code(c) {}
};
