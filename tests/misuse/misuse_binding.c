/* misuse_binding.c - names that are missing, or that two libraries define: what is said of them, and that nothing is half loaded. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kiln_spec *memory_spec(const char *name, const char *file, const char *text)
{
    kiln_spec *spec = kiln_spec_create(name);
    kiln_spec_add_memory_source(spec, file, text, strlen(text), NULL);
    return spec;
}

static void register_spec(kiln_session *session, kiln_spec *spec)
{
    kiln_error *error;
    CHECK_STATUS(kiln_session_register(session, spec, &error), KILN_OK, &error);
    kiln_spec_destroy(spec);
}

static const kiln_missing_symbol *missing(const kiln_error *error, const char *name)
{
    for (size_t i = 0; i < kiln_error_missing_symbol_count(error); i++) {
        if (strcmp(kiln_error_missing_symbol(error, i)->name, name) == 0)
            return kiln_error_missing_symbol(error, i);
    }
    support_fail(__FILE__, __LINE__, "'%s' is not listed: %s", name, kiln_error_rendered(error));
}

TEST(all_missing_symbols_are_listed)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_spec *spec = memory_spec("lacking", "lacking.cpp",
                                  "extern \"C\" { int absent_c(void); extern int absent_data; "
                                  "extern thread_local int absent_tls; }\n"
                                  "namespace ns { int absent_cxx(int); }\n"
                                  "__attribute__((weak)) int optional();\n"
                                  "extern \"C\" int value() { return absent_c() + absent_data + "
                                  "absent_tls + ns::absent_cxx(1) + "
                                  "(optional ? optional() : 0); }\n");
    kiln_error *error = load_spec_fails(session, spec, KILN_BIND);
    CHECK_INT(kiln_error_phase(error), KILN_PHASE_BIND);
    CHECK_INT(kiln_error_missing_symbol_count(error), 4);
    CHECK_TEXT(missing(error, "absent_c")->needed_by, "lacking");
    missing(error, "absent_data");
    missing(error, "absent_tls");
    CHECK_TEXT(missing(error, "_ZN2ns10absent_cxxEi")->demangled, "ns::absent_cxx(int)");
    CHECK_CONTAINS(kiln_error_message(error), "absent_c");
    CHECK_CONTAINS(kiln_error_message(error), "ns::absent_cxx(int)");
    kiln_error_destroy(error);
    CHECK(!kiln_session_is_loaded(session, "lacking"));
    kiln_session_destroy(session);
}

TEST(missing_in_a_dependency)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_spec *top = memory_spec("top", "top.c",
                                 "int base(void); int also_absent(void); int value(void) { return "
                                 "base() + also_absent(); }\n");
    kiln_spec_add_dependency(top, "base");
    register_spec(session, top);
    register_spec(session, memory_spec("base", "base.c",
                                       "int absent(void); int base(void) { return absent(); }\n"));
    kiln_library *library;
    kiln_error *error;
    CHECK_STATUS(kiln_library_load(session, "top", NULL, &library, &error), KILN_BIND, &error);
    CHECK_TEXT(missing(error, "absent")->needed_by, "base");
    kiln_error_destroy(error);
    CHECK(!kiln_session_is_loaded(session, "top"));
    CHECK(!kiln_session_is_loaded(session, "base"));
    kiln_session_destroy(session);
}

/* The error names the installed library that has it. */
TEST(provider_of_a_missing_symbol)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_error *error = load_spec_fails(
        session,
        memory_spec("z", "z.c",
                    "int zlibVersion(void); int value(void) { return zlibVersion(); }\n"),
        KILN_BIND);
    const kiln_missing_symbol *symbol = missing(error, "zlibVersion");
    if (!symbol->provider &&
        RUN(NULL, "sh", "-c", "ls /lib/*/libz.so.1 /usr/lib/*/libz.so.1 >/dev/null 2>&1") != 0)
        skip("libz.so.1 is not installed");
    CHECK_CONTAINS(symbol->provider, "libz.so");
    CHECK_CONTAINS(kiln_error_message(error), "libz.so");
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}

TEST(missing_on_a_warm_load_too)
{
    /* Compiled and linked once; whether it binds is decided at each load. */
    static const char text[] = "int lent(void); int value(void) { return lent(); }\n";
    kiln_session *session = session_create(scratch("cache"), NULL);
    for (int i = 0; i < 3; i++) {
        kiln_error *error =
            load_spec_fails(session, memory_spec("lacking", "lacking.c", text), KILN_BIND);
        missing(error, "lent");
        kiln_error_destroy(error);
    }
    kiln_session_destroy(session);
}

TEST(shared_library_that_lacks_another)
{
    write_file(scratch("inner.c"), "int inner(void) { return 1; }\n");
    write_file(scratch("outer.c"), "int inner(void); int outer(void) { return inner(); }\n");
    clang("-shared", "-fPIC", "-Wl,-soname,libinner-of-test.so", "-o",
          scratch("libinner-of-test.so"), scratch("inner.c"), NULL);
    clang("-shared", "-fPIC", "-o", scratch("libouter.so"), scratch("outer.c"),
          scratch("libinner-of-test.so"), NULL);
    CHECK_INT(remove(scratch("libinner-of-test.so")), 0);
    kiln_session *session = session_create(NULL, NULL);
    kiln_spec *spec =
        memory_spec("user", "user.c", "int outer(void); int value(void) { return outer(); }\n");
    kiln_spec_add_source(spec, scratch("libouter.so"), NULL);
    kiln_library *library;
    kiln_error *error;
    kiln_status status = kiln_library_load_spec(session, spec, NULL, &library, &error);
    CHECK(status == KILN_BIND || status == KILN_LINK);
    CHECK_CONTAINS(kiln_error_rendered(error), "libinner-of-test.so");
    kiln_error_destroy(error);
    kiln_spec_destroy(spec);
    kiln_session_destroy(session);
}

