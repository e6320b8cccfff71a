/* test_load_fixture.h - images for the tests of src/load: written as source text, made by
 * helpers/image.c, mapped from a scratch directory that goes when the test ends. Included once by
 * each test program. */
#ifndef KILN_TEST_LOAD_FIXTURE_H
#define KILN_TEST_LOAD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load/load.h"
#include "os/os.h"

enum { fixture_path_size = 256 };

/* The loader's lock is not seen by a thread sanitizer, but its calls of malloc and free are. */
__attribute__((visibility("default"), used)) const char *__tsan_default_suppressions(void);
__attribute__((visibility("default"), used)) const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:ld-linux-x86-64.so\n";
}

static char fixture_directory[] = "/tmp/kiln-load-XXXXXX";
static pid_t fixture_owner;

static void fixture_remove(void)
{
    char command[fixture_path_size];
    snprintf(command, sizeof command, "rm -rf %s", fixture_directory);
    if (getpid() == fixture_owner && system(command) != 0)
        fprintf(stderr, "cannot remove %s\n", fixture_directory);
}

static void fixture_start(void)
{
    alarm(100);
    fixture_owner = getpid();
    if (!mkdtemp(fixture_directory))
        exit(1);
    atexit(fixture_remove);
}

/* Go on with the directory of an earlier start, after exec. */
static __attribute__((unused)) void fixture_resume(const char *directory)
{
    snprintf(fixture_directory, sizeof fixture_directory, "%s", directory);
    fixture_owner = getpid();
    atexit(fixture_remove);
}

/* A path in the scratch directory; one of a few static buffers. */
static const char *scratch(const char *name)
{
    static char paths[16][fixture_path_size];
    static unsigned turn;
    char *path = paths[turn++ % 16];
    snprintf(path, fixture_path_size, "%s/%s", fixture_directory, name);
    return path;
}

static void write_source(const char *file, const char *source)
{
    FILE *out = fopen(scratch(file), "w");
    assert_non_null(out);
    fputs(source, out);
    fclose(out);
}

/* Make NAME.so with the id kiln-NAME from source text. language: "c" or "cpp"; arguments: further
 * ones for helper_image, where @ stands for the scratch directory. */
static void make_image(const char *name, const char *language, const char *source,
                       const char *arguments)
{
    char file[64], command[4096];
    snprintf(file, sizeof file, "%s.%s", name, language);
    write_source(file, source);
    int length =
        snprintf(command, sizeof command, "%s/helper_image %s/%s.so kiln-%s %s/%s ",
                 KILN_TEST_HELPER_DIR, fixture_directory, name, name, fixture_directory, file);
    for (const char *c = arguments; *c && length < (int)sizeof command - 64; c++)
        length += snprintf(command + length, sizeof command - (size_t)length,
                           *c == '@' ? "%s" : "%.1s", *c == '@' ? fixture_directory : c);
    int status = system(command);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("skipped: clang-22 and ld.lld-22 are needed to make images\n");
        exit(77);
    }
    assert_int_equal(status, 0);
}

/* The image of that name. Strings are static. */
static load_image image_of(const char *name)
{
    static char ids[16][64];
    static unsigned turn;
    char *id = ids[turn++ % 16], file[64];
    snprintf(id, 64, "kiln-%s", name);
    snprintf(file, sizeof file, "%s.so", name);
    return (load_image){.name = id + 5, .id = id, .path = scratch(file), .fd = -1};
}

static loaded *open_request(const load_request *request)
{
    loaded *library = NULL;
    kiln_error *error = NULL;
    kiln_status status = load_open(request, &library, &error);
    if (status != KILN_OK)
        fail_msg("%s", kiln_error_message(error));
    return library;
}

static loaded *open_images(const load_image *images, size_t count)
{
    const load_request request = {.images = images, .count = count};
    return open_request(&request);
}

/* Open images by name, dependencies first; names end with NULL. */
static __attribute__((unused)) loaded *open_named(const char *first, ...)
{
    load_image images[8];
    size_t count = 0;
    va_list names;
    va_start(names, first);
    for (const char *name = first; name; name = va_arg(names, const char *))
        images[count++] = image_of(name);
    va_end(names);
    return open_images(images, count);
}

/* Call a function `int name(void)` of the library. */
static __attribute__((unused)) int call(const loaded *library, const char *name)
{
    int (*function)(void) = (int (*)(void))load_symbol_address(library, name);
    assert_non_null(function);
    return function();
}

/* Whether the file is mapped anywhere in this process. */
static __attribute__((unused)) bool is_mapped(const char *part)
{
    char line[4096];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps))
        found |= strstr(line, part) != NULL;
    fclose(maps);
    return found;
}

static __attribute__((unused)) int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Run a part of a test in a process of its own; it ends with _exit(0) when all was right. */
static __attribute__((unused)) void in_child(void (*part)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        part();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

#endif
