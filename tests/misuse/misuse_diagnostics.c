/* misuse_diagnostics.c - sources that do not compile: the structured diagnostics, and their text,
 * which is clang's own.
 *
 * Clang itself is the reference for the rendered text: each source is given to clang-22
 * -fsyntax-only too. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const kiln_diagnostic *only_diagnostic(const kiln_error *error)
{
    CHECK_INT(kiln_error_diagnostic_count(error), 1);
    return kiln_error_diagnostic(error, 0);
}

static kiln_error *compile_fails(kiln_session *session, const char *path, const char *text)
{
    write_file(path, text);
    kiln_error *error = load_file_fails(session, path, KILN_COMPILE);
    CHECK_INT(kiln_error_phase(error), KILN_PHASE_COMPILE);
    return error;
}

TEST(error_has_its_position)
{
    kiln_session *session = session_create(NULL, NULL);
    char *path = scratch("bad.c");
    kiln_error *error =
        compile_fails(session, path, "int f(void)\n{\n    return undeclared_name;\n}\n");
    const kiln_diagnostic *diagnostic = only_diagnostic(error);
    CHECK_INT(diagnostic->severity, KILN_SEVERITY_ERROR);
    CHECK_TEXT(diagnostic->file, path);
    CHECK_INT(diagnostic->line, 3);
    CHECK_INT(diagnostic->column, 12);
    CHECK_TEXT(diagnostic->message, "use of undeclared identifier 'undeclared_name'");
    CHECK(diagnostic->option == NULL);
    CHECK_INT(diagnostic->note_count, 0);
    CHECK_CONTAINS(diagnostic->rendered, "    3 |     return undeclared_name;\n");
    CHECK_INT(diagnostic->rendered[strlen(diagnostic->rendered) - 1], '\n');
    CHECK_CONTAINS(kiln_error_message(error), "bad.c");
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}

TEST(error_has_its_range)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_error *error = compile_fails(session, scratch("range.c"),
                                      "struct s { int a; } v;\nint f(void) { return v + 10; }\n");
    const kiln_diagnostic *diagnostic = only_diagnostic(error);
    CHECK_INT(diagnostic->line, 2);
    CHECK_INT(diagnostic->column, 24); /* the operator */
    CHECK(diagnostic->end_line == 0 || diagnostic->end_line == 2);
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}

TEST(note_and_fixit)
{
    kiln_session *session = session_create(NULL, NULL);
    char *path = scratch("typo.c");
    kiln_error *error =
        compile_fails(session, path, "int counter;\nint f(void)\n{\n    return conter;\n}\n");
    const kiln_diagnostic *diagnostic = only_diagnostic(error);
    CHECK_TEXT(diagnostic->message,
               "use of undeclared identifier 'conter'; did you mean 'counter'?");
    CHECK_INT(diagnostic->fixit_count, 1);
    CHECK_TEXT(diagnostic->fixits[0].file, path);
    CHECK_TEXT(diagnostic->fixits[0].replacement, "counter");
    CHECK_INT(diagnostic->fixits[0].line, 4);
    CHECK_INT(diagnostic->fixits[0].column, 12);
    CHECK_INT(diagnostic->fixits[0].end_line, 4);
    CHECK_INT(diagnostic->fixits[0].end_column, 18);
    CHECK_INT(diagnostic->note_count, 1);
    CHECK_INT(diagnostic->notes[0].severity, KILN_SEVERITY_NOTE);
    CHECK_TEXT(diagnostic->notes[0].message, "'counter' declared here");
    CHECK_INT(diagnostic->notes[0].line, 1);
    CHECK_INT(diagnostic->notes[0].column, 5);
    CHECK_CONTAINS(diagnostic->rendered, "'counter' declared here");
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}

TEST(insertion_fixit_is_an_empty_range)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_error *error =
        compile_fails(session, scratch("semicolon.c"), "int f(void)\n{\n    return 1\n}\n");
    const kiln_diagnostic *diagnostic = only_diagnostic(error);
    CHECK_TEXT(diagnostic->message, "expected ';' after return statement");
    CHECK_INT(diagnostic->fixit_count, 1);
    CHECK_TEXT(diagnostic->fixits[0].replacement, ";");
    CHECK_INT(diagnostic->fixits[0].line, 3);
    CHECK_INT(diagnostic->fixits[0].column, 13);
    CHECK_INT(diagnostic->fixits[0].end_column, 13);
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}