/* ---- names that two define ---- */

TEST(two_libraries_define_a_name_that_a_third_meant)
{
    event_log log = {0};
    kiln_session *session = session_create(NULL, &log);
    kiln_library *first = load_spec(
        session, memory_spec("first", "first.c",
                             "int registry; int *first_registry(void) { return &registry; }\n"));
    kiln_library *second = load_spec(
        session, memory_spec("second", "second.c",
                             "int registry; int *second_registry(void) { return &registry; }\n"));
    CHECK(log.count[KILN_EVENT_WARNING] >= 1);
    CHECK_CONTAINS(log.warnings, "registry");
    CHECK_CONTAINS(log.warnings, "first");
    CHECK_CONTAINS(log.warnings, "second");
    kiln_library_close(first);
    kiln_library_close(second);
    kiln_session_destroy(session);
}

TEST(no_warning_without_a_clash)
{
    event_log log = {0};
    kiln_session *session = session_create(NULL, &log);
    kiln_spec *user = memory_spec("user", "user.cpp",
                                  "#include <string>\nint base(); inline int shared = 1;\nextern "
                                  "\"C\" int value() { return base() + shared; }\n");
    register_spec(session, memory_spec("base", "base.cpp",
                                       "#include <string>\ninline int shared = 1; static int own; "
                                       "int base() { return shared + own; }\n"));
    kiln_spec_add_dependency(user, "base");
    kiln_library *library = load_spec(session, user);
    CHECK_TEXT(log.warnings, "");
    kiln_library_close(library);
    kiln_session_destroy(session);
}

/* ---- one library, two sessions ---- */

static int lent_by_first(void)
{
    return 1;
}

static int lent_by_second(void)
{
    return 2;
}

static kiln_library *load_lent(kiln_session *session, int (*function)(void))
{
    kiln_spec *spec = memory_spec(
        "same", "same.c",
        "int lent(void);\nstatic int count;\nint value(void) { return lent() * 10 + ++count; }\n");
    kiln_spec_add_host_symbol(spec, "lent", (void *)function);
    return load_spec(session, spec);
}

/* Host symbols are the session's: the same image in two sessions calls two functions, and has two states. */
static void two_sessions(const char *cache)
{
    kiln_session *one = session_create(cache, NULL), *two = session_create(cache, NULL);
    kiln_library *first = load_lent(one, lent_by_first), *second = load_lent(two, lent_by_second);
    CHECK_INT(call_int(first, "value"), 11);
    CHECK_INT(call_int(second, "value"), 21);
    CHECK_INT(call_int(first, "value"), 12);
    CHECK_STATUS(kiln_library_close(first), KILN_OK, NULL);
    CHECK_INT(call_int(second, "value"), 22);
    CHECK_STATUS(kiln_library_close(second), KILN_OK, NULL);
    kiln_session_destroy(one);
    kiln_session_destroy(two);
}

/* With a cache, too: each set of addresses in use has an image of its own, from the same objects,
 * which the cache keeps. */
TEST(two_sessions_lend_different_functions)
{
    two_sessions(scratch("cache"));
    kiln_session *one = session_create(scratch("cache"), NULL),
                 *two = session_create(scratch("cache"), NULL);
    kiln_library *first = load_lent(one, lent_by_second), *second = load_lent(two, lent_by_first);
    CHECK(was_hit(first) && was_hit(second));
    CHECK_INT(call_int(first, "value"), 21);
    CHECK_INT(call_int(second, "value"), 11);
    kiln_session_destroy(one);
    kiln_session_destroy(two);
}

TEST(dependents_use_the_library_of_their_session)
{
    kiln_library *users[2];
    kiln_session *sessions[2];
    for (int i = 0; i < 2; i++) {
        kiln_spec *lent =
            memory_spec("lent", "lent.c", "int lent(void);\nint called(void) { return lent(); }\n");
        kiln_spec *user = memory_spec("user", "user.c",
                                      "int called(void);\nint value(void) { return called(); }\n");
        kiln_spec_add_host_symbol(lent, "lent", (void *)(i ? lent_by_second : lent_by_first));
        kiln_spec_add_dependency(user, "lent");
        sessions[i] = session_create(scratch("cache"), NULL);
        register_spec(sessions[i], lent);
        users[i] = load_spec(sessions[i], user);
    }
    CHECK_INT(call_int(users[0], "value"), 1);
    CHECK_INT(call_int(users[1], "value"), 2);
    kiln_session_destroy(sessions[0]);
    CHECK_INT(call_int(users[1], "value"), 2);
    kiln_session_destroy(sessions[1]);
}

TEST(two_sessions_lend_different_functions_without_a_cache)
{
    two_sessions(NULL);
}

TEST(registered_anew_with_other_symbols)
{
    kiln_session *session = session_create(scratch("cache"), NULL);
    kiln_library *library = load_lent(session, lent_by_first);
    CHECK_INT(call_int(library, "value"), 11);
    kiln_library_close(library);
    library = load_lent(session, lent_by_second);
    CHECK_INT(call_int(library, "value"), 21);
    kiln_library_close(library);
    kiln_session_destroy(session);
}
