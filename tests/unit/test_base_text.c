/* test_base_text.c - growing arrays, byte buffers and lists of strings. */
#include "test_base_fixture.h"

#include "base/array.h"

static void test_array_grows(void **state)
{
    (void)state;
    uint64_t *items = NULL;
    size_t count = 0, capacity = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t *item = array_add((void **)&items, &count, &capacity, sizeof *item);
        assert_non_null(item);
        assert_ptr_equal(item, &items[i]);
        assert_int_equal(*item, 0);
        *item = i + 1;
    }
    assert_int_equal(count, 1000);
    assert_true(capacity >= 1000);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(items[i], i + 1);
    free(items);
}

static void test_array_refuses_the_impossible(void **state)
{
    (void)state;
    char *items = strdup("kept");
    size_t count = 5, capacity = 5;
    assert_false(array_reserve((void **)&items, &capacity, SIZE_MAX / 8, 16));
    assert_false(array_reserve((void **)&items, &capacity, SIZE_MAX, 2));
    assert_int_equal(capacity, 5);
    assert_string_equal(items, "kept");
    /* What is there already needs no room. */
    assert_true(array_reserve((void **)&items, &capacity, 5, SIZE_MAX));
    assert_int_equal(count, 5);
    free(items);
}

static void test_text_holds_bytes(void **state)
{
    (void)state;
    text t = {0};
    assert_string_equal(text_string(&t), "");
    assert_true(text_add(&t, "a\0b", 3));
    assert_true(text_add_string(&t, "cd"));
    assert_true(text_format(&t, "%d-%s", 42, "x"));
    assert_int_equal(t.length, 9);
    assert_memory_equal(text_string(&t), "a\0bcd42-x", 10);
    text_destroy(&t);
    assert_null(t.bytes);
}

static void test_text_grows_over_its_first_room(void **state)
{
    (void)state;
    text t = {0};
    for (int i = 0; i < 10000; i++)
        assert_true(text_format(&t, "%04d", i));
    assert_int_equal(t.length, 40000);
    assert_memory_equal(t.bytes + 4 * 1234, "1234", 4);
    assert_int_equal(t.bytes[t.length], '\0');
    char *taken = text_take(&t);
    assert_int_equal(strlen(taken), 40000);
    assert_null(t.bytes);
    assert_int_equal(t.length, 0);
    free(taken);
}

static void test_text_of_nothing_is_taken_as_an_empty_string(void **state)
{
    (void)state;
    text t = {0};
    char *taken = text_take(&t);
    assert_string_equal(taken, "");
    free(taken);
}

static void test_text_stays_failed(void **state)
{
    (void)state;
    text t = {0};
    assert_true(text_add_string(&t, "x"));
    assert_false(text_add(&t, "y", SIZE_MAX));
    assert_true(t.failed);
    assert_false(text_add_string(&t, "z"));
    assert_false(text_format(&t, "z"));
    assert_null(text_take(&t));
    /* Taken, it is a new one. */
    assert_true(text_add_string(&t, "again"));
    text_destroy(&t);
}

static void test_text_print(void **state)
{
    (void)state;
    char *string = text_print("%s=%0*d", "x", 300, 7);
    assert_int_equal(strlen(string), 302);
    free(string);
}

static void test_string_list(void **state)
{
    (void)state;
    string_list list = {0};
    assert_null(string_list_view(&list)[0]);
    assert_false(string_list_contains(&list, "a"));
    assert_true(string_list_add(&list, "b"));
    assert_true(string_list_add_bytes(&list, "abc", 1));
    assert_true(string_list_add_bytes(&list, "", 0));
    assert_true(string_list_take(&list, strdup("c")));
    assert_int_equal(list.count, 4);
    assert_string_equal(list.items[1], "a");
    assert_string_equal(list.items[2], "");
    assert_null(list.items[4]);
    assert_true(string_list_contains(&list, "a"));
    assert_false(string_list_contains(&list, "ab"));
    string_list_sort(&list);
    assert_string_equal(list.items[0], "");
    assert_string_equal(list.items[1], "a");
    assert_string_equal(list.items[3], "c");
    string_list_destroy(&list);
    assert_int_equal(list.count, 0);
}

static void test_string_list_ends_with_null_at_every_size(void **state)
{
    (void)state;
    string_list list = {0};
    for (size_t i = 1; i < 100; i++) {
        assert_true(string_list_add(&list, "x"));
        assert_null(string_list_view(&list)[i]);
    }
    string_list_destroy(&list);
}

static void test_string_list_adds_all(void **state)
{
    (void)state;
    static const char *const more[] = {"x", "y", NULL};
    string_list list = {0};
    assert_true(string_list_add_all(&list, NULL));
    assert_int_equal(list.count, 0);
    assert_true(string_list_add_all(&list, more));
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[1], "y");
    assert_ptr_not_equal(list.items[1], more[1]);
    string_list_destroy(&list);
}

static void test_string_list_refuses_null(void **state)
{
    (void)state;
    string_list list = {0};
    assert_false(string_list_take(&list, NULL));
    assert_int_equal(list.count, 0);
    string_list_sort(&list);
    string_list_destroy(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_array_grows),
        cmocka_unit_test(test_array_refuses_the_impossible),
        cmocka_unit_test(test_text_holds_bytes),
        cmocka_unit_test(test_text_grows_over_its_first_room),
        cmocka_unit_test(test_text_of_nothing_is_taken_as_an_empty_string),
        cmocka_unit_test(test_text_stays_failed),
        cmocka_unit_test(test_text_print),
        cmocka_unit_test(test_string_list),
        cmocka_unit_test(test_string_list_ends_with_null_at_every_size),
        cmocka_unit_test(test_string_list_adds_all),
        cmocka_unit_test(test_string_list_refuses_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
