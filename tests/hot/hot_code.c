/* hot_code.c - every way to code reaches the newest one: calls, pointers that were stored, tables of
 * virtual functions, templates, lambdas, exceptions; addresses stay equal; calls in flight end where they began. */
#include "edit.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A program with one number in it that is edited from 1 to 2 and to 3: `int run(void)` tells it. */
typedef struct way {
    const char *name, *extension, *text; /* @ is the number */
} way;

static const way ways[] = {
    {"function", "c", "int f(void) { return @; } int run(void) { return f(); }"},
    {"static function", "c", "static int f(void) { return @; } int run(void) { return f(); }"},
    {"static inline function", "c",
     "static inline int f(void) { return @; } int run(void) { return f(); }"},
    {"always inlined", "c",
     "static inline __attribute__((always_inline)) int f(void) { return @; } int run(void) { "
     "return f(); }"},
    {"pointer that is kept", "c",
     "static int f(void) { return @; } static int (*kept)(void);\n"
     "int run(void) { if (!kept) kept = f; return kept(); }"},
    {"table of pointers", "c",
     "static int f(void) { return @; } static int (*const table[])(void) = {f};\n"
     "static int (*const *kept)(void); int run(void) { if (!kept) kept = table; return kept[0](); "
     "}"},
    {"recursion", "c",
     "static int f(int n) { return n ? f(n - 1) : @; } int run(void) { return f(10); }"},
    {"variable arguments", "c",
     "#include <stdarg.h>\nstatic int f(int n, ...) { va_list l; va_start(l, n); int v = va_arg(l, "
     "int); va_end(l); return v * @; }\n"
     "int run(void) { return f(1, 1); }"},
    {"computed goto", "c",
     "int run(void) { static void *labels[] = {&&a, &&b}; int i = @; goto *labels[i > 1]; a: "
     "return i; b: return i; }"},
    {"switch", "c",
     "int f(int n) { switch (n) { case 0: return 9; case 1: return @; case 2: return 8; case 3: "
     "return 7; default: return 6; } } int run(void) { return f(1); }"},
    {"macro", "c", "#define N @\nint run(void) { return N; }"},
    {"enumerator", "c", "enum { n = @ }; int run(void) { return n; }"},
    {"literal", "c", "#include <string.h>\nint run(void) { return (int)strlen(\"123\" + 3 - @); }"},
    {"hidden function", "c",
     "__attribute__((visibility(\"hidden\"))) int f(void) { return @; } int run(void) { return "
     "f(); }"},
    {"alias", "c",
     "int f(void) { return @; } int g(void) __attribute__((alias(\"f\"))); int run(void) { return "
     "g(); }"},
    {"weak function", "c",
     "__attribute__((weak)) int f(void) { return @; } int run(void) { return f(); }"},
    {"at -Os", "c",
     "__attribute__((minsize, optsize)) static int f(void) { return @; } int run(void) { return "
     "f(); }"},
    {"large structure", "c",
     "struct big { int n[64]; }; static struct big f(void) { struct big b = {{@}}; return b; } int "
     "run(void) { return f().n[0]; }"},
    {"inline function", "cpp",
     "inline int f() { return @; } extern \"C\" int run() { return f(); }"},
    {"virtual function", "cpp",
     "struct b { virtual ~b() {} virtual int f() = 0; }; struct d : b { int f() override { return "
     "@; } };\n"
     "static b *kept = new d; extern \"C\" int run() { return kept->f(); }"},
    {"virtual function of a kept base", "cpp",
     "struct b { virtual ~b() {} virtual int f() { return @; } }; struct d : b {};\n"
     "static b *kept = new d; extern \"C\" int run() { return kept->f(); }"},
    {"second base", "cpp",
     "struct a { virtual int g() { return 0; } }; struct b { virtual int f() { return 0; } };\n"
     "struct d : a, b { int f() override { return @; } }; static d object; static b *kept = "
     "&object;\n"
     "extern \"C\" int run() { return kept->f(); }"},
    {"template", "cpp",
     "template <class T> T f(T x) { return x * @; } extern \"C\" int run() { return f(1); }"},
    {"member template", "cpp",
     "struct s { template <class T> T f(T x) { return x * @; } }; extern \"C\" int run() { return "
     "s().f(1); }"},
    {"template class", "cpp",
     "template <class T> struct s { T f() { return @; } }; extern \"C\" int run() { return "
     "s<int>().f(); }"},
    {"lambda", "cpp",
     "extern \"C\" int run() { auto f = [](int x) { return x * @; }; return f(1); }"},
    {"kept lambda", "cpp",
     "#include <functional>\nstatic std::function<int()> kept; extern \"C\" int run() { int one = "
     "1; if (!kept) kept = [one] { return one * @; }; return kept(); }"},
    {"kept lambda after another", "cpp",
     "#include <functional>\nstatic std::function<int()> kept;\nextern \"C\" int run() {\n"
     "#if @ > 1\nauto other = [](int x) { return x + @; }; other(1);\n#endif\n"
     "int one = 1; if (!kept) kept = [one] { return one * @; }; return kept(); }"},
    {"lambda as initialiser", "cpp",
     "static int (*kept)() = [] { return @; }; extern \"C\" int run() { return kept(); }"},
    {"pointer to member", "cpp",
     "struct s { int f() { return @; } }; static int (s::*kept)(); extern \"C\" int run() { if "
     "(!kept) kept = &s::f; s o; return (o.*kept)(); }"},
    {"virtual pointer to member", "cpp",
     "struct s { virtual int f() { return @; } }; static int (s::*kept)() = &s::f; static s *o = "
     "new s; extern \"C\" int run() { return (o->*kept)(); }"},
    {"exception through it", "cpp",
     "static void f() { throw @; } static void g() { struct x { ~x() {} } y; f(); }\n"
     "extern \"C\" int run() { try { g(); } catch (int n) { return n; } return 0; }"},
    {"constexpr", "cpp",
     "constexpr int f() { return @; } static_assert(f() > 0); extern \"C\" int run() { return f(); "
     "}"},
    {"deduced type", "cpp", "auto f() { return @; } extern \"C\" int run() { return f(); }"},
    {"static member function", "cpp",
     "struct s { static int f() { return @; } }; extern \"C\" int run() { return s::f(); }"},
    {"unnamed namespace", "cpp",
     "namespace { int f() { return @; } } extern \"C\" int run() { return f(); }"},
    {"constructor", "cpp",
     "struct s { int n; s() : n(@) {} }; extern \"C\" int run() { s o; return o.n; }"},
    {"conversion", "cpp",
     "struct s { operator int() const { return @; } }; extern \"C\" int run() { return s(); }"},
    {"default argument", "cpp",
     "static int f(int n = @) { return n; } extern \"C\" int run() { return f(); }"},
    {"coroutine frame", "cpp",
     "//kiln: -std=c++20\n#include <coroutine>\nstruct task { struct promise_type { int v; task "
     "get_return_object() { "
     "return {std::coroutine_handle<promise_type>::from_promise(*this)}; }\n"
     "std::suspend_always initial_suspend() { return {}; } std::suspend_always final_suspend() "
     "noexcept { return {}; } void return_value(int n) { v = n; } void unhandled_exception() {} "
     "};\n"
     "std::coroutine_handle<promise_type> h; };\nstatic task f() { co_return @; }\n"
     "extern \"C\" int run() { task t = f(); t.h.resume(); int v = t.h.promise().v; t.h.destroy(); "
     "return v; }"},
};

