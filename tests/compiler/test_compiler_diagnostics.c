/* test_compiler_diagnostics.c - messages come as structures and as the text that clang prints. */
#include "compiler_client.h"

#include "kiln.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static job unit;

static Kiln__Wire__CompileReply *compile(const char *source, const char *const *arguments)
{
    job_begin(&zygote, &unit, &(job_options){.directory = test_directory()});
    Kiln__Wire__CompileReply *reply =
        job_compile(&unit, source, "", arguments, KILN__WIRE__OUTPUT_KIND__OBJECT);
    job_end(&unit);
    return reply;
}

static void errors_notes_and_fixits(void **state)
{
    (void)state;
    write_file("inner.h", "int f(int x);\nint broken() { return counte; }\n");
    write_file("errors.c",
               "int counter;\n#include \"inner.h\"\nint g(void)\n{\n    return f(1, 2)\n}\n");
    Kiln__Wire__CompileReply *reply = compile("errors.c", NULL);
    assert_false(reply->ok);
    assert_int_equal(reply->diagnostics->n_diagnostics, 3);
    assert_true(bytes_are(reply->diagnostics->summary, "3 errors generated.\n"));

    const Kiln__Wire__Diagnostic *typo = reply->diagnostics->diagnostics[0];
    assert_int_equal(typo->severity, KILN_SEVERITY_ERROR);
    assert_true(bytes_are(typo->file, "./inner.h"));
    assert_int_equal(typo->line, 2);
    assert_int_equal(typo->column, 23);
    assert_true(bytes_contain(typo->rendered,
                              "In file included from errors.c:2:\n./inner.h:2:23: error: "));
    assert_true(bytes_contain(typo->rendered, "errors.c:1:5: note: 'counter' declared here\n"));
    assert_int_equal(typo->n_notes, 1);
    assert_int_equal(typo->notes[0]->severity, KILN_SEVERITY_NOTE);
    assert_int_equal(typo->n_fixits, 1);
    assert_true(bytes_are(typo->fixits[0]->replacement, "counter"));
    assert_int_equal(typo->fixits[0]->column, 23);
    assert_int_equal(typo->fixits[0]->end_column, 29);

    const Kiln__Wire__Diagnostic *call = reply->diagnostics->diagnostics[1];
    assert_true(bytes_are(
        call->message,
        "too many arguments to function call, expected single argument 'x', have 2 arguments"));
    assert_int_equal(call->end_line, 5);
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
}

/* All rendered texts and the summary are, one after the other, what clang would have printed. */
static void rendered_text_is_clang_s(void **state)
{
    (void)state;
    write_file("deep.h", "static int unused_one(void) { return 1; }\n#define BAD(x) (x +)\n");
    write_file("text.c", "#include \"deep.h\"\nint f(int a) { int b; return BAD(a); }\nint g(char "
                         "*p) { return p; }\n");
    const char *const arguments[] = {"-Wall", "-Wextra", NULL};
    Kiln__Wire__CompileReply *reply = compile("text.c", arguments);
    assert_false(reply->ok);
    char ours[8192] = "", theirs[8192] = "", command[1024];
    for (size_t i = 0; i < reply->diagnostics->n_diagnostics; i++) {
        ProtobufCBinaryData text = reply->diagnostics->diagnostics[i]->rendered;
        strncat(ours, (const char *)text.data, text.len);
    }
    strncat(ours, (const char *)reply->diagnostics->summary.data, reply->diagnostics->summary.len);
    snprintf(command, sizeof command, "cd %s && clang-22 -Wall -Wextra -c text.c -o /dev/null 2>&1",
             test_directory());
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t size = fread(theirs, 1, sizeof theirs - 1, pipe);
    theirs[size] = '\0';
    if (pclose(pipe) == 127 << 8 || size == 0) {
        kiln__wire__compile_reply__free_unpacked(reply, NULL);
        print_message("clang-22 is not installed\n");
        skip();
    }
    assert_string_equal(ours, theirs);
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
}

