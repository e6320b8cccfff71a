/* hot_data.c - data keeps address and value over edits of the code around it; what is new is
 * initialised, once; what is constant is refreshed. Each kind of data is edited in several ways. */
#include "edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A library whose `int *place(void)` tells where a variable is, and `int run(void)` adds STEP to it
 * and returns it. */
typedef struct data_kind {
    const char *name, *extension;
    const char *outside; /* the variable, where it stands outside of functions */
    const char *inside;  /* the same, where it stands within one */
} data_kind;

static const data_kind kinds[] = {
    {"global", "c", "int v = 5;", ""},
    {"static of the file", "c", "static int v = 5;", ""},
    {"common", "c", "__attribute__((common)) int v;", ""},
    {"zero", "c", "static int v;", ""},
    {"static of a function", "c", "", "static int v = 5;"},
    {"thread-local", "c", "static _Thread_local int v = 5;", ""},
    {"thread-local of a function", "c", "", "static _Thread_local int v = 5;"},
    {"hidden", "c", "__attribute__((visibility(\"hidden\"))) int v = 5;", ""},
    {"global in C++", "cpp", "int v = 5;", ""},
    {"namespace", "cpp", "namespace n { int v = 5; } using n::v;", ""},
    {"unnamed namespace", "cpp", "namespace { int v = 5; }", ""},
    {"inline variable", "cpp", "inline int v = 5;", ""},
    {"static member", "cpp", "struct s { static int v; }; int s::v = 5; static int &v = s::v;", ""},
    {"static member of a template", "cpp",
     "template <class T> struct s { static T v; }; template <class T> T s<T>::v = 5; static int &v "
     "= s<int>::v;",
     ""},
    {"initialised by code", "cpp", "int five() { return 5; } int v = five();", ""},
    {"static of a function by code", "cpp", "static int five() { return 5; }",
     "static int v = five();"},
    {"thread-local in C++", "cpp", "thread_local int v = 5;", ""},
    {"reference", "cpp", "static int &v = *new int(5);", ""},
    {"static of a method", "cpp", "struct s { static int &get() { static int w = 5; return w; } };",
     "int &v = s::get();"},
    {"static of a template", "cpp", "template <class T> T &get() { static T w = 5; return w; }",
     "int &v = get<int>();"},
    {"static of a lambda", "cpp", "", "int &v = [] () -> int & { static int w = 5; return w; }();"},
};

static char *source_of(const data_kind *kind, const char *step, const char *before)
{
    const char *c = strcmp(kind->extension, "cpp") == 0 ? "extern \"C\" " : "";
    return text_of("%s\n%s\n%sint use(int n, int **p) { %s *p = &v; return v += n; }\n"
                   "%sint run(void) { int *p; return use(%s, &p); }\n"
                   "%sint *place(void) { int *p; use(0, &p); return p; }\n",
                   before, kind->outside, c, kind->inside, c, step, c);
}

static int *place(const editing *e)
{
    return ((int *(*)(void))kiln_library_function(e->library, "place", NULL))();
}

/* What stands before the data in each edit: other data of its kind and name, other code. */
static const char *const befores[] = {
    "", "int earlier(void); int earlier(void) { static int v = 77; return v++; }",
    "static int another = 3; int more(void); int more(void) { return another++; }"};

static void check_kind(const data_kind *kind)
{
    editing e;
    char *text = source_of(kind, "1", "");
    edit_begin(&e, kind->extension, text);
    int first = edit_int(&e, "run");
    int *where = place(&e);
    int total = first;
    for (size_t i = 0; i < sizeof befores / sizeof befores[0]; i++) {
        char step[16];
        int size = 10 + (int)i;
        snprintf(step, sizeof step, "%d", size);
        edit_save(&e, source_of(kind, step, befores[i]));
        if (!kiln_reload_changed(e.report))
            support_fail(__FILE__, __LINE__, "%s: edit %zu changed nothing", kind->name, i);
        int value = edit_int(&e, "run");
        if (place(&e) != where)
            support_fail(__FILE__, __LINE__, "%s: edit %zu moved it", kind->name, i);
        if (value != total + size)
            support_fail(__FILE__, __LINE__, "%s: edit %zu: it is %d, not %d", kind->name, i, value,
                         total + size);
        total = value;
    }
    kiln_reload_destroy(e.report);
    kiln_library_close(e.library);
    kiln_session_destroy(e.session);
}