static void check_way(const way *way)
{
    editing e;
    e.report = NULL;
    char *text = replaced(way->text, "@", "1");
    edit_begin(&e, way->extension, text);
    int (*run)(void) = (int (*)(void))kiln_library_function(e.library, "run", NULL);
    for (int i = 1; i <= 3; i++) {
        char number[4];
        snprintf(number, sizeof number, "%d", i);
        if (i == 2)
            edit_replace(&e, way->text, "@", number);
        /* Where the text outside of bodies differs, too, the unit is compiled as a whole. */
        if (i == 3)
            edit_replace(&e, text_of("%s\nextern int outside;\n", way->text), "@", number);
        int value = run();
        if (value != i)
            support_fail(__FILE__, __LINE__, "%s: it tells %d, not %d", way->name, value, i);
        if ((kiln_function)run != kiln_library_function(e.library, "run", NULL))
            support_fail(__FILE__, __LINE__, "%s: its address is another", way->name);
    }
    kiln_reload_destroy(e.report);
    CHECK_STATUS(kiln_library_close(e.library), KILN_OK, NULL);
    kiln_session_destroy(e.session);
}

/* A function that is put right behind the edited one is no part of its body. */
TEST(an_overload_behind_an_edited_body)
{
    editing e;
    static const char overloads[] = "int h(double) { return 1; }\nint f() { return 3; }\n"
                                    "extern \"C\" int run() { return h(1) * 10 + f(); }\n";
    edit_begin(&e, "cpp", overloads);
    CHECK_INT(edit_int(&e, "run"), 13);
    edit_replace(&e, overloads, "return 3; }", "return '}' - 121; }\nint h(int) { return 2; }");
    CHECK_INT(edit_int(&e, "run"), 24);
    edit_end(&e);
}

