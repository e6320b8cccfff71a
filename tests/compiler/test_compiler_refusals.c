/* test_compiler_refusals.c - a compile writes nothing, loads no plugin, runs no program,
 * whatever it is told. */
#include "compiler_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static size_t files_in(const char *path)
{
    size_t count = 0;
    DIR *directory = opendir(path);
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static const char *const neutral[][4] = {
    {"-MD"},
    {"-MMD", "-MF", "written.d"},
    {"-gsplit-dwarf", "-g"},
    {"--coverage"},
    {"-ftime-trace"},
    {"-ftime-trace=written.json"},
    {"-fsave-optimization-record"},
    {"-fstack-usage"},
    {"--serialize-diagnostics", "written.dia"},
    {"-fmodules"},
    {"-fmodules", "-fmodules-cache-path=written"},
    {"-fcrash-diagnostics-dir=written"},
    {"-Xclang", "-stats-file=written"},
    {"-Xclang", "-diagnostic-log-file", "-Xclang", "written"},
    {"-H"},
    {"-v"},
    {"-ftime-report"},
};

static void side_products_are_dropped(void **state)
{
    (void)state;
    const char *directory = in_directory("neutral");
    assert_int_equal(mkdir(directory, 0700), 0);
    write_file("neutral/inner.h", "int inner(void);\n");
    const char *source =
        write_file("neutral/a.c", "#include \"inner.h\"\nint f(void) { return inner(); }\n");
    size_t before = files_in(directory);
    for (size_t i = 0; i < sizeof neutral / sizeof neutral[0]; i++) {
        job unit;
        const char *arguments[5] = {neutral[i][0], neutral[i][1], neutral[i][2], neutral[i][3],
                                    NULL};
        print_message("%s %s\n", arguments[0], arguments[1] ? arguments[1] : "");
        job_begin(&zygote, &unit, &(job_options){.directory = directory});
        Kiln__Wire__CompileReply *reply =
            job_compile(&unit, source, "", arguments, KILN__WIRE__OUTPUT_KIND__OBJECT);
        if (!reply->ok)
            has_message(reply->diagnostics, "(nothing)");
        assert_true(reply->ok);
        assert_int_equal(files_in(directory), before);
        kiln__wire__compile_reply__free_unpacked(reply, NULL);
        job_end(&unit);
    }
}

static const struct {
    const char *arguments[4];
    const char *says;
} refused[] = {
    {{"-save-temps"}, "several compilations"},
    {{"-fembed-bitcode"}, "several compilations"},
    {{"-fplugin=/usr/lib/llvm-22/lib/LLVMPolly.so"}, "plugin"},
    {{"-fpass-plugin=/usr/lib/llvm-22/lib/LLVMPolly.so"}, "plugin"},
    {{"-Xclang", "-load", "-Xclang", "x.so"}, "plugin"},
    {{"-mllvm", "-load=/usr/lib/llvm-22/lib/LLVMPolly.so"}, "plugin"},
    {{"-fno-integrated-as"}, "no other program"},
    {{"-fsyntax-only"}, "something other than code"},
    {{"-Xclang", "-emit-pch"}, "something other than code"},
    {{"-Xclang", "-ast-dump"}, "something other than code"},
    {{"--version"}, "nothing to compile"},
};

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    const char *directory = in_directory("refused");
    assert_int_equal(mkdir(directory, 0700), 0);
    const char *source = write_file("refused/a.c", "int f(void) { return 1; }\n");
    size_t before = files_in(directory);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        job unit;
        const char *arguments[5] = {NULL};
        memcpy(arguments, refused[i].arguments, sizeof refused[i].arguments);
        job_begin(&zygote, &unit, &(job_options){.directory = directory});
        Kiln__Wire__CompileReply *reply =
            job_compile(&unit, source, "", arguments, KILN__WIRE__OUTPUT_KIND__OBJECT);
        if (reply->ok)
            print_message("%s was not refused\n", arguments[0]);
        assert_false(reply->ok);
        assert_true(has_message(reply->diagnostics, refused[i].says));
        assert_int_equal(files_in(directory), before);
        kiln__wire__compile_reply__free_unpacked(reply, NULL);
        job_end(&unit);
    }
}

static void a_link_writes_nothing_either(void **state)
{
    (void)state;
    const char *directory = in_directory("link");
    assert_int_equal(mkdir(directory, 0700), 0);
    const char *source = write_file("link/a.c", "int f(void) { return 1; }\n");
    size_t before = files_in(directory);
    job lead;
    job_begin(&zygote, &lead, &(job_options){.directory = directory});
    kiln__wire__compile_reply__free_unpacked(
        job_compile(&lead, source, "", NULL, KILN__WIRE__OUTPUT_KIND__OBJECT), NULL);
    const char *const arguments[] = {"-Wl,-Map=written.map", NULL};
    Kiln__Wire__LinkReply *reply = job_link_last(&lead, "kiln-0123", arguments);
    assert_false(reply->ok);
    assert_true(has_message(reply->diagnostics, "written.map"));
    assert_int_equal(files_in(directory), before);
    kiln__wire__link_reply__free_unpacked(reply, NULL);
    job_end(&lead);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(side_products_are_dropped),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(a_link_writes_nothing_either),
    };
    return cmocka_run_group_tests(tests, start_zygote, stop_zygote);
}
