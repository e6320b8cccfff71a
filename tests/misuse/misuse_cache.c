/* misuse_cache.c - when a load is a hit and when it must not be: each way in which an input, the
 * environment or the spec can change, and come back. A hit with an old value is the worst that can
 * happen; a needless miss is a defect too. */
#include "load_result.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CACHE scratch("cache")

/* A source that includes value.h, which defines VALUE. */
static kiln_spec *header_project(void)
{
    write_file(scratch("main.c"), "#include \"value.h\"\nint value(void) { return VALUE; }\n");
    write_file(scratch("value.h"), "#define VALUE 1\n");
    return spec_of_file("project", scratch("main.c"));
}

static void touch(const char *path)
{
    CHECK_INT(utimensat(AT_FDCWD, path, (struct timespec[2]){{1700000000, 5}, {1700000000, 5}}, 0),
              0);
}

static void set_arguments(kiln_spec *spec, const char *first, const char *second)
{
    CHECK_STATUS(
        kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){first, second, NULL}),
        KILN_OK, NULL);
}

TEST(second_load_is_a_hit)
{
    kiln_spec *spec = header_project();
    EXPECT_MISS(CACHE, spec, 1);
    EXPECT_HIT(CACHE, spec, 1);
    EXPECT_HIT(CACHE, spec, 1);
    EXPECT_MISS(scratch("another-cache"), spec, 1);
}

TEST(hit_within_one_session)
{
    event_log log = {0};
    kiln_session *session = session_create(CACHE, &log);
    kiln_spec *spec = header_project();
    kiln_spec_destroy(spec);
    for (int i = 0; i < 3; i++) {
        kiln_library *library = load_spec(session, header_project());
        CHECK_INT(was_hit(library), i > 0);
        kiln_library_close(library);
    }
    CHECK_INT(log.count[KILN_EVENT_UNIT_STARTED], 1);
    CHECK_INT(log.count[KILN_EVENT_LOOKUP_HIT], 2);
    CHECK_INT(log.count[KILN_EVENT_LOOKUP_MISS], 1);
    kiln_session_destroy(session);
}

TEST(touched_file)
{
    kiln_spec *spec = header_project();
    EXPECT_MISS(CACHE, spec, 1);
    touch(scratch("main.c"));
    EXPECT_HIT(CACHE, spec, 1);
    touch(scratch("value.h"));
    EXPECT_HIT(CACHE, spec, 1);
    write_file(scratch("value.h"), "#define VALUE 1\n"); /* the same bytes again */
    EXPECT_HIT(CACHE, spec, 1);
    CHECK_INT(chmod(scratch("main.c"), 0600), 0);
    EXPECT_HIT(CACHE, spec, 1);
}

TEST(edited_header_and_the_edit_undone)
{
    kiln_spec *spec = header_project();
    EXPECT_MISS(CACHE, spec, 1);
    write_file(scratch("value.h"), "#define VALUE 2\n");
    EXPECT_MISS(CACHE, spec, 2);
    EXPECT_HIT(CACHE, spec, 2);
    write_file(scratch("value.h"), "#define VALUE 1\n");
    EXPECT_HIT(CACHE, spec, 1);
    write_file(scratch("value.h"), "#define VALUE 2\n");
    EXPECT_HIT(CACHE, spec, 2);
}

TEST(edited_source)
{
    kiln_spec *spec = header_project();
    EXPECT_MISS(CACHE, spec, 1);
    write_file(scratch("main.c"), "#include \"value.h\"\nint value(void) { return VALUE + 10; }\n");
    EXPECT_MISS(CACHE, spec, 11);
    EXPECT_HIT(CACHE, spec, 11);
}

TEST(edit_that_keeps_size_and_mtime)
{
    struct stat before;
    kiln_spec *spec = header_project();
    EXPECT_MISS(CACHE, spec, 1);
    EXPECT_HIT(CACHE, spec, 1);
    CHECK_INT(stat(scratch("value.h"), &before), 0);
    write_file(scratch("value.h"), "#define VALUE 7\n");
    CHECK_INT(utimensat(AT_FDCWD, scratch("value.h"),
                        (struct timespec[2]){before.st_atim, before.st_mtim}, 0),
              0);
    EXPECT_MISS(CACHE, spec, 7);
}

TEST(file_replaced_by_rename)
{
    kiln_spec *spec = header_project();
    EXPECT_MISS(CACHE, spec, 1);
    write_file(scratch("value.h.new"), "#define VALUE 3\n");
    CHECK_INT(rename(scratch("value.h.new"), scratch("value.h")), 0);
    EXPECT_MISS(CACHE, spec, 3);
}