TEST(every_way_reaches_the_newest)
{
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        check_way(&ways[i]);
}

TEST(functions_come_and_go)
{
    editing e;
    edit_begin(&e, "cpp",
               "extern \"C\" int run() { return 1; } namespace n { int old() { return 5; } }");
    int (*old)(void) = (int (*)(void))kiln_library_function(e.library, "n::old", NULL);
    CHECK(old);
    edit_save(&e, "namespace n { int fresh(int x) { return x * 2; } } static int used() { return "
                  "n::fresh(3); } extern \"C\" int run() { return used(); } extern \"C\" int "
                  "plain() { return 8; }");
    CHECK_INT(edit_int(&e, "run"), 6);
    CHECK_INT(edit_int(&e, "plain"), 8);
    CHECK(edit_noticed(&e, KILN_NOTICE_FUNCTION_REMOVED, "n::old()"));
    CHECK_INT(old(), 5);
    int (*fresh)(int) = (int (*)(int))kiln_library_function(e.library, "n::fresh(int)", NULL);
    CHECK(fresh && fresh(4) == 8);
    CHECK(kiln_library_function(e.library, "n::fresh", NULL) == (kiln_function)fresh);
    /* What was added is edited, and what went comes back under its old address. */
    edit_save(&e,
              "namespace n { int fresh(int x) { return x * 3; } int old() { return 6; } } static "
              "int used() { return n::fresh(3); } extern \"C\" int run() { return used(); }");
    CHECK_INT(edit_int(&e, "run"), 9);
    CHECK_INT(fresh(4), 12);
    CHECK_INT(old(), 6);
    edit_end(&e);
}

TEST(another_signature_is_told)
{
    editing e;
    edit_begin(&e, "c", "int f(int x) { return x; } int run(void) { return f(1); }");
    edit_save(&e, "int f(int x, int y) { return x + y; } int run(void) { return f(1, 2); }");
    CHECK_INT(edit_int(&e, "run"), 3);
    CHECK(edit_noticed(&e, KILN_NOTICE_SIGNATURE_CHANGED, "f"));
    edit_end(&e);
}

TEST(only_what_differs_is_published)
{
    editing e;
    static const char text[] = "int one(void) { return 1; }\nint two(void) { return 2; }\nint "
                               "run(void) { return one() + two(); }\n";
    edit_begin(&e, "c", text);
    /* Text that makes no code. */
    edit_replace(&e, text, "int two", "/* a comment */\n\nint two");
    CHECK(!kiln_reload_changed(e.report));
    CHECK_INT(kiln_library_generation(e.library), 1);
    edit_replace(&e, text, "return 2", "return 20");
    CHECK_INT(edit_int(&e, "run"), 21);
    CHECK(edit_reported_function(&e, "two"));
    CHECK_INT(kiln_reload_function_count(e.report), 1);
    CHECK_INT(kiln_library_generation(e.library), 2);
    CHECK_INT(kiln_reload_file_count(e.report), 1);
    edit_reload(&e);
    CHECK(!kiln_reload_changed(e.report));
    edit_end(&e);
}

