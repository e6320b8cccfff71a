/* test_compiler_inputs.c - what a compile read, looked for and did not find is recorded,
 * whatever way it took. */
#include "compiler_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static job unit;

/* Compile a source in the test's directory; it must succeed. */
static Kiln__Wire__CompileReply *compile(const char *source, const char *const *arguments)
{
    job_begin(&zygote, &unit, &(job_options){.directory = test_directory()});
    Kiln__Wire__CompileReply *reply =
        job_compile(&unit, source, "", arguments, KILN__WIRE__OUTPUT_KIND__OBJECT);
    if (!reply->ok)
        has_message(reply->diagnostics, "(nothing)");
    assert_true(reply->ok);
    job_end(&unit);
    return reply;
}

static const Kiln__Wire__Input *input_of(const Kiln__Wire__CompileReply *reply, const char *name,
                                         Kiln__Wire__Input__Kind kind)
{
    return find_input(reply->inputs, reply->n_inputs, in_directory(name), kind);
}

static void is_digest_of(const Kiln__Wire__Input *input, const char *text)
{
    unsigned char digest[32];
    assert_non_null(input);
    crypto_generichash(digest, sizeof digest, (const unsigned char *)text, strlen(text), NULL, 0);
    assert_int_equal(input->digest.len, sizeof digest);
    assert_memory_equal(input->digest.data, digest, sizeof digest);
}

static void files_carry_identity_and_digest(void **state)
{
    (void)state;
    const char *header = "#define ANSWER 1\n",
               *text = "#!kiln\n#include \"answer.h\"\nint a = ANSWER;\n";
    struct stat status;
    write_file("answer.h", header);
    write_file("files.c", text);
    Kiln__Wire__CompileReply *reply = compile("files.c", NULL);
    /* The digest is of the file's own bytes, though Clang saw the first line blanked. */
    is_digest_of(input_of(reply, "files.c", KILN__WIRE__INPUT__KIND__FILE), text);
    const Kiln__Wire__Input *input = input_of(reply, "answer.h", KILN__WIRE__INPUT__KIND__FILE);
    is_digest_of(input, header);
    assert_int_equal(stat(in_directory("answer.h"), &status), 0);
    assert_int_equal(input->identity->inode, status.st_ino);
    assert_int_equal(input->identity->size, status.st_size);
    assert_int_equal(input->identity->mtime_ns,
                     status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec);
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
}

static void failed_lookups_are_absences(void **state)
{
    (void)state;
    mkdir(in_directory("first"), 0700);
    mkdir(in_directory("second"), 0700);
    write_file("second/late.h", "int late;\n");
    write_file("absent.c", "#include <late.h>\n#if __has_include(<never.h>)\n#error\n#endif\n");
    const char *const arguments[] = {"-Ifirst", "-Ithird", "-Isecond", NULL};
    Kiln__Wire__CompileReply *reply = compile("absent.c", arguments);
    assert_non_null(input_of(reply, "first/late.h", KILN__WIRE__INPUT__KIND__ABSENT));
    assert_non_null(input_of(reply, "first/never.h", KILN__WIRE__INPUT__KIND__ABSENT));
    assert_non_null(input_of(reply, "second/never.h", KILN__WIRE__INPUT__KIND__ABSENT));
    assert_non_null(input_of(reply, "second/late.h", KILN__WIRE__INPUT__KIND__FILE));
    /* An absent directory says all about what is below it. */
    assert_non_null(input_of(reply, "third", KILN__WIRE__INPUT__KIND__ABSENT));
    assert_null(input_of(reply, "third/late.h", KILN__WIRE__INPUT__KIND__ABSENT));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
}

static void the_driver_s_probes_are_inputs(void **state)
{
    (void)state;
    write_file("probe.c", "int x;\n");
    Kiln__Wire__CompileReply *reply = compile("probe.c", NULL);
    size_t absences = 0, listed = 0;
    for (size_t i = 0; i < reply->n_inputs; i++) {
        absences += reply->inputs[i]->kind == KILN__WIRE__INPUT__KIND__ABSENT;
        listed += reply->inputs[i]->kind == KILN__WIRE__INPUT__KIND__DIRECTORY;
        assert_int_equal(reply->inputs[i]->path.data[0], '/');
    }
    assert_true(absences > 5); /* where a GCC might have been installed */
    assert_true(listed > 0);   /* where it was */
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
}

static void embedded_files_are_inputs(void **state)
{
    (void)state;
    write_file("embedded.txt", "42");
    write_file("embed.c", "const unsigned char text[] = {\n#embed \"embedded.txt\"\n};\n");
    const char *const arguments[] = {"-std=c23", NULL};
    Kiln__Wire__CompileReply *reply = compile("embed.c", arguments);
    is_digest_of(input_of(reply, "embedded.txt", KILN__WIRE__INPUT__KIND__FILE), "42");
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
}