/* No sleep between them: many edits within one tick of the clock. */
TEST(edits_in_quick_succession)
{
    kiln_spec *spec = header_project();
    for (int i = 0; i < 40; i++) {
        write_file(scratch("value.h"), text_of("#define VALUE %d\n", i % 5 + 10));
        load_result result = try_load(CACHE, spec);
        CHECK_TEXT(result.error, "");
        CHECK_INT(result.value, i % 5 + 10);
        CHECK_INT(result.hit, i >= 5);
        load_result_free(&result);
    }
}

TEST(deleted_and_recreated_header)
{
    kiln_spec *spec = header_project();
    EXPECT_MISS(CACHE, spec, 1);
    CHECK_INT(unlink(scratch("value.h")), 0);
    load_result result = try_load(CACHE, spec);
    CHECK_INT(result.status, KILN_COMPILE);
    load_result_free(&result);
    write_file(scratch("value.h"), "#define VALUE 1\n");
    EXPECT_HIT(CACHE, spec, 1);
    CHECK_INT(unlink(scratch("value.h")), 0);
    write_file(scratch("value.h"), "#define VALUE 4\n");
    EXPECT_MISS(CACHE, spec, 4);
}

TEST(deleted_source)
{
    kiln_spec *spec = header_project();
    EXPECT_MISS(CACHE, spec, 1);
    CHECK_INT(unlink(scratch("main.c")), 0);
    load_result result = try_load(CACHE, spec);
    CHECK_INT(result.status, KILN_NOT_FOUND);
    load_result_free(&result);
}

TEST(new_header_that_shadows_another)
{
    kiln_spec *spec = header_project();
    CHECK_INT(unlink(scratch("value.h")), 0);
    make_directory(scratch("first"));
    write_file(scratch("second/value.h"), "#define VALUE 2\n");
    set_arguments(spec, text_of("-I%s", scratch("first")), text_of("-I%s", scratch("second")));
    EXPECT_MISS(CACHE, spec, 2);
    EXPECT_HIT(CACHE, spec, 2);
    write_file(scratch("first/unrelated.h"),
               "#define VALUE 9\n"); /* the directory changes, the answer does not */
    EXPECT_HIT(CACHE, spec, 2);
    write_file(scratch("first/value.h"), "#define VALUE 3\n");
    EXPECT_MISS(CACHE, spec, 3);
    write_file(scratch("value.h"), "#define VALUE 4\n"); /* beside the source, before both */
    EXPECT_MISS(CACHE, spec, 4);
    CHECK_INT(unlink(scratch("value.h")), 0);
    EXPECT_HIT(CACHE, spec, 3);
    CHECK_INT(unlink(scratch("first/value.h")), 0);
    EXPECT_HIT(CACHE, spec, 2);
}

TEST(include_directory_that_appears)
{
    kiln_spec *spec = header_project();
    CHECK_INT(unlink(scratch("value.h")), 0);
    write_file(scratch("second/value.h"), "#define VALUE 2\n");
    set_arguments(spec, text_of("-I%s", scratch("not/yet/there")),
                  text_of("-I%s", scratch("second")));
    EXPECT_MISS(CACHE, spec, 2);
    EXPECT_HIT(CACHE, spec, 2);
    write_file(scratch("not/yet/there/value.h"), "#define VALUE 5\n");
    EXPECT_MISS(CACHE, spec, 5);
    remove_tree(scratch("not"));
    EXPECT_HIT(CACHE, spec, 2);
}

TEST(has_include_flips)
{
    write_file(scratch("main.c"),
               "#if __has_include(\"optional.h\")\nint value(void) { return 2; }\n#else\n"
               "int value(void) { return 1; }\n#endif\n");
    kiln_spec *spec = spec_of_file("project", scratch("main.c"));
    EXPECT_MISS(CACHE, spec, 1);
    write_file(scratch("optional.h"), "");
    EXPECT_MISS(CACHE, spec, 2);
    EXPECT_HIT(CACHE, spec, 2);
    CHECK_INT(unlink(scratch("optional.h")), 0);
    EXPECT_HIT(CACHE, spec, 1);
}

TEST(has_include_next_and_include_next)
{
    write_file(
        scratch("a/x.h"),
        "#if __has_include_next(<x.h>)\n#include_next <x.h>\n#else\n#define VALUE 1\n#endif\n");
    write_file(scratch("main.c"), "#include <x.h>\nint value(void) { return VALUE; }\n");
    make_directory(scratch("b"));
    kiln_spec *spec = spec_of_file("project", scratch("main.c"));
    set_arguments(spec, text_of("-I%s", scratch("a")), text_of("-I%s", scratch("b")));
    EXPECT_MISS(CACHE, spec, 1);
    write_file(scratch("b/x.h"), "#define VALUE 2\n");
    EXPECT_MISS(CACHE, spec, 2);
}