TEST(every_kind_keeps_place_and_value)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        check_kind(&kinds[i]);
}

TEST(changed_initializer_is_told_and_can_be_reset)
{
    editing e;
    edit_begin(&e, "c", "int v = 5; static int w = 6; int run(void) { return v++ * 100 + w++; }");
    CHECK_INT(edit_int(&e, "run"), 506);
    edit_save(&e, "int v = 50; static int w = 60; int run(void) { return v++ * 100 + w++; }");
    CHECK(edit_noticed(&e, KILN_NOTICE_INITIALIZER_CHANGED, "v"));
    CHECK(edit_noticed(&e, KILN_NOTICE_INITIALIZER_CHANGED, "w"));
    CHECK_INT(edit_int(&e, "run"), 607);
    kiln_error *error;
    CHECK_STATUS(kiln_library_reset_variable(e.library, "v", &error), KILN_OK, &error);
    CHECK_INT(edit_int(&e, "run"), 5008);
    CHECK_STATUS(kiln_library_reset_variable(e.library, "w", &error), KILN_OK, &error);
    CHECK_INT(edit_int(&e, "run"), 5160);
    CHECK_INT(kiln_library_reset_variable(e.library, "nothing", NULL), KILN_NOT_FOUND);
    edit_end(&e);
}

TEST(data_that_was_made_anew_can_be_reset)
{
    editing e;
    kiln_error *error;
    const kiln_reload_options accept = {.size = sizeof accept, .accept_layouts = true};
    edit_begin(&e, "c", "int v = 5; int run(void) { return (int)v++; }");
    write_file(e.path, "long v = 6; int run(void) { return (int)v++; }");
    CHECK_STATUS(kiln_library_reload(e.library, &accept, NULL, &error), KILN_OK, &error);
    CHECK_INT(edit_int(&e, "run"), 6);
    /* There is nothing that it was to be reset to. */
    CHECK_INT(kiln_library_reset_variable(e.library, "v", NULL), KILN_UNSUPPORTED);
    edit_save(&e, "long v = 60; int run(void) { return (int)v++; }");
    CHECK(edit_noticed(&e, KILN_NOTICE_INITIALIZER_CHANGED, "v"));
    CHECK_INT(edit_int(&e, "run"), 7);
    CHECK_STATUS(kiln_library_reset_variable(e.library, "v", &error), KILN_OK, &error);
    CHECK_INT(edit_int(&e, "run"), 60);
    edit_save(&e, "long v = 60; int run(void) { return (int)v++ * 2; }");
    CHECK_STATUS(kiln_library_reset_variable(e.library, "v", &error), KILN_OK, &error);
    CHECK_INT(edit_int(&e, "run"), 120);
    edit_end(&e);
}

/* An initialiser that has run is not compiled again, so that another type of the same size would go
 * without one. */
TEST(another_type_of_what_code_initialises)
{
    editing e;
    kiln_error *error;
    const kiln_reload_options accept = {.size = sizeof accept, .accept_layouts = true};
    static const char text[] = "struct A { int a; float b; A(); };\nA::A() : a(1), b(2) {}\n"
                               "A x;\nextern \"C\" int run() { return x.a * 10 + int(x.b); }\n";
    edit_begin(&e, "cpp", text);
    CHECK_INT(edit_int(&e, "run"), 12);
    char *swapped = replaced(text, "int a; float b;", "float b; int a;");
    write_file(e.path, swapped);
    CHECK_INT(kiln_library_reload(e.library, &accept, NULL, &error), KILN_REFUSED);
    CHECK_CONTAINS(kiln_error_message(error), "give it another name");
    kiln_error_destroy(error);
    CHECK_INT(edit_int(&e, "run"), 12);
    write_file(e.path, replaced(replaced(swapped, "x.", "y."), "A x", "A y"));
    CHECK_STATUS(kiln_library_reload(e.library, &accept, NULL, &error), KILN_OK, &error);
    CHECK_INT(edit_int(&e, "run"), 12);
    edit_end(&e);
}