TEST(missing_header_is_fatal)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_error *error =
        compile_fails(session, scratch("header.c"), "#include \"nowhere/no such.h\"\nint f;\n");
    const kiln_diagnostic *diagnostic = only_diagnostic(error);
    CHECK_INT(diagnostic->severity, KILN_SEVERITY_FATAL);
    CHECK_TEXT(diagnostic->message, "'nowhere/no such.h' file not found");
    CHECK_INT(diagnostic->line, 1);
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}

TEST(several_errors_in_order)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_error *error = compile_fails(session, scratch("many.c"),
                                      "int a = x1;\nint b = x2;\n#error \"three\"\nint c = x4;\n");
    CHECK_INT(kiln_error_diagnostic_count(error), 4);
    for (uint32_t i = 0; i < 4; i++)
        CHECK_INT(kiln_error_diagnostic(error, i)->line, i + 1);
    CHECK_CONTAINS(kiln_error_rendered(error), "4 errors generated.");
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}

/* Whether units after a failed one are still compiled is left open; what was found in the first is there, and how many
 * failed. */
TEST(errors_of_several_units)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_spec *spec = kiln_spec_create("units");
    for (int i = 0; i < 3; i++) {
        char *path = scratch("unit%d.c", i);
        write_file(path, text_of("int broken_%d = nowhere_%d;\n", i, i));
        kiln_spec_add_source(spec, path, NULL);
    }
    kiln_error *error = load_spec_fails(session, spec, KILN_COMPILE);
    size_t count = kiln_error_diagnostic_count(error);
    CHECK(count >= 1);
    for (size_t i = 0; i < count; i++)
        CHECK_CONTAINS(kiln_error_rendered(error), text_of("'nowhere_%zu'", i));
    if (count > 1)
        CHECK_CONTAINS(kiln_error_message(error), text_of("%zu more", count - 1));
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}

TEST(warnings_come_as_events)
{
    event_log log = {0};
    kiln_session *session = session_create(NULL, &log);
    char *path = scratch("warns.c");
    write_file(path, "int f(void)\n{\n    int unused;\n    return 1;\n}\n");
    kiln_spec *spec = spec_of_file("warns", path);
    kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){"-Wall", NULL});
    kiln_library *library = load_spec(session, spec);
    CHECK_INT(log.count[KILN_EVENT_DIAGNOSTIC], 1);
    CHECK_CONTAINS(log.diagnostics, "unused variable 'unused' [-Wunused-variable]");
    kiln_library_close(library);
    kiln_session_destroy(session);
}

TEST(memory_source_is_named_as_given)
{
    static const char text[] = "#include \"in/memory.h\"\nint a = nowhere_at_all;\n";
    kiln_session *session = session_create(NULL, NULL);
    kiln_spec *spec = kiln_spec_create("memory");
    kiln_spec_add_memory_source(spec, "dir/unit.c", text, strlen(text), NULL);
    kiln_spec_add_memory_header(spec, "in/memory.h", "int b = not_here;\n", 18);
    kiln_error *error = load_spec_fails(session, spec, KILN_COMPILE);
    CHECK_INT(kiln_error_diagnostic_count(error), 2);
    CHECK_CONTAINS(kiln_error_diagnostic(error, 0)->file, "in/memory.h");
    CHECK_CONTAINS(kiln_error_diagnostic(error, 1)->file, "dir/unit.c");
    CHECK_CONTAINS(kiln_error_diagnostic(error, 0)->rendered, "    1 | int b = not_here;\n");
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}

/* What clang prints for a source, with the same path. */
static char *words_of_clang(const char *path, const char *argument)
{
    char *output;
    int status =
        RUN(&output, "clang-22", "-fsyntax-only", "-fno-color-diagnostics", argument, path);
    if (status == 127)
        skip("there is no clang-22");
    CHECK(status != 0);
    return output;
}