TEST(symbolic_links)
{
    kiln_spec *spec = header_project();
    CHECK_INT(unlink(scratch("value.h")), 0);
    write_file(scratch("v1/value.h"), "#define VALUE 1\n");
    write_file(scratch("v2/value.h"), "#define VALUE 2\n");
    CHECK_INT(symlink("v1/value.h", scratch("value.h")), 0);
    EXPECT_MISS(CACHE, spec, 1);
    CHECK_INT(unlink(scratch("value.h")), 0);
    CHECK_INT(symlink("v2/value.h", scratch("value.h")), 0);
    EXPECT_MISS(CACHE, spec, 2);
    CHECK_INT(unlink(scratch("value.h")), 0);
    CHECK_INT(symlink("v1", scratch("current")), 0);
    set_arguments(spec, text_of("-I%s", scratch("current")), "-DX");
    EXPECT_MISS(CACHE, spec, 1);
    CHECK_INT(unlink(scratch("current")), 0);
    CHECK_INT(symlink("v2", scratch("current")), 0);
    EXPECT_MISS(CACHE, spec, 2);
}

TEST(environment_that_clang_reads)
{
    kiln_spec *spec = header_project();
    CHECK_INT(unlink(scratch("value.h")), 0);
    write_file(scratch("v1/value.h"), "#define VALUE 1\n");
    write_file(scratch("v2/value.h"), "#define VALUE 2\n");
    setenv("CPATH", scratch("v1"), 1);
    EXPECT_MISS(CACHE, spec, 1);
    setenv("CPATH", scratch("v2"), 1);
    EXPECT_MISS(CACHE, spec, 2);
    unsetenv("CPATH");
    setenv("C_INCLUDE_PATH", scratch("v1"), 1);
    EXPECT_MISS(CACHE, spec, 1);
    unsetenv("C_INCLUDE_PATH");
    load_result result = try_load(CACHE, spec);
    CHECK_INT(result.status, KILN_COMPILE);
    load_result_free(&result);
    setenv("CPATH", scratch("v1"), 1);
    EXPECT_HIT(CACHE, spec, 1);
    setenv("NOTHING_TO_DO_WITH_IT", "x", 1);
    setenv("PATH", "/nowhere", 1);
    EXPECT_HIT(CACHE, spec, 1);
}

TEST(working_directory)
{
    for (int i = 1; i <= 2; i++) {
        write_file(scratch("d%d/main.c", i),
                   "#include \"inc/value.h\"\nint value(void) { return VALUE; }\n");
        write_file(scratch("d%d/inc/value.h", i), text_of("#define VALUE %d\n", i));
    }
    for (int i = 1; i <= 2; i++) {
        CHECK_INT(chdir(scratch("d%d", i)), 0);
        kiln_spec *spec = spec_of_file("project", "main.c");
        EXPECT_MISS(CACHE, spec, i);
        CHECK_INT(chdir("/"), 0); /* the spec keeps the directory that it was made in */
        EXPECT_HIT(CACHE, spec, i);
        kiln_spec_destroy(spec);
    }
    kiln_spec *spec = spec_of_file("project", "main.c");
    kiln_spec_set_directory(spec, scratch("d1"));
    EXPECT_HIT(CACHE, spec, 1);
}

TEST(embedded_files)
{
    write_file(scratch("data.bin"), "A");
    write_file(scratch("main.c"),
               "//kiln: -std=c23\nstatic const unsigned char data[] = {\n#embed \"data.bin\"\n};\n"
               "int value(void) { return data[0]; }\n");
    kiln_spec *spec = spec_of_file("project", scratch("main.c"));
    EXPECT_MISS(CACHE, spec, 'A');
    write_file(scratch("data.bin"), "B");
    EXPECT_MISS(CACHE, spec, 'B');
    write_file(scratch("data.bin"), "A");
    EXPECT_HIT(CACHE, spec, 'A');
}

TEST(included_binaries)
{
    write_file(scratch("data.bin"), "A");
    write_file(
        scratch("main.c"),
        "__asm__(\".section .rodata\\n.globl data\\ndata: .incbin \\\"data.bin\\\"\\n.text\\n\");\n"
        "extern const unsigned char data[] __attribute__((visibility(\"hidden\")));\n"
        "int value(void) { return data[0]; }\n");
    CHECK_INT(chdir(scratch(".")), 0);
    kiln_spec *spec = spec_of_file("project", scratch("main.c"));
    EXPECT_MISS(CACHE, spec, 'A');
    EXPECT_HIT(CACHE, spec, 'A');
    write_file(scratch("data.bin"), "B");
    EXPECT_MISS(CACHE, spec, 'B');

    write_file(scratch("unit.s"),
               ".include \"part.inc\"\n.section .note.GNU-stack,\"\",@progbits\n");
    write_file(scratch("part.inc"), ".globl value\nvalue: movl $5, %eax\n ret\n");
    kiln_spec *assembly = spec_of_file("assembly", scratch("unit.s"));
    EXPECT_MISS(CACHE, assembly, 5);
    EXPECT_HIT(CACHE, assembly, 5);
    write_file(scratch("part.inc"), ".globl value\nvalue: movl $6, %eax\n ret\n");
    EXPECT_MISS(CACHE, assembly, 6);
}