/* Other names of data stay with what they name. */
TEST(aliases_of_data)
{
    editing e;
    static const char text[] =
        "int a = 1, b = 2;\nextern int other __attribute__((alias(\"a\")));\n"
        "int run(void) { return other * 10 + b; }\n";
    edit_begin(&e, "c", text);
    CHECK_INT(edit_int(&e, "run"), 12);
    edit_replace(&e, text, "* 10", "* 20");
    CHECK_INT(edit_int(&e, "run"), 22);
    CHECK_CONTAINS(
        edit_save_fails(&e, replaced(text, "alias(\"a\")", "alias(\"b\")"), KILN_REFUSED),
        "other name of 'b'");
    CHECK_CONTAINS(edit_save_fails(&e,
                                   replaced(text, "extern int other __attribute__((alias(\"a\")))",
                                            "int other = 7"),
                                   KILN_REFUSED),
                   "other");
    edit_save(&e, text);
    CHECK_INT(edit_int(&e, "run"), 12);
    edit_end(&e);
}

TEST(new_data_is_initialised_once)
{
    editing e;
    edit_begin(&e, "cpp", "extern \"C\" int run(void) { return 0; }");
    static const char text[] =
        "int made; struct counted { int n; counted() : n(7) { made++; } ~counted() {} };\n"
        "static counted one; thread_local counted two; int three[] = {1, 2, 3};\n"
        "extern \"C\" int run(void) { static counted four; int n = one.n + two.n + three[2]++ + "
        "four.n; return made * 1000 + n; }\n";
    edit_save(&e, text);
    CHECK_INT(edit_int(&e, "run"), 3024);
    CHECK_INT(edit_int(&e, "run"), 3025);
    edit_replace(&e, text, "return made", "return 100000 + made");
    CHECK_INT(edit_int(&e, "run"), 103026);
    kiln_reload_destroy(e.report);
    kiln_library_close(e.library); /* this thread owes it the destructor of `two` */
    kiln_session_destroy(e.session);
}

TEST(constants_and_literals_are_refreshed)
{
    editing e;
    static const char text[] =
        "static const int table[] = {1, 2, 3}; const char *const words[] = {\"one\", \"two\"};\n"
        "static const char *kept_word; static const int *kept; const int limit = 4;\n"
        "int remember(void) { kept = table; kept_word = words[1]; return 0; }\n"
        "int run(void) { return kept[0] * 100 + limit; } const char *text(void) { return \"text\"; "
        "}\n"
        "const char *word(void) { return words[0]; }\n";
    edit_begin(&e, "c", text);
    edit_int(&e, "remember");
    CHECK_INT(edit_int(&e, "run"), 104);
    char *edited = replaced(text, "{1, 2, 3}", "{7, 2, 3}");
    edited = replaced(edited, "limit = 4", "limit = 5");
    edited = replaced(edited, "\"text\"", "\"other\"");
    edit_save(&e, replaced(edited, "\"one\"", "\"eins\""));
    /* Who kept the address of a table sees its new values. */
    CHECK_INT(edit_int(&e, "run"), 705);
    const char *(*word)(void) =
        (const char *(*)(void))kiln_library_function(e.library, "word", NULL);
    CHECK_TEXT(word(), "eins");
    const char *(*words)(void) =
        (const char *(*)(void))kiln_library_function(e.library, "text", NULL);
    CHECK_TEXT(words(), "other");
    edit_end(&e);
}

