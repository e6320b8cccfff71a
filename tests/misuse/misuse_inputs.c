/* misuse_inputs.c - files that are not what their names say: missing, directories, garbage, empty,
 * truncated, of another processor, endless. Each load ends with an error that names the file, and
 * the session goes on. */
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const extensions[] = {"c",  "cc", "cpp", "C", "s",  "S",
                                         "ll", "bc", "o",   "a", "so", "so.1"};
enum { extension_count = sizeof extensions / sizeof *extensions };

static void still_works(kiln_session *session)
{
    static unsigned number;
    char *path = scratch("good%u.c", number++);
    write_file(path, "int value(void) { return 42; }\n");
    kiln_library *library = load_file(session, path);
    CHECK_INT(call_int(library, "value"), 42);
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
}

/* Load what must not load: any clear error that names the file, which is neither a defect of Kiln
 * nor a dead compiler. */
static kiln_status refused(kiln_session *session, const char *path)
{
    kiln_library *library;
    kiln_error *error;
    kiln_status status = kiln_library_open(session, path, NULL, &library, &error);
    if (status == KILN_OK)
        support_fail(__FILE__, __LINE__, "'%s' was loaded", path);
    CHECK(error);
    CHECK_INT(kiln_error_code(error), status);
    if (status == KILN_INTERNAL || status == KILN_COMPILER || status == KILN_LIMIT ||
        status == KILN_PENDING)
        support_fail(__FILE__, __LINE__, "'%s' gives %s:\n%s", path, kiln_status_name(status),
                     kiln_error_rendered(error));
    CHECK_CONTAINS(kiln_error_rendered(error), strrchr(path, '/') + 1);
    kiln_error_destroy(error);
    return status;
}

static void write_garbage(const char *path, size_t size)
{
    unsigned char *bytes = malloc(size);
    unsigned state = 12345;
    for (size_t i = 0; i < size; i++) {
        state = state * 1103515245 + 12345;
        bytes[i] = (unsigned char)(state >> 16);
    }
    write_bytes(path, bytes, size);
    free(bytes);
}

TEST(missing_file)
{
    kiln_session *session = session_create(NULL, NULL);
    for (size_t i = 0; i < extension_count; i++) {
        kiln_error *error =
            load_file_fails(session, scratch("missing.%s", extensions[i]), KILN_NOT_FOUND);
        CHECK_CONTAINS(kiln_error_message(error), "missing.");
        kiln_error_destroy(error);
    }
    kiln_error_destroy(
        load_file_fails(session, scratch("no/such/directory/file.c"), KILN_NOT_FOUND));
    still_works(session);
    kiln_session_destroy(session);
}

TEST(directory_in_place_of_a_file)
{
    kiln_session *session = session_create(NULL, NULL);
    for (size_t i = 0; i < extension_count; i++) {
        char *path = scratch("directory.%s", extensions[i]);
        make_directory(path);
        refused(session, path);
    }
    still_works(session);
    kiln_session_destroy(session);
}

TEST(garbage)
{
    kiln_session *session = session_create(NULL, NULL);
    for (size_t i = 0; i < extension_count; i++) {
        char *path = scratch("garbage.%s", extensions[i]);
        write_garbage(path, 20000);
        refused(session, path);
    }
    still_works(session);
    kiln_session_destroy(session);
}

/* The right first bytes, and garbage after them. */
TEST(garbage_behind_a_good_magic)
{
    static const struct {
        const char *extension, *magic;
        size_t size;
    } magics[] = {{"o", "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\1\0\76\0", 20},
                  {"so", "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0\76\0", 20},
                  {"bc", "BC\xc0\xde", 4},
                  {"a", "!<arch>\n", 8},
                  {"ll", "; ModuleID = 'x'\n", 17}};
    kiln_session *session = session_create(NULL, NULL);
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
        char *path = scratch("magic.%s", magics[i].extension);
        write_garbage(path, 5000);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        CHECK(write(fd, magics[i].magic, magics[i].size) == (ssize_t)magics[i].size);
        close(fd);
        refused(session, path);
    }
    still_works(session);
    kiln_session_destroy(session);
}

