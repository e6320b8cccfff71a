/* hot_failure.c - an edit that cannot be published changes nothing, and is not forgotten. */
#include "edit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char text[] =
    "static int n; int step(void) { return ++n; } int run(void) { return 1; }";

TEST(errors_between_good_edits)
{
    editing e;
    edit_begin(&e, "c", text);
    CHECK_INT(edit_int(&e, "step"), 1);
    char *words = edit_save_fails(&e, replaced(text, "return 1", "return oops"), KILN_COMPILE);
    CHECK_CONTAINS(words, "use of undeclared identifier 'oops'");
    CHECK_INT(edit_int(&e, "run"), 1);
    CHECK_INT(edit_int(&e, "step"), 2);
    /* It stays edited until it is right. */
    free(edit_reload_fails(&e, KILN_COMPILE));
    edit_replace(&e, text, "return 1", "return 2");
    CHECK_INT(edit_int(&e, "run"), 2);
    CHECK_INT(edit_int(&e, "step"), 3);
    free(edit_save_fails(&e, "int run(void) {", KILN_COMPILE));
    /* Back to what runs: there is nothing to publish. */
    edit_replace(&e, text, "return 1", "return 2");
    CHECK(!kiln_reload_changed(e.report));
    CHECK_INT(edit_int(&e, "step"), 4);
    edit_end(&e);
}

TEST(missing_symbols)
{
    editing e;
    edit_begin(&e, "c", text);
    char *words =
        edit_save_fails(&e, "int nowhere(void); int run(void) { return nowhere(); }", KILN_BIND);
    CHECK_CONTAINS(words, "nowhere");
    CHECK_INT(edit_int(&e, "run"), 1);
    CHECK_INT(kiln_library_generation(e.library), 1);
    edit_replace(&e, text, "return 1", "return 3");
    CHECK_INT(edit_int(&e, "run"), 3);
    edit_end(&e);
}

TEST(a_source_that_is_gone)
{
    editing e;
    edit_begin(&e, "c", text);
    CHECK_INT(unlink(e.path), 0);
    free(edit_reload_fails(&e, KILN_NOT_FOUND));
    CHECK_INT(edit_int(&e, "run"), 1);
    edit_replace(&e, text, "return 1", "return 4");
    CHECK_INT(edit_int(&e, "run"), 4);
    edit_end(&e);
}

TEST(the_compiler_is_stopped_between)
{
    editing e;
    edit_begin(&e, "c", text);
    kiln_session_stop_compiler(e.session);
    edit_replace(&e, text, "return 1", "return 5");
    CHECK_INT(edit_int(&e, "run"), 5);
    edit_end(&e);
}

TEST(not_hot)
{
    kiln_session *session = session_create(scratch("cache"), NULL);
    write_file(scratch("lib.c"), text);
    kiln_library *library = load_file(session, scratch("lib.c"));
    CHECK_INT(kiln_library_generation(library), 0);
    kiln_error *error;
    CHECK_INT(kiln_library_reload(library, NULL, NULL, &error), KILN_INVALID_ARGUMENT);
    CHECK_CONTAINS(kiln_error_message(error), "not loaded hot");
    kiln_error_destroy(error);
    CHECK_INT(kiln_library_roll_back(library, NULL, NULL), KILN_INVALID_ARGUMENT);
    kiln_library_close(library);
    kiln_session_destroy(session);
}

TEST(the_same_contents_with_another_time)
{
    editing e;
    edit_begin(&e, "c", text);
    edit_save(&e, text);
    CHECK(!kiln_reload_changed(e.report));
    CHECK_INT(kiln_library_generation(e.library), 1);
    edit_end(&e);
}
