/* test_load_life.c - how long an image stays: counted
 * loads, closing, what keeps it, files in memory. */
#include "test_load_fixture.h"

#include <pthread.h>
#include <semaphore.h>

static const char counted_source[] =
    "#include <stdio.h>\n#include <stdlib.h>\n"
    "static int count; int next(void) { return ++count; }\n"
    "static void note(const char *word) { FILE *f = fopen(getenv(\"LIFE_LOG\"), \"a\"); if (f) { "
    "fputs(word, f); fclose(f); } }\n"
    "__attribute__((constructor)) static void begin(void) { note(NAME \"+ \"); }\n"
    "__attribute__((destructor)) static void end(void) { note(NAME \"- \"); }\n";

static const char thread_source[] = "#include <atomic>\n"
                                    "std::atomic<int> ended;\n"
                                    "struct guard { int n = 1; ~guard() { ended++; } };\n"
                                    "thread_local guard mine;\n"
                                    "extern \"C\" int touch() { return mine.n; }\n";

static const char *log_text(void)
{
    static char text[256];
    FILE *file = fopen(getenv("LIFE_LOG"), "r");
    text[0] = '\0';
    if (file) {
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
    }
    unlink(getenv("LIFE_LOG"));
    return text;
}

static int setup(void **state)
{
    (void)state;
    setenv("LIFE_LOG", scratch("log"), 1);
    make_image("a", "c", counted_source, "-DNAME='\"a\"'");
    make_image("b", "c", counted_source, "-DNAME='\"b\"' --dep @/a.so");
    make_image("c", "c", counted_source, "-DNAME='\"c\"' --dep @/b.so");
    make_image("thread", "cpp", thread_source, "");
    log_text();
    return 0;
}

static void test_constructors_and_destructors(void **state)
{
    (void)state;
    loaded *c = open_named("a", "b", "c", NULL);
    assert_string_equal(log_text(), "a+ b+ c+ ");
    assert_int_equal(load_close(c), KILN_OK);
    assert_string_equal(log_text(), "c- b- a- ");
    assert_false(is_mapped("/c.so") || is_mapped("/b.so") || is_mapped("/a.so"));
    assert_int_equal(load_collect(), 0);
}

static void test_counted(void **state)
{
    (void)state;
    loaded *one = open_named("a", NULL), *two = open_named("a", "b", NULL),
           *three = open_named("a", "b", NULL);
    assert_string_equal(log_text(), "a+ b+ ");
    assert_int_equal(call(two, "next"), 1);
    assert_int_equal(call(three, "next"), 2);
    assert_int_equal(load_close(two), KILN_OK);
    assert_int_equal(call(three, "next"), 3);
    assert_int_equal(load_close(three), KILN_OK);
    assert_string_equal(log_text(), "b- ");
    assert_true(load_is_mapped("kiln-a"));
    assert_false(load_is_mapped("kiln-b"));
    assert_int_equal(call(one, "next"), 1);
    assert_int_equal(load_close(one), KILN_OK);
    assert_string_equal(log_text(), "a- ");
    assert_false(load_is_mapped("kiln-a"));
}

/* What is mapped already needs no root of its own, whatever stands above it. */
static void test_counting_again_opens_nothing(void **state)
{
    (void)state;
    loaded *c = open_named("a", "b", "c", NULL);
    int before = count_descriptors();
    loaded *b = open_named("a", "b", NULL), *again = open_named("a", "b", "c", NULL);
    assert_int_equal(count_descriptors(), before);
    assert_int_equal(load_close(c), KILN_OK);
    assert_int_equal(call(again, "next"), 1);
    assert_int_equal(load_close(again), KILN_OK);
    assert_false(is_mapped("/c.so"));
    assert_int_equal(call(b, "next"), 1);
    assert_int_equal(load_close(b), KILN_OK);
    assert_false(is_mapped("/a.so") || is_mapped("/b.so"));
    log_text();
}

/* Two loads share a dependency that takes something from the host: the first one's library leaves
 * all the same. */
static int lent(void)
{
    return 1;
}