TEST(garbage_from_memory)
{
    kiln_session *session = session_create(NULL, NULL);
    size_t size;
    write_garbage(scratch("garbage"), 5000);
    char *bytes = read_file(scratch("garbage"), &size);
    for (size_t i = 0; i < extension_count - 2; i++) { /* a shared library has to be a file */
        kiln_spec *spec = kiln_spec_create("garbage");
        kiln_library *library;
        kiln_error *error;
        kiln_spec_add_memory_source(spec, text_of("bytes.%s", extensions[i]), bytes, size, NULL);
        kiln_status status = kiln_library_load_spec(session, spec, NULL, &library, &error);
        CHECK(status == KILN_COMPILE || status == KILN_LINK || status == KILN_SPEC);
        CHECK_CONTAINS(kiln_error_rendered(error), "bytes.");
        kiln_error_destroy(error);
        kiln_spec_destroy(spec);
    }
    still_works(session);
    kiln_session_destroy(session);
}

TEST(empty_files)
{
    kiln_session *session = session_create(NULL, NULL);
    for (size_t i = 0; i < extension_count; i++) {
        static const char *const acceptable[] = {"c", "cc", "cpp", "C", "s", "S", "ll"};
        char *path = scratch("empty.%s", extensions[i]);
        write_file(path, "");
        bool is_text = false;
        for (size_t n = 0; n < sizeof acceptable / sizeof *acceptable; n++)
            is_text |= strcmp(extensions[i], acceptable[n]) == 0;
        if (is_text) {
            kiln_library *library = load_file(session, path);
            CHECK_INT(kiln_library_symbol_count(library), 0);
            CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
        } else {
            refused(session, path);
        }
    }
    still_works(session);
    kiln_session_destroy(session);
}

TEST(truncated_binaries)
{
    kiln_session *session = session_create(NULL, NULL);
    write_file(scratch("whole.c"), "#include <stdio.h>\nint data[100] = {1};\nint value(void) { "
                                   "puts(\"x\"); return data[0]; }\n");
    clang("-c", "-g", "-fPIC", "-o", scratch("whole.o"), scratch("whole.c"), NULL);
    clang("-c", "-g", "-emit-llvm", "-fPIC", "-o", scratch("whole.bc"), scratch("whole.c"), NULL);
    clang("-shared", "-fPIC", "-o", scratch("whole.so"), scratch("whole.c"), NULL);
    CHECK_INT(RUN(NULL, "ar", "rcD", scratch("whole.a"), scratch("whole.o")), 0);
    static const char *const kinds[] = {"o", "bc", "so"};
    for (size_t kind = 0; kind < 3; kind++) {
        size_t size;
        char *bytes = read_file(scratch("whole.%s", kinds[kind]), &size);
        for (size_t part = 1; part < 16; part++) {
            char *path = scratch("cut%zu.%s", part, kinds[kind]);
            write_bytes(path, bytes, size * part / 16);
            refused(session, path);
        }
        free(bytes);
    }
    /* Half an archive has no whole member. */
    size_t size;
    char *bytes = read_file(scratch("whole.a"), &size);
    write_bytes(scratch("cut.a"), bytes, size / 2);
    kiln_spec *spec = spec_of_file("user", scratch("cut.a"));
    write_file(scratch("user.c"), "int value(void); int use(void) { return value(); }\n");
    kiln_spec_add_source(spec, scratch("user.c"), NULL);
    kiln_library *library;
    kiln_error *error;
    kiln_status status = kiln_library_load_spec(session, spec, NULL, &library, &error);
    CHECK(status == KILN_LINK || status == KILN_BIND);
    kiln_error_destroy(error);
    still_works(session);
    kiln_session_destroy(session);
}

TEST(another_processor)
{
    kiln_session *session = session_create(NULL, NULL);
    write_file(scratch("arm.c"), "int value(void) { return 1; }\n");
    clang("--target=aarch64-linux-gnu", "-c", "-o", scratch("arm.o"), scratch("arm.c"), NULL);
    kiln_error *error = load_file_fails(session, scratch("arm.o"), KILN_LINK);
    CHECK_CONTAINS(kiln_error_rendered(error), "arm.o");
    CHECK_CONTAINS(kiln_error_rendered(error), "incompatible");
    kiln_error_destroy(error);

    clang("--target=aarch64-linux-gnu", "-c", "-emit-llvm", "-o", scratch("arm.bc"),
          scratch("arm.c"), NULL);
    refused(session, scratch("arm.bc"));
    clang("--target=aarch64-linux-gnu", "-S", "-o", scratch("arm.s"), scratch("arm.c"), NULL);
    refused(session, scratch("arm.s"));
    clang("-m32", "-c", "-o", scratch("i386.o"), scratch("arm.c"), NULL);
    refused(session, scratch("i386.o"));
    CHECK_INT(RUN(NULL, "ar", "rcD", scratch("arm.a"), scratch("arm.o")), 0);
    write_file(scratch("user.c"), "int value(void); int use(void) { return value(); }\n");
    kiln_spec *spec = spec_of_file("user", scratch("user.c"));
    kiln_spec_add_source(spec, scratch("arm.a"), NULL);
    kiln_error_destroy(load_spec_fails(session, spec, KILN_LINK));
    still_works(session);
    kiln_session_destroy(session);
}