/* .incbin looks through -I too: a file that newly shadows is a miss. */
TEST(included_binary_is_shadowed)
{
    write_file(scratch("second/data.bin"), "A");
    make_directory(scratch("first"));
    write_file(scratch("unit.s"), ".data\ndata: .incbin \"data.bin\"\n.text\n.globl value\nvalue: "
                                  "movzbl data(%rip), %eax\n ret\n"
                                  ".section .note.GNU-stack,\"\",@progbits\n");
    kiln_spec *spec = spec_of_file("assembly", scratch("unit.s"));
    set_arguments(spec, text_of("-Wa,-I%s", scratch("first")),
                  text_of("-Wa,-I%s", scratch("second")));
    EXPECT_MISS(CACHE, spec, 'A');
    EXPECT_HIT(CACHE, spec, 'A');
    write_file(scratch("first/data.bin"), "B");
    EXPECT_MISS(CACHE, spec, 'B');
}

TEST(time_of_day)
{
    write_file(scratch("main.c"),
               "int value(void) { return (__TIME__[6] - '0') * 10 + __TIME__[7] - '0'; }\n");
    kiln_spec *spec = spec_of_file("project", scratch("main.c"));
    load_result first = try_load(CACHE, spec);
    CHECK_INT(first.status, KILN_OK);
    time_t start = time(NULL);
    while (time(NULL) < start + 2)
        usleep(20000);
    load_result second = try_load(CACHE, spec);
    CHECK_INT(second.status, KILN_OK);
    CHECK(first.value != second.value);
}

TEST(timestamp_of_the_source)
{
    write_file(scratch("main.c"), "int value(void) { const char *t = __TIMESTAMP__; int n = 0; "
                                  "while (*t) n = n * 31 + *t++; return n & "
                                  "0xffffff; }\n");
    kiln_spec *spec = spec_of_file("project", scratch("main.c"));
    load_result first = try_load(CACHE, spec);
    CHECK_INT(first.status, KILN_OK);
    touch(scratch("main.c"));
    load_result second = try_load(CACHE, spec);
    CHECK_INT(second.status, KILN_OK);
    CHECK(first.value != second.value);
    EXPECT_HIT(CACHE, spec, second.value);
}

TEST(warnings_are_repeated)
{
    write_file(scratch("main.c"), "//kiln: -Wall\nint value(void) { int unused; return 1; }\n");
    kiln_spec *spec = spec_of_file("project", scratch("main.c"));
    load_result miss = try_load(CACHE, spec), hit = try_load(CACHE, spec);
    CHECK(!miss.hit && hit.hit);
    CHECK_CONTAINS(miss.diagnostics, "unused variable 'unused'");
    CHECK_TEXT(hit.diagnostics, miss.diagnostics);
}

TEST(failures_are_not_cached)
{
    event_log log = {0};
    kiln_session *session = session_create(CACHE, &log);
    write_file(scratch("main.c"), "int value(void) { return nowhere; }\n");
    for (unsigned i = 1; i <= 2; i++) {
        kiln_error_destroy(load_file_fails(session, scratch("main.c"), KILN_COMPILE));
        CHECK_INT(log.count[KILN_EVENT_UNIT_STARTED], i);
    }
    write_file(scratch("main.c"), "int value(void) { return 5; }\n");
    kiln_library *library = load_file(session, scratch("main.c"));
    CHECK_INT(call_int(library, "value"), 5);
    kiln_library_close(library);

    /* One that waits for a header that is missing. */
    write_file(scratch("needs.c"), "#include \"later.h\"\nint value(void) { return LATER; }\n");
    kiln_error_destroy(load_file_fails(session, scratch("needs.c"), KILN_COMPILE));
    write_file(scratch("later.h"), "#define LATER 6\n");
    library = load_file(session, scratch("needs.c"));
    CHECK_INT(call_int(library, "value"), 6);
    kiln_library_close(library);
    kiln_session_destroy(session);
}

TEST(definitions_and_order_of_arguments)
{
    write_file(scratch("main.c"), "int value(void) { return N; }\n");
    kiln_spec *one = spec_of_file("project", scratch("main.c")),
              *two = spec_of_file("project", scratch("main.c"));
    kiln_spec *swapped = spec_of_file("project", scratch("main.c"));
    set_arguments(one, "-DN=1", "-w");
    set_arguments(two, "-DN=2", "-w");
    EXPECT_MISS(CACHE, one, 1);
    EXPECT_MISS(CACHE, two, 2);
    EXPECT_HIT(CACHE, one, 1);
    set_arguments(swapped, "-DN=2", "-UN");
    CHECK_STATUS(
        kiln_spec_add_arguments(swapped, KILN_PRIVATE, (const char *const[]){"-DN=3", NULL}),
        KILN_OK, NULL);
    EXPECT_MISS(CACHE, swapped, 3);
}