/* A function that is compiled alone comes to the same as within its unit. */
TEST(alone_and_within_the_unit)
{
    static const char text[] =
        "#include <stdio.h>\nstruct s { int a[4]; double d; }; static struct s table[3] = {{{1, "
        "2}, 3.5}};\n"
        "static int helper(struct s *s, int n) { return s->a[n & 3] + (int)s->d; }\n"
        "enum { LIMIT = 7 };\n#define TWICE(x) ((x) * 2)\n"
        "static inline __attribute__((always_inline)) int inlined(int x) { return x + LIMIT; }\n"
        "int other(int x) { static int calls; return ++calls + x; }\n"
        "int run(void) { static int kept = 3; struct s local = table[0]; const char *words = \"a "
        "string\"; "
        "switch (kept) { case 1: return 1; case 2: return 2; default: break; } kept++; "
        "for (int i = 0; i < 3; i++) local.d += helper(&table[i], i); "
        "return TWICE(inlined(kept)) + other(words[2]) + (int)local.d + 0; }\n";
    editing e;
    edit_begin(&e, "c", text);
    int first = edit_int(&e, "run");
    edit_replace(&e, text, "+ 0; }", "+ 1000; }");
    CHECK(kiln_reload_changed(e.report));
    int second = edit_int(&e, "run");
    CHECK_INT(second, first + 1000 + 2 + 1);
    char *outside = replaced(text, "+ 0; }", "+ 1000; }");
    edit_save(&e, text_of("%s/* outside */\n", outside));
    if (edit_mode() == KILN_HOT_ISLANDS)
        CHECK(!kiln_reload_changed(e.report));
    CHECK_INT(edit_int(&e, "run"), second + 3);
    /* And the other way round. */
    edit_replace(&e, text_of("%s/* outside */\n", outside), "+ 1000; }", "+ 2000; }");
    CHECK_INT(edit_int(&e, "run"), second + 1000 + 6);
    edit_end(&e);
}

/* An edit within a body, of a text with a function that is warned of where it is compiled: so it shows
 * whether the edited function was compiled alone. */
static void edit_alone(editing *e, char **text, const char *from, const char *to, bool alone)
{
    unsigned before = e->events.count[KILN_EVENT_DIAGNOSTIC];
    *text = replaced(*text, from, to);
    edit_save(e, *text);
    CHECK(kiln_reload_changed(e->report));
    unsigned warnings = e->events.count[KILN_EVENT_DIAGNOSTIC] - before;
    CHECK_INT(warnings, alone && edit_mode() == KILN_HOT_ISLANDS ? 0 : 1);
}

TEST(a_static_function_that_nobody_called)
{
    editing e;
    char *text = (char *)"int warned(void) { return 1 / 0; }\n"
                         "static int deepest(void) { return 100; }\n"
                         "static int seldom(void) { return 7 + deepest(); }\n"
                         "int run(void) { return 1; }\n";
    edit_begin(&e, "c", text);
    edit_alone(&e, &text, "return 1; }", "return seldom(); }", true);
    CHECK_INT(edit_int(&e, "run"), 107);
    /* It is edited while nobody calls it, and together with who does. */
    edit_alone(&e, &text, "return seldom(); }", "return 2; }", true);
    text = replaced(replaced(text, "return 100;", "return 200;"), "return 7", "return 8");
    edit_save(&e, text);
    edit_alone(&e, &text, "return 2; }", "return seldom(); }", true);
    CHECK_INT(edit_int(&e, "run"), 208);
    edit_end(&e);
}