static void test_shared_dependency_keeps_no_dependent(void **state)
{
    (void)state;
    make_image("base", "c", "int lent(void); int base(void) { return lent(); }", "--host lent");
    make_image("x", "c", "int base(void); int x(void) { return base(); }", "--dep @/base.so");
    make_image("y", "c", "int base(void); int y(void) { return base(); }", "--dep @/base.so");
    load_symbol symbol = {"lent", (const void *)lent};
    load_image images[2] = {image_of("base"), image_of("x")};
    images[0].host_symbols = &symbol;
    images[0].host_symbol_count = 1;
    int before = count_descriptors();
    loaded *x = open_images(images, 2);
    images[1] = image_of("y");
    loaded *y = open_images(images, 2);
    assert_int_equal(load_close(x), KILN_OK);
    assert_false(is_mapped("/x.so"));
    assert_int_equal(call(y, "y"), 1);
    assert_int_equal(load_close(y), KILN_OK);
    assert_false(is_mapped("/y.so") || is_mapped("/base.so"));
    load_collect();
    assert_false(is_mapped("memfd:kiln"));
    assert_int_equal(count_descriptors(), before);
}

/* ---- what a thread still owes ---- */

static sem_t touched, may_end;

static void *touch_and_wait(void *library)
{
    call(library, "touch");
    sem_post(&touched);
    sem_wait(&may_end);
    return NULL;
}

static void pending_with(loaded *library)
{
    pthread_t thread;
    sem_init(&touched, 0, 0);
    sem_init(&may_end, 0, 0);
    assert_int_equal(pthread_create(&thread, NULL, touch_and_wait, library), 0);
    sem_wait(&touched);
    assert_int_equal(load_close(library), KILN_PENDING);
    assert_true(is_mapped("thread"));
    assert_int_equal(load_collect(), 1);
    assert_true(load_is_mapped("kiln-thread"));
    sem_post(&may_end);
    pthread_join(thread, NULL);
    assert_int_equal(load_collect(), 0);
    assert_false(load_is_mapped("kiln-thread"));
    assert_false(is_mapped("thread"));
    assert_int_equal(load_collect(), 0);
}

static void test_pending(void **state)
{
    (void)state;
    int before = count_descriptors();
    pending_with(open_named("thread", NULL));
    pending_with(open_named("a", "thread", NULL));
    /* From memory: the descriptor stays until the image has left. */
    load_image image = image_of("thread");
    uint8_t *bytes;
    size_t size;
    assert_int_equal(os_read_file(AT_FDCWD, image.path, &bytes, &size), 0);
    image.fd = os_memfd_with("thread", bytes, size, true);
    loaded *library = open_images(&image, 1);
    close(image.fd);
    pending_with(library);
    free(bytes);
    assert_int_equal(count_descriptors(), before);
}

static void test_pending_image_is_taken_up_again(void **state)
{
    (void)state;
    loaded *library = open_named("thread", NULL);
    pthread_t thread;
    sem_init(&touched, 0, 0);
    sem_init(&may_end, 0, 0);
    assert_int_equal(pthread_create(&thread, NULL, touch_and_wait, library), 0);
    sem_wait(&touched);
    assert_int_equal(load_close(library), KILN_PENDING);
    library = open_named("thread", NULL);
    assert_int_equal(load_collect(), 0);
    assert_int_equal(call(library, "touch"), 1);
    sem_post(&may_end);
    pthread_join(thread, NULL);
    assert_true(is_mapped("thread"));
    /* Now this thread owes one. */
    assert_int_equal(load_close(library), KILN_PENDING);
}

/* ---- files in memory ---- */

static loaded *open_memory(const char *name, int *fd)
{
    load_image image = image_of(name);
    uint8_t *bytes;
    size_t size;
    assert_int_equal(os_read_file(AT_FDCWD, image.path, &bytes, &size), 0);
    image.fd = *fd = os_memfd_with(name, bytes, size, true);
    assert_int_equal(os_memfd_seal(image.fd), 0);
    image.path = NULL;
    free(bytes);
    return open_images(&image, 1);
}

/* The loader knows images by path: a path that came to
 * mean another file would give the first image again. */
static void test_descriptor_numbers_are_reused(void **state)
{
    (void)state;
    make_image("two", "c", "int number(void) { return 2; }", "");
    make_image("one", "c", "int number(void) { return 1; }", "");
    int first, second;
    loaded *one = open_memory("one", &first);
    close(first);
    loaded *two = open_memory("two", &second);
    assert_int_equal(first, second);
    assert_int_equal(call(one, "number"), 1);
    assert_int_equal(call(two, "number"), 2);
    close(second);
    assert_int_equal(load_close(one), KILN_OK);
    assert_int_equal(call(two, "number"), 2);
    one = open_memory("one", &first);
    assert_int_equal(call(one, "number"), 1);
    close(first);
    assert_int_equal(load_close(one), KILN_OK);
    assert_int_equal(load_close(two), KILN_OK);
    assert_false(is_mapped("memfd:"));
}