TEST(pattern_with_a_new_file)
{
    write_file(scratch("parts/a.c"), "__attribute__((weak)) int extra(void) { return 0; }\nint "
                                     "value(void) { return 1 + extra(); }\n");
    kiln_spec *spec = spec_of_file("project", scratch("parts/*.c"));
    EXPECT_MISS(CACHE, spec, 1);
    EXPECT_HIT(CACHE, spec, 1);
    write_file(scratch("parts/notes.txt"), "no source\n");
    EXPECT_HIT(CACHE, spec, 1);
    write_file(scratch("parts/b.c"), "int extra(void) { return 10; }\n");
    EXPECT_MISS(CACHE, spec, 11);
    EXPECT_HIT(CACHE, spec, 11);
    CHECK_INT(unlink(scratch("parts/b.c")), 0);
    EXPECT_HIT(CACHE, spec, 1);
}

TEST(pattern_with_a_new_directory)
{
    write_file(scratch("tree/a.c"), "__attribute__((weak)) int extra(void) { return 0; }\nint "
                                    "value(void) { return 1 + extra(); }\n");
    kiln_spec *spec = spec_of_file("project", scratch("tree/**/*.c"));
    EXPECT_MISS(CACHE, spec, 1);
    write_file(scratch("tree/x/y/b.c"), "int extra(void) { return 10; }\n");
    EXPECT_MISS(CACHE, spec, 11);
}

TEST(memory_sources_and_headers)
{
    for (int round = 0; round < 2; round++) {
        for (int i = 1; i <= 3; i++) {
            kiln_spec *spec = kiln_spec_create("memory");
            const char *source = "#include <value.h>\nint value(void) { return VALUE; }\n";
            char *header = text_of("#define VALUE %d\n", i);
            kiln_spec_add_memory_source(spec, "main.c", source, strlen(source), NULL);
            kiln_spec_add_memory_header(spec, "value.h", header, strlen(header));
            expect_load(__FILE__, __LINE__, CACHE, spec, round == 1, i);
            kiln_spec_destroy(spec);
        }
    }
}

TEST(objects_and_archives_as_inputs)
{
    char *object = scratch("part.o"), *archive = scratch("part.a");
    write_file(scratch("main.c"), "int part(void);\nint value(void) { return part(); }\n");
    for (int round = 0; round < 2; round++) {
        for (int i = 1; i <= 2; i++) {
            write_file(scratch("part.c"), text_of("int part(void) { return %d; }\n", i));
            clang("-c", "-fPIC", "-o", object, scratch("part.c"), NULL);
            unlink(archive);
            CHECK_INT(RUN(NULL, "ar", "rcD", archive, object), 0);
            kiln_spec *spec = spec_of_file("objects", scratch("main.c"));
            kiln_spec_add_source(spec, object, NULL);
            expect_load(__FILE__, __LINE__, CACHE, spec, round == 1, i);
            kiln_spec_destroy(spec);
            spec = spec_of_file("archives", scratch("main.c"));
            kiln_spec_add_source(spec, archive, NULL);
            expect_load(__FILE__, __LINE__, CACHE, spec, round == 1, i);
            kiln_spec_destroy(spec);
        }
    }
}

TEST(link_library_that_shadows_another)
{
    write_file(scratch("main.c"), "int part(void);\nint value(void) { return part(); }\n");
    for (int i = 1; i <= 2; i++) {
        write_file(scratch("part.c"), text_of("int part(void) { return %d; }\n", i));
        clang("-c", "-fPIC", "-o", scratch("part.o"), scratch("part.c"), NULL);
        make_directory(scratch("l%d", i));
        CHECK_INT(RUN(NULL, "ar", "rcD", scratch("l%d/libpart.a", i), scratch("part.o")), 0);
    }
    make_directory(scratch("l0"));
    kiln_spec *spec = spec_of_file("project", scratch("main.c"));
    set_arguments(spec, text_of("-L%s", scratch("l0")), text_of("-L%s", scratch("l1")));
    CHECK_STATUS(kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){"-lpart", NULL}),
                 KILN_OK, NULL);
    EXPECT_MISS(CACHE, spec, 1);
    EXPECT_HIT(CACHE, spec, 1);
    CHECK_INT(rename(scratch("l2/libpart.a"), scratch("l0/libpart.a")), 0);
    EXPECT_MISS(CACHE, spec, 2);
    CHECK_INT(unlink(scratch("l0/libpart.a")), 0);
    EXPECT_HIT(CACHE, spec, 1);
    /* A shared library of the name comes before the archive. */
    write_file(scratch("part.c"), "int part(void) { return 3; }\n");
    clang("-shared", "-fPIC", "-o", scratch("l1/libpart.so"), scratch("part.c"), NULL);
    EXPECT_MISS(CACHE, spec, 3);
}