TEST(alone_in_cxx)
{
    editing e;
    char *text =
        (char *)"#include <vector>\n"
                "int warned() { return 1 / 0; }\n"
                "template <class T> T twice(T x) { return x + x; }\n"
                "struct shape { int n = 1; virtual ~shape(); virtual int area() const; static int "
                "count; int "
                "inside() const { return 40; } int outside(int) const; int outside(double) const; "
                "};\n"
                "shape::~shape() { count--; }\n"
                "int shape::count = 5;\n"
                "int shape::area() const { return n; }\n"
                "int shape::outside(int x) const { static int calls = 10; return x + ++calls; }\n"
                "int shape::outside(double x) const { return (int)x; }\n"
                "struct square : shape { int area() const override; };\n"
                "int square::area() const { return n * n; }\n"
                "namespace a { namespace { int hidden(int x) { return x; } static int seldom() { "
                "return 900; } } "
                "int shown(int x) { return hidden(x); } }\n"
                "static int helper(const std::vector<int> &v) { int s = 0; for (int i : v) s += i; "
                "return s; }\n"
                "constexpr int fixed() { return 3; }\n"
                "auto deduced() { return 4; }\n"
                "static shape *kept = new square;\n"
                "int thrower(int x) { if (x > 1) throw x; return 0; }\n"
                "extern \"C\" int part() { try { return thrower(2); } catch (int n) { return n; } "
                "}\n"
                "extern \"C\" int run() { return kept->area() + kept->outside(0) + "
                "kept->outside(0.0) + "
                "a::shown(0) + helper({}); }\n"
                "extern \"C\" int values() { return fixed() * 10 + deduced() + 0 * twice(1); }\n";
    edit_begin(&e, "cpp", text);
    CHECK_INT(edit_int(&e, "run"), 1 + 11);
    /* Overloads, members, virtual functions that were called before. */
    edit_alone(&e, &text, "return x + ++calls;", "return x + ++calls + 100;", true);
    CHECK_INT(edit_int(&e, "run"), 1 + 12 + 100);
    edit_alone(&e, &text, "return (int)x;", "return (int)x + 1000;", true);
    CHECK_INT(edit_int(&e, "run"), 1 + 13 + 1100);
    edit_alone(&e, &text, "return n * n;", "return n * n + 10000;", true);
    CHECK_INT(edit_int(&e, "run"), 1 + 14 + 11100);
    edit_alone(&e, &text, "int shape::area() const { return n;",
               "int shape::area() const { return n + inside();", true);
    /* What the edited function is the first to use: an unused function, an instantiation, a lambda. */
    edit_alone(&e, &text, "hidden(int x) { return x;", "hidden(int x) { return x + 5;", true);
    CHECK_INT(edit_int(&e, "run"), 1 + 15 + 11105);
    edit_alone(
        &e, &text, "return hidden(x);",
        "auto more = [x](int y) { return x + y; }; return hidden(x) + more(int(twice(0.5))) + "
        "seldom();",
        true);
    CHECK_INT(edit_int(&e, "run"), 1 + 16 + 11106 + 900);
    /* It throws, and a guard, a lambda and a vector are in it. */
    edit_alone(
        &e, &text, "if (x > 1) throw x;",
        "static std::vector<int> seen; auto more = [&] { seen.push_back(x); }; more(); if (x > 1) "
        "throw int(seen.size());",
        true);
    CHECK_INT(edit_int(&e, "part"), 1);
    CHECK_INT(edit_int(&e, "part"), 2);
    edit_alone(&e, &text, "throw int(seen.size())", "throw int(seen.size()) * 10", true);
    CHECK_INT(edit_int(&e, "part"), 30);
    /* What others see more of than a declaration goes by the unit. */
    edit_alone(&e, &text, "fixed() { return 3;", "fixed() { return 5;", false);
    CHECK_INT(edit_int(&e, "values"), 54);
    edit_alone(&e, &text, "deduced() { return 4;", "deduced() { return 6;", false);
    CHECK_INT(edit_int(&e, "values"), 56);
    edit_alone(&e, &text, "return x + x;", "return x + x + x;", false);
    edit_alone(&e, &text, "inside() const { return 40;", "inside() const { return 50;", false);
    edit_alone(&e, &text, "count--;", "count -= 2;", false);
    /* All of it is as the unit has it. */
    CHECK_INT(edit_int(&e, "run"), 1 + 17 + 11106 + 900);
    CHECK_INT(edit_int(&e, "part"), 40);
    edit_end(&e);
}

