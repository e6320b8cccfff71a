/* test_load_cxx.c - C++ between images that are loaded together, each local: inline variables, type
 * information, exceptions, and thread-locals are one. */
#include "test_load_fixture.h"

#include <pthread.h>

/* Every part of the header is used by both sides. The virtual functions are defined in the class,
 * so that each image has its own copy of vtable and typeinfo, all of them weak. */
static const char header[] =
    "#include <stdexcept>\n#include <string>\n"
    "struct base { virtual ~base() {} virtual int id() { return 1; } };\n"
    "struct derived : base { int id() override { return 2; } };\n"
    "struct error : std::runtime_error { error() : std::runtime_error(\"thrown\") {} };\n"
    "inline int counter = 10;\n"
    "inline thread_local int per_thread = 20;\n"
    "inline int &local_static() { static int value = 30; return value; }\n"
    "template <class T> struct holder { static T value; };\n"
    "template <class T> T holder<T>::value = 40;\n"
    "struct logger { std::string text = \"constructed\"; };\n"
    "inline logger shared_logger;\n";

static const char lower_source[] =
    "#include \"shared.h\"\n"
    "base *make() { return new derived; }\n"
    "void throw_error() { throw error(); }\n"
    "void throw_int() { throw 7; }\n"
    "int bump() { counter++; per_thread++; local_static()++; holder<int>::value++; return counter; "
    "}\n"
    "void *lower_counter() { return &counter; }\n"
    "void *lower_thread() { return &per_thread; }\n"
    "void rename_logger() { shared_logger.text += \" once\"; }\n"
    "extern \"C\" void *lower_counter_c() { return lower_counter(); }\n";

static const char upper_source[] =
    "#include \"shared.h\"\n#include <typeinfo>\n"
    "base *make(); void throw_error(); void throw_int(); int bump(); void rename_logger();\n"
    "void *lower_counter(); void *lower_thread();\n"
    "extern \"C\" int casts() { base *b = make(); bool ok = dynamic_cast<derived *>(b) && "
    "typeid(*b) == typeid(derived);\n"
    "  delete b; return ok; }\n"
    "extern \"C\" int catches() { try { throw_error(); } catch (const error &e) { return "
    "std::string(e.what()) == \"thrown\"; }\n"
    "  catch (...) { return -1; } return -2; }\n"
    "extern \"C\" int catches_base() { try { throw_error(); } catch (const std::exception &) { "
    "return 1; } return 0; }\n"
    "extern \"C\" int catches_int() { try { throw_int(); } catch (int i) { return i; } return 0; "
    "}\n"
    "extern \"C\" int variables() { bump(); bump(); return counter == 12 && per_thread == 22 && "
    "local_static() == 32 &&\n"
    "  holder<int>::value == 42 && lower_counter() == &counter && lower_thread() == &per_thread; "
    "}\n"
    "extern \"C\" int constructed_once() { rename_logger(); return shared_logger.text == "
    "\"constructed once\"; }\n"
    "extern \"C\" void *upper_counter() { return &counter; }\n"
    "extern \"C\" void *upper_thread() { return &per_thread; }\n"
    "extern \"C\" void throw_out() { throw error(); }\n";

static int setup(void **state)
{
    (void)state;
    write_source("shared.h", header);
    make_image("lower", "cpp", lower_source, "-std=c++20 -I@");
    make_image("upper", "cpp", upper_source, "-std=c++20 -I@ --dep @/lower.so");
    return 0;
}

static void test_between_libraries(void **state)
{
    (void)state;
    loaded *upper = open_named("lower", "upper", NULL);
    assert_int_equal(call(upper, "casts"), 1);
    assert_int_equal(call(upper, "catches"), 1);
    assert_int_equal(call(upper, "catches_base"), 1);
    assert_int_equal(call(upper, "catches_int"), 7);
    assert_int_equal(call(upper, "variables"), 1);
    assert_int_equal(call(upper, "constructed_once"), 1);
    assert_int_equal(load_close(upper), KILN_OK);
    assert_false(is_mapped("upper.so"));
    assert_false(is_mapped("lower.so"));
}

/* Without the root the dependent is not in the scope that its dependency was bound in: this is what
 * the order of the root is for. */
static void test_order_of_the_root(void **state)
{
    (void)state;
    /* The dependency stays as it is when it was loaded before, apart. */
    loaded *lower = open_named("lower", NULL);
    loaded *upper = open_named("lower", "upper", NULL);
    assert_int_equal(call(upper, "variables"), 1);
    assert_int_equal(load_close(lower), KILN_OK);
    assert_int_equal(call(upper, "casts"), 1);
    assert_int_equal(load_close(upper), KILN_OK);
    assert_false(is_mapped("lower.so"));
}

/* Neither needs the other's symbols: siblings of one root agree all the same. */
static void test_siblings(void **state)
{
    (void)state;
    make_image("left", "cpp", "inline int one = 1; extern \"C\" int *left() { return &one; }",
               "-std=c++20");
    make_image("right", "cpp", "inline int one = 1; extern \"C\" int *right() { return &one; }",
               "-std=c++20");
    make_image("both", "cpp",
               "extern \"C\" int *left(); extern \"C\" int *right(); extern \"C\" int same() { "
               "return left() == right(); }",
               "--dep @/left.so --dep @/right.so");
    loaded *both = open_named("left", "right", "both", NULL);
    assert_int_equal(call(both, "same"), 1);
    assert_int_equal(load_close(both), KILN_OK);
}

/* The variable that the library uses, which may be
 * another image's; of a thread-local, this thread's. */
static void *other_thread(void *library)
{
    void *(*upper_thread)(void) = (void *(*)(void))load_symbol_address(library, "upper_thread");
    return upper_thread() == load_symbol_address(library, "per_thread") ? library : NULL;
}

static void test_address_of_shared_variable(void **state)
{
    (void)state;
    loaded *upper = open_named("lower", "upper", NULL);
    void *(*upper_counter)(void) = (void *(*)(void))load_symbol_address(upper, "upper_counter");
    assert_ptr_equal(load_symbol_address(upper, "counter"), upper_counter());
    assert_int_equal(*(int *)load_symbol_address(upper, "counter"), 10);
    pthread_t thread;
    void *result;
    assert_ptr_equal(other_thread(upper), upper);
    assert_int_equal(pthread_create(&thread, NULL, other_thread, upper), 0);
    pthread_join(thread, &result);
    assert_ptr_equal(result, upper);
    assert_int_equal(load_close(upper), KILN_OK);
}

/* g++ makes inline variables STB_GNU_UNIQUE, which would keep the image for ever. */
static void test_unique_symbols_do_not_stay(void **state)
{
    (void)state;
    setenv("IMAGE_CXX", "g++", 1);
    make_image("unique", "cpp",
               "template <class T> struct holder { static T value; }; template <class T> T "
               "holder<T>::value = 40;\n"
               "inline int &counter() { static int value = 3; return value; }\n"
               "extern \"C\" int use() { return counter() + holder<int>::value; }",
               "-std=c++20");
    unsetenv("IMAGE_CXX");
    loaded *unique = open_named("unique", NULL);
    assert_int_equal(call(unique, "use"), 43);
    assert_int_equal(load_close(unique), KILN_OK);
    assert_false(is_mapped("unique.so"));
}

int main(void)
{
    fixture_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_between_libraries),
        cmocka_unit_test(test_order_of_the_root),
        cmocka_unit_test(test_siblings),
        cmocka_unit_test(test_address_of_shared_variable),
        cmocka_unit_test(test_unique_symbols_do_not_stay),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
