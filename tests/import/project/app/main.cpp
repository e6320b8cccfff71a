#include "core.h"

extern "C" int shared_answer();
int other();

extern "C" int app_total()
{
    std::vector<int> numbers{FROM_PCH, shared_answer(), core_version(), other()};
    int total = 0;
    for (int number : numbers)
        total += number;
    return total;
}

int main()
{
    return app_total() == 1089 ? 0 : 1;
}
