/* test_os_loader.c - what the system's loader is asked: handles, symbols of one image alone, where
 * libraries stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/os.h"

static void test_load_and_unload(void **state)
{
    (void)state;
    void *handle;
    char *message = NULL;
    bool gone;
    assert_int_equal(os_load("/nonexistent/library.so", false, &handle, &message), -1);
    assert_non_null(strstr(message, "No such file"));
    free(message);
    assert_null(os_load_again("/nonexistent/library.so", false));
    assert_false(os_is_loaded("/nonexistent/library.so"));
    /* A library that this program has anyway. */
    assert_int_equal(os_load(LIBC_SO, false, &handle, &message), 0);
    void *again = os_load_again(LIBC_SO, false);
    assert_ptr_equal(handle, again);
    assert_int_equal(os_unload(again, LIBC_SO, NULL), 0);
    Dl_info info;
    assert_true(dladdr((void *)strtok_r, &info));
    assert_int_equal(os_unload(handle, info.dli_fname, &gone), 0);
    assert_false(gone);
    assert_true(os_is_loaded(info.dli_fname));
    os_collect(info.dli_fname);
}

static void test_lookup(void **state)
{
    (void)state;
    void *handle;
    char *message;
    assert_int_equal(os_load(LIBM_SO, false, &handle, &message), 0);
    /* In libm alone; strlen is a dependency's. Both are chosen at run time by the processor. */
    assert_ptr_equal(os_lookup(handle, "cos"), dlsym(handle, "cos"));
    assert_non_null(dlsym(handle, "malloc"));
    assert_null(os_lookup(handle, "malloc"));
    assert_null(os_lookup(handle, "no_such_symbol"));
    assert_ptr_equal(os_lookup(handle, "signgam"), dlsym(handle, "signgam"));
    assert_non_null(os_lookup_scope(handle, "malloc", NULL));
    assert_non_null(os_lookup_scope(NULL, "malloc", "GLIBC_2.2.5"));
    assert_null(os_lookup_scope(NULL, "malloc", "GLIBC_9.99"));
    assert_int_equal(os_unload(handle, LIBM_SO, NULL), 0);
}

static void test_path_of_address(void **state)
{
    (void)state;
    char program[4096] = {0};
    assert_true(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    char *path = os_path_of_address((const void *)test_lookup);
    assert_string_equal(path, program);
    free(path);
    path = os_path_of_address((const void *)dlsym(RTLD_DEFAULT, "malloc"));
    assert_int_equal(path[0], '/');
    assert_int_equal(access(path, R_OK), 0);
    free(path);
    assert_null(os_path_of_address(NULL));
}

static size_t position(char **list, const char *directory)
{
    size_t i = 0;
    while (list[i] && strcmp(list[i], directory) != 0)
        i++;
    return list[i] ? i : SIZE_MAX;
}

static void test_library_directories(void **state)
{
    (void)state;
    char path[4096];
    setenv("LD_LIBRARY_PATH", "/first/of/all:/second;/first/of/all:", 1);
    char **list = os_library_directories();
    assert_non_null(list);
    assert_string_equal(list[0], "/first/of/all");
    assert_string_equal(list[1], "/second");
    assert_string_equal(list[2], ".");
    for (size_t i = 0; list[i]; i++)
        assert_int_equal(position(list, list[i]), i);
    /* The directory that the C library itself stands in is among them. */
    bool found = false;
    for (size_t i = 0; list[i]; i++) {
        snprintf(path, sizeof path, "%s/%s", list[i], LIBC_SO);
        found |= access(path, R_OK) == 0;
    }
    assert_true(found);
    free(list);
    unsetenv("LD_LIBRARY_PATH");
    list = os_library_directories();
    assert_true(position(list, "/second") == SIZE_MAX);
    /* Debian's: an included file names it. */
    if (access("/etc/ld.so.conf.d/libc.conf", R_OK) == 0)
        assert_true(position(list, "/usr/local/lib") != SIZE_MAX);
    free(list);
}

int main(void)
{
    alarm(100);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_and_unload),
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_path_of_address),
        cmocka_unit_test(test_library_directories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