/* Sessions without a cache have a copy of their own each; the image is one. */
static void test_one_image_for_all_sessions(void **state)
{
    (void)state;
    int first, second;
    log_text();
    loaded *one = open_memory("a", &first), *two = open_memory("a", &second),
           *file = open_named("a", NULL);
    close(first);
    close(second);
    assert_int_equal(call(one, "next"), 1);
    assert_int_equal(call(two, "next"), 2);
    assert_int_equal(call(file, "next"), 3);
    assert_int_equal(load_close(one), KILN_OK);
    assert_int_equal(call(two, "next"), 4);
    assert_int_equal(load_close(two), KILN_OK);
    assert_int_equal(load_close(file), KILN_OK);
    assert_string_equal(log_text(), "a+ a- ");
}

/* ---- failure, threads, fork ---- */

static void test_failure_leaves_nothing(void **state)
{
    (void)state;
    make_image("broken", "c",
               "int missing_everywhere(void); int use(void) { return missing_everywhere(); }",
               "--dep @/a.so");
    int before = count_descriptors();
    load_image images[2] = {image_of("a"), image_of("broken")};
    for (int i = 0; i < 3; i++) {
        loaded *library = NULL;
        kiln_error *error = NULL;
        assert_int_equal(load_open(&(load_request){images, 2, KILN_LOCAL, false}, &library, &error),
                         KILN_BIND);
        assert_null(library);
        kiln_error_destroy(error);
    }
    assert_int_equal(count_descriptors(), before);
    assert_false(is_mapped("/a.so") || is_mapped("broken.so") || is_mapped("memfd:"));
    assert_false(load_is_mapped("kiln-a") || load_is_mapped("kiln-broken"));
    assert_string_equal(log_text(), "");
    loaded *a = open_named("a", NULL);
    assert_int_equal(load_close(a), KILN_OK);
    log_text();
}

static void test_closing_nothing(void **state)
{
    (void)state;
    assert_int_equal(load_close(NULL), KILN_OK);
}

static void *open_and_close(void *unused)
{
    for (int i = 0; i < 200; i++) {
        load_image images[2] = {{.name = "quiet", .id = "kiln-quiet", .path = unused},
                                {.name = "loud", .id = "kiln-loud"}};
        char other[fixture_path_size];
        snprintf(other, sizeof other, "%s/loud.so", fixture_directory);
        images[1].path = other;
        loaded *library = NULL;
        if (load_open(&(load_request){images, 1 + i % 2u, KILN_LOCAL, false}, &library, NULL))
            return unused;
        if (!load_symbol_address(library, i % 2 ? "loud" : "quiet"))
            return unused;
        load_close(library);
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    (void)state;
    make_image("quiet", "c", "int quiet(void) { return 1; }", "");
    make_image("loud", "c", "int quiet(void); int loud(void) { return quiet(); }",
               "--dep @/quiet.so");
    int before = count_descriptors();
    pthread_t threads[8];
    const char *path = scratch("quiet.so");
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, (void *)path), 0);
    for (int i = 0; i < 8; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_null(result);
    }
    load_collect();
    assert_false(is_mapped("quiet.so") || is_mapped("loud.so") || is_mapped("memfd:"));
    assert_int_equal(count_descriptors(), before);
}

static loaded *inherited;

static void forked_part(void)
{
    load_image images[2] = {image_of("a"), image_of("b")};
    loaded *again = NULL;
    if (load_open(&(load_request){images, 2, KILN_LOCAL, false}, &again, NULL))
        _exit(2);
    int (*next)(void) = (int (*)(void))load_symbol_address(again, "next");
    if (next() != 2 || load_close(again) != KILN_OK || load_close(inherited) != KILN_OK ||
        is_mapped("/b.so"))
        _exit(3);
}

static void test_fork(void **state)
{
    (void)state;
    inherited = open_named("a", "b", NULL);
    assert_int_equal(call(inherited, "next"), 1);
    in_child(forked_part);
    assert_int_equal(call(inherited, "next"), 2);
    assert_int_equal(load_close(inherited), KILN_OK);
}

int main(void)
{
    fixture_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constructors_and_destructors),
        cmocka_unit_test(test_counted),
        cmocka_unit_test(test_counting_again_opens_nothing),
        cmocka_unit_test(test_shared_dependency_keeps_no_dependent),
        cmocka_unit_test(test_pending),
        cmocka_unit_test(test_descriptor_numbers_are_reused),
        cmocka_unit_test(test_one_image_for_all_sessions),
        cmocka_unit_test(test_failure_leaves_nothing),
        cmocka_unit_test(test_closing_nothing),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_pending_image_is_taken_up_again),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
