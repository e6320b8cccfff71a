// A host that replaces malloc and operator new: libraries use its allocator too, directly and through libc and libstdc++.
#include "conformance.h"

#include <cstdio>
#include <cstdlib>
#include <new>

static long mallocs, news;

extern "C" {
void *__libc_malloc(size_t size);

void *malloc(size_t size)
{
    mallocs++;
    return __libc_malloc(size);
}
}

void *operator new(size_t size)
{
    news++;
    if (void *memory = __libc_malloc(size))
        return memory;
    throw std::bad_alloc();
}

void operator delete(void *memory) noexcept
{
    std::free(memory);
}

void operator delete(void *memory, size_t) noexcept
{
    std::free(memory);
}

int main()
{
    conformance_register(conformance_spec("user", "user/user.cpp", nullptr));
    kiln_library *library = conformance_load("user");
    static const char *const names[] = {"by_malloc", "by_strdup", "by_new", "by_string"};
    for (const char *name : names) {
        kiln_function function = conformance_function(library, name);
        long mallocs_before = mallocs, news_before = news;
        reinterpret_cast<void (*)()>(function)();
        std::printf("%s: %ld malloc, %ld new\n", name, mallocs - mallocs_before,
                    news - news_before);
    }
    conformance_close(library);
    return 0;
}