static void lists_that_options_name_are_inputs(void **state)
{
    (void)state;
    write_file("ignore.txt", "[address]\nfun:f\n");
    write_file("listed.c", "int f(int *p) { return *p; }\n");
    const char *const arguments[] = {"-fsanitize=address", "-fsanitize-ignorelist=ignore.txt",
                                     NULL};
    Kiln__Wire__CompileReply *reply = compile("listed.c", arguments);
    assert_non_null(input_of(reply, "ignore.txt", KILN__WIRE__INPUT__KIND__FILE));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
}

static const Kiln__Wire__Input *clock_input(const Kiln__Wire__CompileReply *reply)
{
    for (size_t i = 0; i < reply->n_inputs; i++) {
        if (reply->inputs[i]->kind == KILN__WIRE__INPUT__KIND__CLOCK)
            return reply->inputs[i];
    }
    return NULL;
}

static void the_clock_is_an_input_where_it_is_used(void **state)
{
    (void)state;
    const int64_t second = 1000000000;
    write_file("none.c", "int __LINE__name;\n");
    Kiln__Wire__CompileReply *reply = compile("none.c", NULL);
    assert_null(clock_input(reply));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);

    write_file("date.c", "const char *d = __DATE__;\n");
    reply = compile("date.c", NULL);
    const Kiln__Wire__Input *input = clock_input(reply);
    assert_non_null(input);
    int64_t now = (int64_t)time(NULL) * second;
    assert_true(input->identity->ctime_ns <= now && now < input->identity->mtime_ns + second);
    int64_t hours = (input->identity->mtime_ns - input->identity->ctime_ns) / second / 3600;
    assert_in_range(hours, 23, 25);
    kiln__wire__compile_reply__free_unpacked(reply, NULL);

    write_file("time.c", "const char *t = __TIME__;\n");
    reply = compile("time.c", NULL);
    input = clock_input(reply);
    assert_non_null(input);
    assert_int_equal(input->identity->mtime_ns - input->identity->ctime_ns, second);
    kiln__wire__compile_reply__free_unpacked(reply, NULL);

    write_file("stamp.h", "static const char *s = __TIMESTAMP__;\n");
    write_file("stamp.c", "#include \"stamp.h\"\nconst char *f(void) { return s; }\n");
    reply = compile("stamp.c", NULL);
    assert_null(clock_input(reply));
    input = input_of(reply, "stamp.h", KILN__WIRE__INPUT__KIND__TIMESTAMP);
    assert_non_null(input);
    struct stat status;
    assert_int_equal(stat(in_directory("stamp.h"), &status), 0);
    assert_int_equal(input->identity->mtime_ns,
                     status.st_mtim.tv_sec * second + status.st_mtim.tv_nsec);
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
}

/* A table of digests is shared by the jobs of a compiler: it must never answer for bytes that
 * have changed. */
static void an_edited_file_gets_a_new_digest(void **state)
{
    (void)state;
    const struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
    write_file("edited.c", "int a;\n");
    assert_int_equal(utimensat(AT_FDCWD, in_directory("edited.c"), old, 0), 0);
    Kiln__Wire__CompileReply *reply = compile("edited.c", NULL);
    is_digest_of(input_of(reply, "edited.c", KILN__WIRE__INPUT__KIND__FILE), "int a;\n");
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
    write_file("edited.c", "int b;\n");
    assert_int_equal(utimensat(AT_FDCWD, in_directory("edited.c"), old, 0), 0);
    reply = compile("edited.c", NULL);
    is_digest_of(input_of(reply, "edited.c", KILN__WIRE__INPUT__KIND__FILE), "int b;\n");
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
}

static void paths_need_not_be_text(void **state)
{
    (void)state;
    const char *name = "a b\xff\xfe'\".c";
    write_file(name, "int x = sizeof(__FILE__);\n");
    Kiln__Wire__CompileReply *reply = compile(name, NULL);
    assert_non_null(input_of(reply, name, KILN__WIRE__INPUT__KIND__FILE));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_carry_identity_and_digest),
        cmocka_unit_test(failed_lookups_are_absences),
        cmocka_unit_test(the_driver_s_probes_are_inputs),
        cmocka_unit_test(embedded_files_are_inputs),
        cmocka_unit_test(lists_that_options_name_are_inputs),
        cmocka_unit_test(the_clock_is_an_input_where_it_is_used),
        cmocka_unit_test(an_edited_file_gets_a_new_digest),
        cmocka_unit_test(paths_need_not_be_text),
    };
    return cmocka_run_group_tests(tests, start_zygote, stop_zygote);
}