TEST(package_that_changes)
{
    write_file(scratch("main.c"), "int value(void) { return N; }\n");
    setenv("PKG_CONFIG_PATH", scratch("pc"), 1);
    kiln_spec *spec = spec_of_file("project", scratch("main.c"));
    kiln_spec_add_package(spec, "changing");
    for (int round = 0; round < 2; round++) {
        for (int i = 1; i <= 2; i++) {
            write_file(scratch("pc/changing.pc"),
                       text_of("Name: changing\nDescription: x\nVersion: 1\nCflags: -DN=%d\n", i));
            expect_load(__FILE__, __LINE__, CACHE, spec, round == 1, i);
        }
    }
}

TEST(comment_that_changes)
{
    kiln_spec *spec = spec_of_file("project", scratch("main.c"));
    for (int round = 0; round < 2; round++) {
        for (int i = 1; i <= 2; i++) {
            write_file(scratch("main.c"),
                       text_of("//kiln: -DN=%d\nint value(void) { return N; }\n", i));
            expect_load(__FILE__, __LINE__, CACHE, spec, round == 1, i);
        }
    }
}

static int lent_value(void)
{
    return 31;
}

static int lent_other(void)
{
    return 32;
}

/* Where host symbols stand differs from run to run: the address is no input. */
TEST(address_of_a_host_symbol)
{
    write_file(scratch("main.c"), "int lent(void);\nint value(void) { return lent(); }\n");
    kiln_spec *spec = spec_of_file("project", scratch("main.c"));
    kiln_spec_add_host_symbol(spec, "lent", (void *)lent_value);
    EXPECT_MISS(CACHE, spec, 31);
    kiln_spec *other = spec_of_file("project", scratch("main.c"));
    kiln_spec_add_host_symbol(other, "lent", (void *)lent_other);
    EXPECT_HIT(CACHE, other, 32);
}

static int load_top(kiln_session *session)
{
    kiln_library *library;
    kiln_error *error;
    CHECK_STATUS(kiln_library_load(session, "top", NULL, &library, &error), KILN_OK, &error);
    int value = call_int(library, "value");
    kiln_library_close(library);
    return value;
}

TEST(dependency_that_changes)
{
    write_file(scratch("base.h"), "#define FROM_HEADER 1\nint base(void);\n");
    write_file(scratch("base.c"), "int base(void) { return 10; }\n");
    write_file(scratch("top.c"),
               "#include <base.h>\nint value(void) { return base() + FROM_HEADER; }\n");
    for (int i = 0; i < 4; i++) {
        static const int expected[] = {11, 21, 22, 22};
        if (i == 1)
            write_file(scratch("base.c"), "int base(void) { return 20; }\n");
        if (i == 2)
            write_file(scratch("base.h"), "#define FROM_HEADER 2\nint base(void);\n");
        kiln_session *session = session_create(CACHE, NULL);
        kiln_spec *base = spec_of_file("base", scratch("base.c")),
                  *top = spec_of_file("top", scratch("top.c"));
        kiln_spec_add_arguments(base, KILN_PUBLIC, (const char *const[]){"-I", scratch("."), NULL});
        kiln_spec_add_dependency(top, "base");
        CHECK_STATUS(kiln_session_register(session, base, NULL), KILN_OK, NULL);
        CHECK_STATUS(kiln_session_register(session, top, NULL), KILN_OK, NULL);
        CHECK_INT(load_top(session), expected[i]);
        kiln_session_destroy(session);
    }
}

TEST(trusted_system_headers)
{
    write_file(scratch("main.c"),
               "#include <stdio.h>\n#include \"value.h\"\nint value(void) { return VALUE; }\n");
    write_file(scratch("value.h"), "#define VALUE 1\n");
    kiln_spec *spec = spec_of_file("project", scratch("main.c"));
    kiln_session_options options = session_options(CACHE, NULL);
    options.trust_system_headers = true;
    for (int i = 0; i < 3; i++) {
        load_result result = try_load_with(&options, spec);
        CHECK_TEXT(result.error, "");
        CHECK_INT(result.hit, i > 0);
        load_result_free(&result);
    }
    write_file(scratch("value.h"),
               "#define VALUE 2\n"); /* one's own headers are checked all the same */
    load_result result = try_load_with(&options, spec);
    CHECK_INT(result.value, 2);
    EXPECT_HIT(CACHE, spec, 2);
}

/* ---- the cache as a whole ---- */

