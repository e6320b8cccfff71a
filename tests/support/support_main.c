/* support_main.c - main of a test program made of TEST(name)s.
 *
 * `program NAME` runs one test in this process; `program` alone lists them. Owns the table of
 * tests, which constructors fill before main. Arguments after the name are for tests that start
 * themselves again (support_arguments). */
#include "support.h"
#include "support_again.h"

#include <stdio.h>
#include <string.h>

enum { max_tests = 128 };

static struct {
    const char *name;
    void (*function)(void);
} tests[max_tests];
static size_t test_count;

char **support_arguments;

void support_register(const char *name, void (*function)(void))
{
    if (test_count == max_tests)
        support_fail(__FILE__, __LINE__, "more than %d tests in one program", max_tests);
    tests[test_count].name = name;
    tests[test_count].function = function;
    test_count++;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        for (size_t i = 0; i < test_count; i++)
            puts(tests[i].name);
        return 0;
    }
    for (size_t i = 0; i < test_count; i++) {
        if (strcmp(tests[i].name, argv[1]) != 0)
            continue;
        support_arguments = argv + 2;
        support_begin();
        tests[i].function();
        support_end(0);
    }
    fprintf(stderr, "%s: no test '%s'\n", argv[0], argv[1]);
    return 2;
}