/* What only skipped bodies use is no reason to warn, and what is wrong within the edited one is. */
TEST(alone_with_every_warning)
{
    static const char *const strict[] = {"-Weverything",
                                         "-Werror",
                                         "-Wno-c++98-compat",
                                         "-Wno-pre-c++14-compat",
                                         "-Wno-missing-prototypes",
                                         "-Wno-unsafe-buffer-usage",
                                         "-Wno-padded",
                                         "-Wno-global-constructors",
                                         "-Wno-exit-time-destructors",
                                         NULL};
    static const char text[] =
        "namespace {\nint used = 1;\nconst int limit = 2;\nint helper();\n"
        "struct thing { int get() const; int other() const; explicit thing(int n) : n_(n) {}\n"
        "  private: int n_; };\n"
        "template <class T> T twice(T x) { return x + x; }\n"
        "int thing::get() const { return n_ + other(); }\n"
        "int thing::other() const { return used + limit; }\n"
        "int helper() { return twice(thing(3).get()); }\n}\n"
        "static inline int inlined() { return 5; }\n"
        "int user() { return helper() + inlined(); }\n"
        "int edited() { return 0; }\n"
        "extern \"C\" int run() { return edited() + user(); }\n";
    editing e = {.path = scratch("lib.cpp")};
    write_file(e.path, text);
    kiln_spec *spec = spec_of_file("lib", e.path);
    kiln_spec_add_arguments(spec, KILN_PRIVATE, strict);
    edit_begin_spec(&e, spec);
    CHECK_INT(edit_int(&e, "run"), 17);
    edit_replace(&e, text, "return 0", "return 100");
    CHECK_INT(edit_int(&e, "run"), 117);
    CHECK_INT(kiln_reload_function_count(e.report), 1);
    char *wrong = replaced(text, "return 0", "int unused; return 200");
    free(edit_save_fails(&e, wrong, KILN_COMPILE));
    edit_replace(&e, text, "return 0", "return 300");
    CHECK_INT(edit_int(&e, "run"), 317);
    free(wrong);
    edit_end(&e);
}

TEST(constructors_run_once)
{
    editing e;
    static const char text[] = "int made; __attribute__((constructor)) static void make(void) { "
                               "made += 1; } int run(void) { return made * 10 + 1; }";
    edit_begin(&e, "c", text);
    CHECK_INT(edit_int(&e, "run"), 11);
    edit_replace(&e, text, "+ 1;", "+ 2;");
    CHECK_INT(edit_int(&e, "run"), 12);
    edit_replace(&e, text, "made += 1", "made += 100");
    CHECK_INT(edit_int(&e, "run"), 11);
    edit_replace(&e, text, "int run",
                 "__attribute__((constructor)) static void more(void) { made += 5; } int run");
    CHECK_INT(edit_int(&e, "run"), 61);
    edit_end(&e);
}

