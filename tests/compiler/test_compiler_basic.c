/* test_compiler_basic.c - one source to one image that can be called. */
#include "compiler_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <string.h>

static const char *const defaults[] = {"-O2", "-gline-tables-only", "-fPIC", NULL};

static void hello_names_the_compiler(void **state)
{
    (void)state;
    compiler zygote;
    compiler_start(&zygote);
    assert_int_equal(zygote.hello->protocol, kiln_wire_protocol);
    assert_int_equal(zygote.hello->identity.len, 32);
    assert_non_null(strstr(zygote.hello->compiler_version, "clang version 22"));
    assert_int_equal(zygote.hello->n_identity_files, 2);
    assert_int_equal(compiler_stop(&zygote), 0);
}

static void a_memory_source_becomes_an_image(void **state)
{
    (void)state;
    compiler zygote;
    job lead;
    const memory_file files[] = {
        {"/kiln-memory/add.c", "int add(int a, int b)\n{ return a + b; }\n"}, {NULL, NULL}};
    compiler_start(&zygote);
    job_begin(&zygote, &lead, &(job_options){.files = files});
    Kiln__Wire__CompileReply *compiled =
        job_compile(&lead, "/kiln-memory/add.c", "", defaults, KILN__WIRE__OUTPUT_KIND__OBJECT);
    assert_true(compiled->ok);
    assert_true(compiled->has_output);
    assert_false(compiled->cxx);
    Kiln__Wire__LinkReply *linked = job_link_last(&lead, "kiln-0123", defaults);
    assert_true(linked->ok);
    assert_int_equal(linked->symbol_count, 1);
    void *image = dlopen(fd_path(lead.fds[linked->output_fd]), RTLD_NOW | RTLD_LOCAL);
    assert_non_null(image);
    int (*add)(int, int) = (int (*)(int, int))dlsym(image, "add");
    assert_non_null(add);
    assert_int_equal(add(40, 2), 42);
    assert_ptr_equal(dlvsym(image, "add", "kiln-0123"), add);
    dlclose(image);
    kiln__wire__compile_reply__free_unpacked(compiled, NULL);
    kiln__wire__link_reply__free_unpacked(linked, NULL);
    job_end(&lead);
    compiler_stop(&zygote);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_names_the_compiler),
        cmocka_unit_test(a_memory_source_becomes_an_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
