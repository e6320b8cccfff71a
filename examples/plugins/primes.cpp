#include "plugin_api.h"

#include <algorithm>
#include <vector>

const char *plugin_name = "primes";

int plugin_start(int number)
{
    std::vector<int> primes;
    for (int candidate = 2; int(primes.size()) < number; candidate++) {
        if (std::none_of(primes.begin(), primes.end(),
                         [=](int prime) { return candidate % prime == 0; }))
            primes.push_back(candidate);
    }
    host_log("prime number %d is looked for in C++", number);
    return primes.back();
}