static void warnings_name_their_option(void **state)
{
    (void)state;
    write_file("warn.c", "int f(void)\n{\n    int unused;\n    return 0;\n}\n");
    const char *const arguments[] = {"-Wall", NULL};
    Kiln__Wire__CompileReply *reply = compile("warn.c", arguments);
    assert_true(reply->ok);
    assert_int_equal(reply->diagnostics->n_diagnostics, 1);
    const Kiln__Wire__Diagnostic *warning = reply->diagnostics->diagnostics[0];
    assert_int_equal(warning->severity, KILN_SEVERITY_WARNING);
    assert_true(bytes_are(warning->option, "-Wunused-variable"));
    assert_true(bytes_are(warning->file, "warn.c"));
    assert_true(bytes_are(reply->diagnostics->summary, "1 warning generated.\n"));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);

    const char *const strict[] = {"-Wall", "-Werror", NULL};
    reply = compile("warn.c", strict);
    assert_false(reply->ok);
    assert_true(has_message(reply->diagnostics, "[-Werror,-Wunused-variable]"));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
}

static void messages_of_driver_and_back_end(void **state)
{
    (void)state;
    write_file("driver.c", "int f(void) { return 0; }\n");
    const char *const unknown[] = {"-fno-such-flag", NULL};
    Kiln__Wire__CompileReply *reply = compile("driver.c", unknown);
    assert_false(reply->ok);
    assert_true(
        has_message(reply->diagnostics, "clang: error: unknown argument: '-fno-such-flag'"));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);

    write_file("back.c", "void f(void)\n{\n    __asm__(\"nosuchinstruction\");\n}\n");
    reply = compile("back.c", NULL);
    assert_false(reply->ok);
    assert_true(
        has_message(reply->diagnostics, "back.c:3:13: error: invalid instruction mnemonic"));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);

    write_file("stack.c", "void g(char *);\nvoid f(void) { char a[9000]; g(a); }\n");
    const char *const frame[] = {"-Wframe-larger-than=100", NULL};
    reply = compile("stack.c", frame);
    assert_true(reply->ok);
    assert_true(has_message(reply->diagnostics, "stack frame size"));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);

    const char *const remarks[] = {"-O2", "-Rpass=inline", NULL};
    write_file("remark.c",
               "static int h(int x) { return x + 1; }\nint f(int x) { return h(x); }\n");
    reply = compile("remark.c", remarks);
    assert_true(reply->ok);
    assert_true(has_message(reply->diagnostics, "remark: 'h' inlined into 'f'"));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);

    const char *const llvm[] = {"-mllvm", "-no-such-option-of-llvm", NULL};
    reply = compile("driver.c", llvm);
    assert_false(reply->ok);
    assert_true(has_message(reply->diagnostics, "no-such-option-of-llvm"));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
}

static void link_arguments_are_no_cause_for_warnings(void **state)
{
    (void)state;
    write_file("quiet.c", "int f(void) { return 0; }\n");
    const char *const arguments[] = {"-Wall",          "-lm",      "-L/nowhere", "-Wl,-z,now",
                                     "-static-libgcc", "-pthread", NULL};
    Kiln__Wire__CompileReply *reply = compile("quiet.c", arguments);
    assert_true(reply->ok);
    assert_int_equal(reply->diagnostics->n_diagnostics, 0);
    assert_int_equal(reply->diagnostics->summary.len, 0);
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
}

static void colour_is_never_used(void **state)
{
    (void)state;
    write_file("colour.c", "int f(void) { return nothing; }\n");
    const char *const arguments[] = {"-fcolor-diagnostics", NULL};
    Kiln__Wire__CompileReply *reply = compile("colour.c", arguments);
    assert_false(reply->ok);
    assert_false(bytes_contain(reply->diagnostics->diagnostics[0]->rendered, "\033"));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_notes_and_fixits),
        cmocka_unit_test(rendered_text_is_clang_s),
        cmocka_unit_test(warnings_name_their_option),
        cmocka_unit_test(messages_of_driver_and_back_end),
        cmocka_unit_test(link_arguments_are_no_cause_for_warnings),
        cmocka_unit_test(colour_is_never_used),
    };
    return cmocka_run_group_tests(tests, start_zygote, stop_zygote);
}