TEST(moved_cache)
{
    kiln_spec *spec = header_project();
    EXPECT_MISS(CACHE, spec, 1);
    CHECK_INT(rename(CACHE, scratch("moved")), 0);
    EXPECT_HIT(scratch("moved"), spec, 1);
    copy_tree(scratch("moved"), scratch("copied"));
    EXPECT_HIT(scratch("copied"), spec, 1);
}

TEST(miss_says_why)
{
    kiln_spec *spec = header_project();
    load_result first = try_load(CACHE, spec);
    CHECK(*first.miss_reason);
    write_file(scratch("value.h"), "#define VALUE 2\n");
    load_result edited = try_load(CACHE, spec);
    CHECK_CONTAINS(edited.miss_reason, "value.h");
    kiln_session *session = session_create(CACHE, NULL);
    kiln_error *error;
    char *text;
    CHECK_STATUS(kiln_cache_explain(session, "project", &text, &error), KILN_OK, &error);
    CHECK_CONTAINS(text, "value.h");
    kiln_string_destroy(text);
    CHECK_STATUS(kiln_cache_explain(session, "never-heard-of", &text, &error), KILN_NOT_FOUND,
                 &error);
    kiln_error_destroy(error);
    kiln_session_destroy(session);
    unlink(scratch("value.h"));
    write_file(scratch("early/value.h"), "#define VALUE 3\n");
    set_arguments(spec, "-I", scratch("early"));
    load_result other = try_load(CACHE, spec);
    CHECK_INT(other.value, 3);
    CHECK(*other.miss_reason);
}

static bool count_entries(const kiln_cache_entry *entry, void *counts)
{
    unsigned *kinds = counts;
    kinds[strcmp(entry->kind, "image") == 0]++;
    CHECK(entry->total_bytes > 0 && *entry->key && *entry->name);
    return true;
}

TEST(list_verify_collect_clear)
{
    kiln_spec *spec = header_project();
    EXPECT_MISS(CACHE, spec, 1);
    kiln_session *session = session_create(CACHE, NULL);
    kiln_error *error;
    unsigned kinds[2] = {0};
    uint64_t checked, removed, freed;
    CHECK_STATUS(kiln_cache_list(session, count_entries, kinds, &error), KILN_OK, &error);
    CHECK_INT(kinds[1], 1);
    kiln_cache_statistics statistics = {.size = sizeof statistics};
    CHECK_STATUS(kiln_cache_statistics_read(session, &statistics, &error), KILN_OK, &error);
    CHECK_INT(statistics.entry_count, kinds[0] + kinds[1]);
    CHECK_INT(statistics.misses, 1);
    CHECK(statistics.total_bytes > 1000);
    CHECK_STATUS(kiln_cache_verify(session, &checked, &removed, &error), KILN_OK, &error);
    CHECK_INT(checked, statistics.entry_count);
    CHECK_INT(removed, 0);
    CHECK_STATUS(kiln_cache_collect(session, UINT64_MAX, 0, &removed, &freed, &error), KILN_OK,
                 &error);
    CHECK_INT(removed, 0);
    EXPECT_HIT(CACHE, spec, 1);
    CHECK_STATUS(kiln_cache_collect(session, 1, 0, &removed, &freed, &error), KILN_OK, &error);
    CHECK(removed > 0 && freed > 1000);
    EXPECT_MISS(CACHE, spec, 1);
    CHECK_STATUS(kiln_cache_clear(session, &removed, &error), KILN_OK, &error);
    CHECK(removed > 0);
    EXPECT_MISS(CACHE, spec, 1);
    kiln_session_destroy(session);
}