TEST(a_constant_that_grows_gets_a_new_place)
{
    editing e;
    static const char text[] = "static const int table[] = {1, 2, 3};\n"
                               "int run(void) { int sum = 0; for (unsigned i = 0; i < sizeof table "
                               "/ 4; i++) sum += table[i]; return sum; }\n";
    edit_begin(&e, "c", text);
    CHECK_INT(edit_int(&e, "run"), 6);
    edit_replace(&e, text, "{1, 2, 3}", "{1, 2, 3, 4}");
    CHECK_INT(edit_int(&e, "run"), 10);
    CHECK(edit_noticed(&e, KILN_NOTICE_CONSTANT_REPLACED, "table"));
    edit_replace(&e, text, "{1, 2, 3}", "{1, 2, 3, 5}");
    CHECK_INT(edit_int(&e, "run"), 11);
    edit_replace(&e, text, "{1, 2, 3}", "{1}");
    CHECK_INT(edit_int(&e, "run"), 1);
    edit_end(&e);
}

TEST(statics_of_one_name_are_told_apart)
{
    editing e;
    static const char text[] = "int run(void) { int sum = 0; { static int n = 1; sum += n++; } { "
                               "static int n = 20; sum += n++ * 100; } return sum; }";
    edit_begin(&e, "c", text);
    CHECK_INT(edit_int(&e, "run"), 2001);
    /* One is put before them. */
    edit_replace(&e, text, "int sum = 0;",
                 "int sum = 0; { static int n = 300; sum += n++ * 10000; }");
    CHECK_INT(edit_int(&e, "run"), 3000000 + 2102);
    /* And one goes. */
    edit_save(&e, "int run(void) { int sum = 0; { static int n = 300; sum += n++ * 10000; } { "
                  "static int n = 20; sum += n++ * 100; } return sum; }");
    CHECK_INT(edit_int(&e, "run"), 3010000 + 2200);
    /* It comes back, as it was left. */
    edit_replace(&e, text, "int sum = 0;",
                 "int sum = 0; { static int n = 300; sum += n++ * 10000; }");
    CHECK_INT(edit_int(&e, "run"), 3020000 + 2303);
    edit_end(&e);
}

TEST(statics_that_cannot_be_told_apart_are_refused)
{
    editing e;
    static const char text[] =
        "int run(void) { { static int n; n++; } { static int n; return ++n; } }";
    edit_begin(&e, "c", text);
    CHECK_INT(edit_int(&e, "run"), 1);
    char *words = edit_save_fails(
        &e, replaced(text, "int run(void) {", "int run(void) { { static int n; n += 5; }"),
        KILN_REFUSED);
    CHECK_CONTAINS(words, "static variables of that name");
    CHECK_INT(edit_int(&e, "run"), 2);
    edit_replace(&e, text, "return ++n", "return ++n + 100");
    CHECK_INT(edit_int(&e, "run"), 103);
    edit_end(&e);
}

TEST(another_type_is_refused)
{
    editing e;
    edit_begin(&e, "c", "static int v = 5; int run(void) { return v++; }");
    CHECK_INT(edit_int(&e, "run"), 5);
    char *words = edit_save_fails(&e, "static double v = 5; int run(void) { return (int)v++; }",
                                  KILN_REFUSED);
    CHECK_CONTAINS(words, "v: its type has changed");
    CHECK_INT(edit_int(&e, "run"), 6);
    kiln_reload_options accept = {.size = sizeof accept, .accept_layouts = true};
    kiln_error *error;
    CHECK_STATUS(kiln_library_reload(e.library, &accept, NULL, &error), KILN_OK, &error);
    CHECK_INT(edit_int(&e, "run"), 5);
    CHECK_INT(edit_int(&e, "run"), 6);
    edit_save(&e, "static double v = 5; int run(void) { return 100 + (int)v++; }");
    CHECK_INT(edit_int(&e, "run"), 107);
    edit_end(&e);
}

/* It was initialised by a constant, and is initialised by code since. */
TEST(a_static_variable_whose_initialiser_becomes_code)
{
    editing e;
    static const char text[] =
        "static int five() { return 5; }\n"
        "namespace { int inner() { static int n = 5; return n++; } }\n"
        "static int outer() { static int m = 50; return m++; }\n"
        "extern \"C\" int run() { return inner() + 10 * outer() + 0 * five(); }\n";
    edit_begin(&e, "cpp", text);
    CHECK_INT(edit_int(&e, "run"), 505);
    edit_save(&e, replaced(replaced(text, "n = 5;", "n = five();"), "m = 50", "m = 10 * five()"));
    CHECK_INT(edit_int(&e, "run"), 516);
    CHECK_INT(edit_int(&e, "run"), 527);
    edit_end(&e);
}