/* They run before anything is published; but what they call is the new code, however deep. */
TEST(initialisers_call_the_newest_code)
{
    static const char text[] =
        "static int deep(int n) { return n > 3 ? n : deep(n + 1) + 1; }\n"
        "int middle(void) { static int calls; return deep(0) + 0 * ++calls; }\n"
        "struct thing { int n; thing(int x) : n(x + middle()) {} };\n"
        "extern \"C\" int run(void) { return middle(); }\n";
    editing e;
    edit_begin(&e, "cpp", text);
    CHECK_INT(edit_int(&e, "run"), 8);
    char *edited =
        replaced(replaced(text, "deep(n + 1) + 1", "deep(n + 1) + 10"), "n(x +", "n(x + 1000 +");
    edited = replaced(edited, "extern \"C\" int run(void) {",
                      "static thing made(500); static int also = middle();\n"
                      "extern \"C\" int run(void) { return made.n + also * 10000;");
    edit_save(&e, edited);
    CHECK_INT(edit_int(&e, "run"), 1544 + 440000);
    edit_end(&e);
    /* A constructor of C, which others call, too. */
    edit_begin(&e, "c",
               "static int v; int f(void) { return 1; } int run(void) { return f() + v; }");
    edit_save(&e, "static int v; int f(void) { return 2; }\n"
                  "__attribute__((constructor)) void g(void) { v += 10 * f(); }\n"
                  "int run(void) { g(); return f() + v; }");
    CHECK_INT(edit_int(&e, "run"), 42);
    edit_save(&e, "static int v; int f(void) { return 3; }\n"
                  "__attribute__((constructor)) void g(void) { v += 10 * f(); }\n"
                  "int run(void) { g(); return f() + v; }");
    CHECK_INT(edit_int(&e, "run"), 73);
    edit_end(&e);
}

/* ---- calls in flight ---- */

static sem_t entered, go_on;
static void wait_inside(void)
{
    sem_post(&entered);
    sem_wait(&go_on);
}

static void *call_run(void *data)
{
    return (void *)(intptr_t)((int (*)(void))data)();
}

TEST(a_call_in_flight_ends_where_it_began)
{
    editing e = {.path = scratch("lib.c")};
    static const char text[] = "void wait_inside(void); static int inner(void) { return 1; }\n"
                               "int run(void) { wait_inside(); return 10 + inner(); }\n";
    write_file(e.path, text);
    kiln_spec *spec = spec_of_file("lib", e.path);
    kiln_spec_add_host_symbol(spec, "wait_inside", (const void *)(uintptr_t)wait_inside);
    edit_begin_spec(&e, spec);
    sem_init(&entered, 0, 0);
    sem_init(&go_on, 0, 0);
    kiln_function run = kiln_library_function(e.library, "run", NULL);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, call_run, (void *)(uintptr_t)run) == 0);
    sem_wait(&entered);
    edit_replace(&e, text, "10 + inner", "20 + inner");
    sem_post(&go_on);
    void *result;
    pthread_join(thread, &result);
    CHECK_INT((intptr_t)result, 11);
    sem_post(&go_on);
    CHECK_INT(edit_int(&e, "run"), 21);
    edit_end(&e);
}

static editing *reloading;
static const char *next_text;
static void reload_from_within(void)
{
    if (next_text)
        edit_save(reloading, next_text);
}

/* A loop of the library that calls the host, which reloads. */
TEST(what_reloads_is_told_of_where_it_is_in)
{
    static const char text[] =
        "void reload_from_within(void); static int other(void) { return 1; }\n"
        "int loop(void) { reload_from_within(); return 10 + other(); }\n"
        "int run(void) { return loop(); }\n";
    editing e = {.path = scratch("lib.c")};
    write_file(e.path, text);
    kiln_spec *spec = spec_of_file("lib", e.path);
    kiln_spec_add_host_symbol(spec, "reload_from_within",
                              (const void *)(uintptr_t)reload_from_within);
    edit_begin_spec(&e, spec);
    reloading = &e;
    for (int i = 2; i < 5; i++) {
        next_text = replaced(replaced(text, "return 1;", text_of("return %d;", i)), "10 +",
                             text_of("%d0 +", i));
        int before = edit_int(&e, "run");
        /* The function that is running is old; what it calls is new, unless it is a part of it. */
        CHECK_INT(before / 10, i - 1);
        bool is_whole = edit_mode() == KILN_HOT_WHOLE; /* then it is a part of its caller */
        CHECK(edit_noticed(&e, KILN_NOTICE_RUNNING, is_whole ? "run" : "loop"));
        CHECK(!edit_noticed(&e, KILN_NOTICE_RUNNING, "other"));
    }
    next_text = NULL;
    CHECK_INT(edit_int(&e, "run"), 44);
    edit_end(&e);
}
