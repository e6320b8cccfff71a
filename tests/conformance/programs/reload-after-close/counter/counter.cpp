#include <cstdio>
#include <string>

struct Announce {
    Announce()
    {
        std::puts("start");
    }
    ~Announce()
    {
        std::puts("end");
    }
};
static Announce announce;
inline std::string unique_to_gnu = "a symbol that would be GNU unique, and keep the image for ever";

extern "C" int next()
{
    static int count = static_cast<int>(unique_to_gnu.size()) * 0;
    return ++count;
}
