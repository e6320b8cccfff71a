/* test_load_sweep.c - a load in which the Nth allocation fails, for every N: it says so, leaves
 * nothing behind, and the next one works.
 *
 * This program brings its own malloc in front of the C library's; the loader uses it too. */
#include "test_load_fixture.h"

#include <errno.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static long countdown = -1; /* the allocation that reaches 0 fails; negative: none does */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { sanitized = 1 };
#else
enum { sanitized = 0 };

#define EXPORTED __attribute__((visibility("default"), used))

static bool fails_now(void)
{
    if (countdown < 0 || countdown-- > 0)
        return false;
    errno = ENOMEM;
    return true;
}

EXPORTED void *malloc(size_t size)
{
    return fails_now() ? NULL : __libc_malloc(size);
}

EXPORTED void *calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __libc_calloc(count, size);
}

EXPORTED void *realloc(void *old, size_t size)
{
    return fails_now() ? NULL : __libc_realloc(old, size);
}
#endif

static int lent(void)
{
    return 5;
}

static load_symbol symbol = {"lent", (const void *)lent};

static int setup(void **state)
{
    (void)state;
    countdown = -1;
    make_image("low", "c", "int lent(void); int low(void) { return lent(); }", "--host lent");
    make_image("high", "c", "int low(void); int high(void) { return low() * 2; }",
               "--dep @/low.so");
    make_image("poor", "c",
               "int low(void); int gone_a(void); int gone_b(void); int poor(void) { return "
               "gone_a() + gone_b() + low(); }",
               "--dep @/low.so");
    return 0;
}

static load_request request;
static kiln_status expected;
static long attempt;

enum { not_reached = 3, wrong = 4 };

static bool is_clean(int descriptors)
{
    load_collect();
    return !is_mapped("/low.so") && !is_mapped("memfd:") && count_descriptors() == descriptors;
}

/* One load in which allocation number `attempt` fails, then one in which none does. The result is
 * an exit status. */
static int try_once(const char *top)
{
    loaded *library = NULL;
    kiln_error *error = NULL;
    int descriptors = count_descriptors();
    countdown = attempt;
    kiln_status status = load_open(&request, &library, &error);
    bool reached = countdown < 0;
    countdown = -1;
    if (status == KILN_OK && (call(library, top) != 10 || load_close(library) != KILN_OK))
        return wrong;
    /* After a success something may stay: where glibc has no memory to note a dependency, it keeps
     * the image for good. */
    if (status != KILN_OK && (library || !error || !is_clean(descriptors)))
        return wrong;
    if (status != KILN_OK && status != KILN_NO_MEMORY && status != KILN_BIND)
        return wrong;
    if (!reached && status != expected)
        return wrong;
    kiln_error_destroy(error);
    if (load_open(&request, &library, NULL) != expected)
        return wrong;
    if (expected == KILN_OK && (call(library, top) != 10 || load_close(library) != KILN_OK))
        return wrong;
    return reached ? 0 : not_reached;
}

/* The number of allocations that a load makes. Every one of the first few dozen is tried, then with
 * growing steps: a report looks through thousands of installed libraries. */
static long sweep(const char *top, kiln_status status)
{
    load_image images[2] = {image_of("low"), image_of(top)};
    images[0].host_symbols = &symbol;
    images[0].host_symbol_count = 1;
    request = (load_request){images, 2, KILN_LOCAL, false};
    expected = status;
    for (attempt = 0;; attempt += 1 + attempt / 32) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            _exit(try_once(top));
        int result;
        assert_int_equal(waitpid(child, &result, 0), child);
        if (!WIFEXITED(result) || WEXITSTATUS(result) == wrong)
            fail_msg("allocation %ld: wait status %#x", attempt, result);
        if (WEXITSTATUS(result) == not_reached)
            return attempt;
    }
}

static void test_load(void **state)
{
    (void)state;
    if (sanitized)
        skip();
    assert_true(sweep("high", KILN_OK) > 10);
}

static void test_failing_load(void **state)
{
    (void)state;
    if (sanitized)
        skip();
    assert_true(sweep("poor", KILN_BIND) > 50);
}

int main(void)
{
    countdown = -1;
    fixture_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_failing_load),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