/* Compiled for programs, not for libraries. */
TEST(object_that_is_not_position_independent)
{
    kiln_session *session = session_create(NULL, NULL);
    write_file(scratch("fixed.c"),
               "extern int elsewhere; int data; int *p(void) { return &data + elsewhere; }\n");
    clang("-c", "-fno-pic", "-mcmodel=small", "-o", scratch("fixed.o"), scratch("fixed.c"), NULL);
    kiln_error *error = load_file_fails(session, scratch("fixed.o"), KILN_LINK);
    CHECK_CONTAINS(kiln_error_rendered(error), "-fPIC");
    kiln_error_destroy(error);
    still_works(session);
    kiln_session_destroy(session);
}

/* A pipe may well be a source (<(...) of the shell): one that nobody writes to ends with the limit of time, or at once. */
TEST(fifo_in_place_of_a_file)
{
    kiln_session_options options = session_options(NULL, NULL);
    options.job_seconds = 3;
    kiln_session *session = session_create_with(&options);
    static const char *const kinds[] = {"c", "o", "a", "so"};
    for (size_t i = 0; i < 4; i++) {
        char *path = scratch("fifo.%s", kinds[i]);
        kiln_library *library;
        kiln_error *error;
        CHECK_INT(mkfifo(path, 0600), 0);
        kiln_status status = kiln_library_open(session, path, NULL, &library, &error);
        CHECK(status != KILN_OK && status != KILN_INTERNAL && status != KILN_COMPILER);
        CHECK_CONTAINS(kiln_error_rendered(error), "fifo");
        kiln_error_destroy(error);
    }
    still_works(session);
    kiln_session_destroy(session);
}

TEST(endless_device)
{
    kiln_session_options options = session_options(NULL, NULL);
    options.job_seconds = 10;
    options.job_memory_bytes = 1ull << 30;
    kiln_session *session = session_create_with(&options);
    char *path = scratch("zero.c");
    CHECK_INT(symlink("/dev/zero", path), 0);
    kiln_library *library;
    kiln_error *error;
    CHECK(kiln_library_open(session, path, NULL, &library, &error) != KILN_OK);
    kiln_error_destroy(error);
    still_works(session);
    kiln_session_destroy(session);
}

TEST(circle_of_links)
{
    kiln_session *session = session_create(NULL, NULL);
    CHECK_INT(symlink("b.c", scratch("a.c")), 0);
    CHECK_INT(symlink("a.c", scratch("b.c")), 0);
    refused(session, scratch("a.c"));
    CHECK_INT(symlink("nowhere.c", scratch("dangling.c")), 0);
    refused(session, scratch("dangling.c"));
    still_works(session);
    kiln_session_destroy(session);
}

TEST(unreadable_file)
{
    if (geteuid() == 0)
        skip("root reads every file");
    kiln_session *session = session_create(NULL, NULL);
    char *path = scratch("secret.c");
    write_file(path, "int x;\n");
    CHECK_INT(chmod(path, 0), 0);
    refused(session, path);
    still_works(session);
    kiln_session_destroy(session);
}

TEST(unknown_extension)
{
    kiln_session *session = session_create(NULL, NULL);
    write_file(scratch("text.txt"), "int x;\n");
    write_file(scratch("none"), "int x;\n");
    CHECK_INT(refused(session, scratch("text.txt")), KILN_SPEC);
    CHECK_INT(refused(session, scratch("none")), KILN_SPEC);
    still_works(session);
    kiln_session_destroy(session);
}

TEST(very_long_paths)
{
    kiln_session *session = session_create(NULL, NULL);
    char *component = malloc(256);
    memset(component, 'x', 255);
    component[255] = '\0';
    char *path = scratch("d");
    for (int i = 0; i < 13; i++)
        path = text_of("%s/%.*s", path, 240, component);
    char *deep = text_of("%s/deep.c", path); /* within PATH_MAX */
    write_file(deep, "int value(void) { return 3; }\n");
    kiln_library *library = load_file(session, deep);
    CHECK_INT(call_int(library, "value"), 3);
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
    for (int i = 0; i < 10; i++)
        path = text_of("%s/%.*s", path, 240, component);
    refused(session, text_of("%s/x.c", path)); /* beyond it */
    still_works(session);
    kiln_session_destroy(session);
}