TEST(changed_layouts_are_refused_by_name)
{
    editing e;
    static const char text[] =
        "struct point { int x, y; }; struct list { struct list *next; struct point p[2]; };\n"
        "struct lonely { int a; }; static struct list *head; void *any;\n"
        "int run(void) { struct lonely l = {1}; return l.a + (head != 0); }\n";
    edit_begin(&e, "c", text);
    CHECK_INT(edit_int(&e, "run"), 1);
    char *words = edit_save_fails(&e, replaced(text, "int x, y;", "int x, y, z;"), KILN_REFUSED);
    CHECK_CONTAINS(words, "struct point: member 'z' is new, at offset 8");
    CHECK_CONTAINS(words, "'head'");
    words = edit_save_fails(&e, replaced(text, "int x, y;", "int y, x;"), KILN_REFUSED);
    CHECK_CONTAINS(words, "struct point");
    words = edit_save_fails(&e, replaced(text, "int x, y;", "float x; int y;"), KILN_REFUSED);
    CHECK_CONTAINS(words, "member 'x' was of type 'int', and is of type 'float'");
    /* What no variable reaches is told, and taken. */
    edit_replace(&e, text, "struct lonely { int a; }", "struct lonely { long a; }");
    CHECK(edit_noticed(&e, KILN_NOTICE_LAYOUT_UNSEEN, "struct lonely"));
    /* Another name is no other layout. */
    edit_replace(&e, text, "int x, y;", "int column, y;");
    CHECK(!edit_noticed(&e, KILN_NOTICE_LAYOUT_CHANGED, "struct point"));
    edit_end(&e);
}

TEST(a_virtual_function_between_others_is_refused)
{
    editing e;
    static const char text[] =
        "struct shape { virtual ~shape() {} virtual int area() { return 1; } };\n"
        "static shape *s = new shape; extern \"C\" int run(void) { return s->area(); }\n";
    edit_begin(&e, "cpp", text);
    CHECK_INT(edit_int(&e, "run"), 1);
    char *words = edit_save_fails(
        &e, replaced(text, "virtual int area", "virtual int size() { return 3; } virtual int area"),
        KILN_REFUSED);
    CHECK_CONTAINS(words, "virtual function");
    CHECK_CONTAINS(words, "'s'");
    edit_replace(&e, text, "return 1", "return 2");
    CHECK_INT(edit_int(&e, "run"), 2);
    edit_end(&e);
}

/* Where the host accepts that: with its guard, and by its new constructor. */
TEST(what_is_made_anew_is_constructed)
{
    editing e;
    static const char text[] =
        "struct thing { int a; thing(int x) : a(x) {} int sum() const { return a; } };\n"
        "static thing global(5); int seven(); int seven() { return 7; } static int made = "
        "seven();\n"
        "extern \"C\" int run() { static thing local(seven()); static int kept = seven();\n"
        "  return ++kept + 10 * made + 1000 * global.sum() + 100000 * local.sum(); }\n";
    edit_begin(&e, "cpp", text);
    CHECK_INT(edit_int(&e, "run"), 8 + 70 + 5000 + 700000);
    char *edited = replaced(replaced(text, "int a;", "int a, b;"), ": a(x)", ": a(x), b(x)");
    edited =
        replaced(replaced(edited, "return a;", "return a + b;"), "static int made", "long made");
    free(edit_save_fails(&e, edited, KILN_REFUSED));
    const kiln_reload_options accept = {.size = sizeof accept, .accept_layouts = true};
    kiln_error *error;
    CHECK_STATUS(kiln_library_reload(e.library, &accept, NULL, &error), KILN_OK, &error);
    CHECK_INT(edit_int(&e, "run"), 9 + 70 + 10000 + 1400000);
    /* Once. */
    edit_replace(&e, edited, "++kept", "kept++");
    CHECK_INT(edit_int(&e, "run"), 9 + 70 + 10000 + 1400000);
    edit_end(&e);
}