TEST(entries_in_use_are_kept)
{
    kiln_spec *spec = header_project(), *other = kiln_spec_create("other");
    kiln_spec_add_memory_source(other, "other.c", "int value(void) { return 9; }\n", 30, NULL);
    EXPECT_MISS(CACHE, other, 9);
    kiln_session *session = session_create(CACHE, NULL), *cleaner = session_create(CACHE, NULL);
    kiln_library *library;
    kiln_error *error;
    uint64_t removed, freed;
    CHECK_STATUS(kiln_library_load_spec(session, spec, NULL, &library, &error), KILN_OK, &error);
    kiln_cache_statistics statistics = {.size = sizeof statistics};
    CHECK_STATUS(kiln_cache_statistics_read(cleaner, &statistics, &error), KILN_OK, &error);
    CHECK(statistics.in_use_count >= 1);
    CHECK_STATUS(kiln_cache_collect(cleaner, 1, 0, &removed, &freed, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_cache_clear(cleaner, &removed, &error), KILN_OK, &error);
    CHECK_INT(call_int(library, "value"), 1);
    EXPECT_HIT(CACHE, spec, 1);
    EXPECT_MISS(CACHE, other, 9);
    kiln_library_close(library);
    CHECK_STATUS(kiln_cache_clear(cleaner, &removed, &error), KILN_OK, &error);
    EXPECT_MISS(CACHE, spec, 1);
    kiln_session_destroy(session);
    kiln_session_destroy(cleaner);
}

TEST(verify_removes_bad_entries)
{
    kiln_spec *spec = header_project();
    EXPECT_MISS(CACHE, spec, 1);
    kiln_session *session = session_create(CACHE, NULL);
    kiln_library *library;
    kiln_error *error;
    kiln_report report = {.size = sizeof report};
    CHECK_STATUS(kiln_library_load_spec(session, spec, NULL, &library, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_library_report(library, &report), KILN_OK, NULL);
    char *image = strdup(report.image);
    kiln_library_close(library);
    kiln_session_destroy(session);

    struct stat status;
    CHECK_INT(stat(image, &status), 0);
    CHECK_INT(chmod(image, 0700), 0);
    int fd = open(image, O_WRONLY | O_CLOEXEC);
    CHECK(pwrite(fd, "garbage", 7, status.st_size / 2) == 7);
    close(fd);
    uint64_t checked, removed;
    session = session_create(CACHE, NULL);
    CHECK_STATUS(kiln_cache_verify(session, &checked, &removed, &error), KILN_OK, &error);
    CHECK_INT(removed, 1);
    kiln_session_destroy(session);
    load_result result = try_load(CACHE, spec);
    CHECK_INT(result.value, 1);
}

TEST(cache_maintenance_without_a_cache)
{
    kiln_session *session = session_create(NULL, NULL);
    CHECK(kiln_session_cache_directory(session) == NULL);
    kiln_error *error = NULL;
    uint64_t removed = 99, checked = 99, freed;
    unsigned kinds[2] = {0};
    kiln_cache_statistics statistics = {.size = sizeof statistics};
    kiln_status status = kiln_cache_clear(session, &removed, &error);
    CHECK(status == KILN_OK || status == KILN_UNSUPPORTED || status == KILN_NOT_FOUND);
    kiln_error_destroy(error);
    CHECK(kiln_cache_verify(session, &checked, &removed, &error) == status);
    kiln_error_destroy(error);
    CHECK(kiln_cache_collect(session, 0, 0, &removed, &freed, &error) == status);
    kiln_error_destroy(error);
    CHECK(kiln_cache_list(session, count_entries, kinds, &error) == status);
    kiln_error_destroy(error);
    CHECK(kiln_cache_statistics_read(session, &statistics, &error) == status);
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}

TEST(outputs_are_cached_too)
{
    kiln_spec *spec = header_project();
    for (int i = 0; i < 3; i++) {
        if (i == 2)
            write_file(scratch("value.h"), "#define VALUE 2\n");
        kiln_session *session = session_create(CACHE, NULL);
        kiln_compile_options options = {.size = sizeof options, .kind = KILN_OUTPUT_OBJECT};
        kiln_outputs *outputs;
        kiln_error *error;
        CHECK_STATUS(kiln_compile(session, spec, &options, &outputs, &error), KILN_OK, &error);
        kiln_output output = {.size = sizeof output};
        CHECK_STATUS(kiln_outputs_get(outputs, 0, &output), KILN_OK, NULL);
        CHECK_INT(output.hit, i == 1);
        CHECK(kiln_outputs_get(outputs, 1, &output) == KILN_INVALID_ARGUMENT);
        kiln_outputs_destroy(outputs);
        kiln_session_destroy(session);
    }
}

/* One unit of many is edited: the others' objects come from the cache. */
TEST(edit_of_one_unit_compiles_one_unit)
{
    kiln_spec *spec = kiln_spec_create("units");
    char *sum = strdup("");
    for (int i = 0; i < 6; i++) {
        write_file(scratch("unit%d.c", i), text_of("int unit%d(void) { return 1; }\n", i));
        kiln_spec_add_source(spec, scratch("unit%d.c", i), NULL);
        sum = text_of("%s + unit%d()", sum, i);
    }
    write_file(scratch("main.c"), text_of("int unit0(void); int unit1(void); int unit2(void); int "
                                          "unit3(void); int unit4(void); int unit5(void);\n"
                                          "int value(void) { return 0%s; }\n",
                                          sum));
    kiln_spec_add_source(spec, scratch("main.c"), NULL);
    EXPECT_MISS(CACHE, spec, 6);
    write_file(scratch("unit3.c"), "int unit3(void) { return 11; }\n");
    event_log log = {0};
    kiln_session *session = session_create(CACHE, &log);
    kiln_library *library;
    kiln_error *error;
    CHECK_STATUS(kiln_library_load_spec(session, spec, NULL, &library, &error), KILN_OK, &error);
    CHECK_INT(call_int(library, "value"), 16);
    CHECK_INT(log.count[KILN_EVENT_UNIT_FINISHED] - log.unit_hits, 1);
    kiln_library_close(library);
    kiln_session_destroy(session);
}