static void compare_with_clang(const char *file, const char *text, const char *argument)
{
    kiln_session *session = session_create(NULL, NULL);
    char *path = scratch("%s", file);
    write_file(path, text);
    kiln_spec *spec = spec_of_file("compared", path);
    kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){argument, NULL});
    kiln_error *error = load_spec_fails(session, spec, KILN_COMPILE);
    char *expected = words_of_clang(path, argument);
    CHECK_CONTAINS(kiln_error_rendered(error), expected); /* with "1 error generated." */

    char *joined = strdup("");
    for (size_t i = 0; i < kiln_error_diagnostic_count(error); i++) {
        char *longer = text_of("%s%s", joined, kiln_error_diagnostic(error, i)->rendered);
        free(joined);
        joined = longer;
    }
    CHECK(strncmp(joined, expected, strlen(joined)) == 0);
    CHECK(strstr(expected + strlen(joined), " generated.\n"));
    free(joined);
    free(expected);
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}

TEST(text_is_clangs_for_c)
{
    compare_with_clang("plain.c",
                       "#define TWICE(x) ((x) + (y))\n"
                       "int f(int a) { return TWICE(a); }\n"
                       "struct s { int a; };\n"
                       "int g(struct s *p) { return p.a; }\n"
                       "void h(const char *s) { f(s, 1); }\n"
                       "int unused(void) { int z; return \"text\"; }\n",
                       "-Wall");
}

TEST(text_is_clangs_for_templates)
{
    compare_with_clang("template.cpp",
                       "#include <vector>\n#include <algorithm>\n"
                       "struct odd {};\n"
                       "void f(std::vector<odd> &v) { std::sort(v.begin(), v.end()); }\n"
                       "template <class T> void g(T t) { t.nothing(); }\n"
                       "void h() { g(1); }\n",
                       "-std=c++20");
}

TEST(text_is_clangs_through_includes)
{
    write_file(scratch("inner.h"), "int inner(void) { return missing_in_header; }\n");
    write_file(scratch("outer.h"), "#include \"inner.h\"\n");
    compare_with_clang("includes.c", "#include \"outer.h\"\n#warning \"a warning too\"\n",
                       "-Wextra");
}

TEST(text_is_clangs_with_odd_bytes)
{
    compare_with_clang(
        "bytes.c",
        "int \xff = 1;\nint \xc3\xa9 = \xe2\x82\xac;\n\tint tab = nowhere; // \xc3\xa9\n", "-Wall");
}

TEST(text_is_clangs_with_werror)
{
    compare_with_clang("werror.c",
                       "#pragma clang diagnostic error \"-Wunused-variable\"\nint f(void) { int "
                       "unused; return 1; }\n",
                       "-Wall");
}

TEST(error_limit_is_clangs)
{
    char *text = strdup("");
    for (int i = 0; i < 30; i++) {
        char *longer = text_of("%sint v%d = nowhere%d;\n", text, i, i);
        free(text);
        text = longer;
    }
    compare_with_clang("limit.c", text, "-Wall");
    free(text);
}

TEST(assembly_errors_have_positions)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_error *error = compile_fails(session, scratch("bad.s"),
                                      "    .text\n    movl %eax\n    nonsense %rax, %rbx\n");
    CHECK(kiln_error_diagnostic_count(error) >= 2);
    CHECK_INT(kiln_error_diagnostic(error, 0)->line, 2);
    CHECK_INT(kiln_error_diagnostic(error, 1)->line, 3);
    CHECK_CONTAINS(kiln_error_diagnostic(error, 1)->message, "nonsense");
    kiln_error_destroy(error);

    error = compile_fails(session, scratch("inline.c"),
                          "void f(void) { __asm__(\"nonsense %rax\"); }\n");
    CHECK_CONTAINS(kiln_error_rendered(error), "nonsense");
    CHECK_INT(kiln_error_diagnostic(error, 0)->line, 1);
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}

TEST(ir_errors_have_positions)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_error *error =
        compile_fails(session, scratch("bad.ll"), "define i32 @f() {\n  ret i64 1\n}\n");
    CHECK_CONTAINS(kiln_error_rendered(error), "bad.ll");
    CHECK_INT(kiln_error_diagnostic(error, 0)->line, 2);
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}
