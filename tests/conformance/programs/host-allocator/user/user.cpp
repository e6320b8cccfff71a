#include <cstdlib>
#include <cstring>
#include <string>

static void *volatile kept;

extern "C" void by_malloc()
{
    kept = std::malloc(100);
    std::free(kept);
}

extern "C" void by_strdup()
{
    kept = strdup("text");
    std::free(kept);
}

extern "C" void by_new()
{
    kept = new int[10];
    delete[] static_cast<int *>(kept);
}

extern "C" void by_string()
{
    std::string text("a text that is too long to be kept in the object");
    kept = text.data();
}
