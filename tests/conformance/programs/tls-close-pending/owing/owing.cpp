#include <cstdio>

struct Owed {
    const char *name;
    ~Owed()
    {
        std::printf("%s destroyed\n", name);
    }
};

thread_local Owed per_thread{"thread-local"};
static Owed global{"static"};

extern "C" void touch()
{
    per_thread.name = "touched thread-local";
}
