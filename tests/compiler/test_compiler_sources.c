/* test_compiler_sources.c - every kind of source becomes what was asked for, or a clear error. */
#include "compiler_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const defaults[] = {"-O2", "-gline-tables-only", "-fPIC", NULL};

/* Compile and link one source; returns what its function `answer` returns. */
static int answer_of(const char *source, const char *language, const job_options *options)
{
    job lead;
    job_begin(&zygote, &lead, options);
    Kiln__Wire__CompileReply *compiled =
        job_compile(&lead, source, language, defaults, KILN__WIRE__OUTPUT_KIND__OBJECT);
    if (!compiled->ok)
        has_message(compiled->diagnostics, "(nothing)");
    assert_true(compiled->ok);
    Kiln__Wire__LinkReply *linked = job_link_last(&lead, "kiln-0123", defaults);
    assert_true(linked->ok);
    void *image = dlopen(fd_path(lead.fds[linked->output_fd]), RTLD_NOW | RTLD_LOCAL);
    assert_non_null(image);
    int (*answer)(void) = (int (*)(void))dlsym(image, "answer");
    assert_non_null(answer);
    int value = answer();
    dlclose(image);
    kiln__wire__compile_reply__free_unpacked(compiled, NULL);
    kiln__wire__link_reply__free_unpacked(linked, NULL);
    job_end(&lead);
    return value;
}

/* Compile one source that must fail with a message that contains `text`. */
static void fails_with(const char *source, const char *language, const char *const *arguments,
                       Kiln__Wire__OutputKind output, const char *text)
{
    job unit;
    job_begin(&zygote, &unit, &(job_options){.directory = test_directory()});
    Kiln__Wire__CompileReply *compiled = job_compile(&unit, source, language, arguments, output);
    assert_false(compiled->ok);
    assert_false(compiled->has_output);
    assert_true(has_message(compiled->diagnostics, text));
    kiln__wire__compile_reply__free_unpacked(compiled, NULL);
    job_end(&unit);
}

static void c_and_cxx(void **state)
{
    (void)state;
    assert_int_equal(answer_of(write_file("a.c", "int answer(void) { return 42; }\n"), "", NULL),
                     42);
    assert_int_equal(answer_of(write_file("a.cpp", "#include <vector>\n"
                                                   "extern \"C\" int answer() {\n"
                                                   "    try { std::vector<int>().at(3); }\n"
                                                   "    catch (...) { return 43; }\n"
                                                   "    return 0; }\n"),
                               "", NULL),
                     43);
    assert_int_equal(answer_of(write_file("text", "int answer(void) { return 44; }\n"), "c", NULL),
                     44);
}

static void assembly_with_and_without_preprocessor(void **state)
{
    (void)state;
    write_file("value.inc", "\t.set VALUE, 45\n");
    write_bytes("blob.bin", "\x2e\0\0\0", 4);
    assert_int_equal(
        answer_of(write_file("a.s",
                             "\t.include \"value.inc\"\n\t.text\n\t.globl answer\n"
                             "\t.type answer,@function\nanswer:\n\tmovl $VALUE, %eax\n\tret\n"),
                  "", &(job_options){.directory = test_directory()}),
        45);
    assert_int_equal(answer_of(write_file("b.S", "#define NAME answer\n\t.text\n\t.globl NAME\n"
                                                 "NAME:\n\tmovl blob(%rip), %eax\n\tret\n"
                                                 "\t.data\nblob: .incbin \"blob.bin\"\n"),
                               "", &(job_options){.directory = test_directory()}),
                     46);
}

static void what_assembly_includes_is_recorded(void **state)
{
    (void)state;
    write_bytes("inner.bin", "\x2f\0\0\0", 4);
    write_file("inner.inc", "\tmovl $1, %eax\n");
    const char *source =
        write_file("c.s", "\t.globl answer\nanswer:\n\t.include \"inner.inc\"\n\tret\n"
                          "\t.data\n\t.incbin \"inner.bin\"\n");
    job unit;
    job_begin(&zygote, &unit, &(job_options){.directory = test_directory()});
    Kiln__Wire__CompileReply *reply =
        job_compile(&unit, source, "", defaults, KILN__WIRE__OUTPUT_KIND__OBJECT);
    assert_true(reply->ok);
    for (const char *const *name = (const char *const[]){"c.s", "inner.bin", "inner.inc", NULL};
         *name; name++) {
        const Kiln__Wire__Input *input = find_input(
            reply->inputs, reply->n_inputs, in_directory(*name), KILN__WIRE__INPUT__KIND__FILE);
        assert_non_null(input);
        assert_int_equal(input->digest.len, 32);
    }
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
    job_end(&unit);
}

static void inline_incbin_is_recorded(void **state)
{
    (void)state;
    write_bytes("inline.bin", "\x30\0\0\0", 4);
    const char *source =
        write_file("d.c", "__asm__(\".data\\nblob: .incbin \\\"inline.bin\\\"\\n.text\\n\");\n"
                          "extern int blob;\nint answer(void) { return blob; }\n");
    job unit;
    job_begin(&zygote, &unit, &(job_options){.directory = test_directory()});
    Kiln__Wire__CompileReply *reply =
        job_compile(&unit, source, "", defaults, KILN__WIRE__OUTPUT_KIND__OBJECT);
    assert_true(reply->ok);
    assert_non_null(find_input(reply->inputs, reply->n_inputs, in_directory("inline.bin"),
                               KILN__WIRE__INPUT__KIND__FILE));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
    job_end(&unit);
}

static void assembly_errors_name_the_line(void **state)
{
    (void)state;
    fails_with(write_file("bad.s", "\t.text\n\tnosuchinstruction %eax\n"), "", defaults,
               KILN__WIRE__OUTPUT_KIND__OBJECT, "bad.s:2:2: error: invalid instruction mnemonic");
    fails_with(write_file("bad.S", "#define X\n\n\tnosuchinstruction %eax\n"), "", defaults,
               KILN__WIRE__OUTPUT_KIND__OBJECT, "bad.S:3:2: error: invalid instruction mnemonic");
    fails_with(in_directory("bad.s"), "", defaults, KILN__WIRE__OUTPUT_KIND__BITCODE,
               "is assembly");
}

static const char module_text[] = "target triple = \"x86_64-pc-linux-gnu\"\n"
                                  "define i32 @answer() {\n  ret i32 47\n}\n";

static void modules_as_text_and_as_bitcode(void **state)
{
    (void)state;
    const char *source = write_file("a.ll", module_text);
    assert_int_equal(answer_of(source, "", NULL), 47);

    job unit;
    job_begin(&zygote, &unit, NULL);
    Kiln__Wire__CompileReply *reply =
        job_compile(&unit, source, "", defaults, KILN__WIRE__OUTPUT_KIND__BITCODE);
    assert_true(reply->ok);
    uint8_t bitcode[8192];
    ssize_t size = pread(unit.fds[reply->output_fd], bitcode, sizeof bitcode, 0);
    assert_int_equal(size, reply->output_size);
    assert_memory_equal(bitcode, "BC\xc0\xde", 4);
    assert_int_equal(answer_of(write_bytes("a.bc", bitcode, (size_t)size), "", NULL), 47);

    /* Every truncation and many alterations are errors or modules, never the end of the job. */
    for (size_t cut = 4; cut < (size_t)size; cut += 97) {
        Kiln__Wire__CompileReply *cut_reply =
            job_compile(&unit, write_bytes("cut.bc", bitcode, cut), "", defaults,
                        KILN__WIRE__OUTPUT_KIND__OBJECT);
        assert_false(cut_reply->ok);
        assert_true(cut_reply->diagnostics->n_diagnostics > 0);
        kiln__wire__compile_reply__free_unpacked(cut_reply, NULL);
    }
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
    job_end(&unit);
}

static void altered_bitcode_never_ends_the_zygote(void **state)
{
    (void)state;
    job unit;
    job_begin(&zygote, &unit, NULL);
    Kiln__Wire__CompileReply *reply =
        job_compile(&unit, write_file("b.c", "int f(int x) { return x * 3; }\n"), "", defaults,
                    KILN__WIRE__OUTPUT_KIND__BITCODE);
    assert_true(reply->ok);
    uint8_t bitcode[16384];
    ssize_t size = pread(unit.fds[reply->output_fd], bitcode, sizeof bitcode, 0);
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
    job_end(&unit);
    for (ssize_t at = 16; at < size; at += 131) {
        uint8_t old = bitcode[at];
        bitcode[at] ^= 0x5a;
        const char *path = write_bytes("altered.bc", bitcode, (size_t)size);
        bitcode[at] = old;
        job_begin(&zygote, &unit, &(job_options){.seconds = 20});
        Kiln__Wire__Compile message = KILN__WIRE__COMPILE__INIT;
        message.source = bytes_of(path);
        job_send(&unit, WIRE_COMPILE, &message.base, NULL, 0);
        wire_frame frame;
        assert_int_equal(job_receive(&unit, &frame), WIRE_OK);
        assert_true(frame.type == WIRE_COMPILE_REPLY || frame.type == WIRE_EXITED);
        wire_frame_destroy(&frame);
        job_end(&unit);
    }
    assert_int_equal(answer_of(in_directory("a.ll"), "", NULL), 47);
}

static void bad_modules_are_errors(void **state)
{
    (void)state;
    fails_with(write_file("bad.ll", "define i32 @f() {\n  ret i64 1\n}\n"), "", defaults,
               KILN__WIRE__OUTPUT_KIND__OBJECT, "bad.ll:2:");
    fails_with(write_file("garbage.bc", "this is no bitcode\n"), "", defaults,
               KILN__WIRE__OUTPUT_KIND__OBJECT, "garbage.bc");
    fails_with(
        write_file("arm.ll",
                   "target triple = \"aarch64-linux-gnu\"\ndefine i32 @f() {\n  ret i32 1\n}\n"),
        "", defaults, KILN__WIRE__OUTPUT_KIND__OBJECT, "was made for aarch64");
}

static void all_kinds_of_output(void **state)
{
    (void)state;
    const char *source = write_file("kinds.c", "int f(void) { return 1; }\n");
    static const struct {
        Kiln__Wire__OutputKind kind;
        const char *contains;
    } kinds[] = {{KILN__WIRE__OUTPUT_KIND__OBJECT, "\177ELF"},
                 {KILN__WIRE__OUTPUT_KIND__BITCODE, "BC\xc0\xde"},
                 {KILN__WIRE__OUTPUT_KIND__IR, "define dso_local"},
                 {KILN__WIRE__OUTPUT_KIND__ASSEMBLY, "\t.globl\tf"}};
    const char *const plain[] = {"-O1", NULL};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        job unit;
        char bytes[16384];
        job_begin(&zygote, &unit, NULL);
        Kiln__Wire__CompileReply *reply = job_compile(&unit, source, "", plain, kinds[i].kind);
        assert_true(reply->ok);
        ssize_t size = pread(unit.fds[reply->output_fd], bytes, sizeof bytes, 0);
        assert_int_equal(size, reply->output_size);
        assert_non_null(memmem(bytes, (size_t)size, kinds[i].contains, strlen(kinds[i].contains)));
        /* It is sealed: nobody can change it any more. */
        assert_int_equal(pwrite(unit.fds[reply->output_fd], "x", 1, 0), -1);
        kiln__wire__compile_reply__free_unpacked(reply, NULL);
        job_end(&unit);
    }
}

static void a_script_line_is_blanked(void **state)
{
    (void)state;
    static const char text[] =
        "#!/usr/bin/env -S kiln run\nint answer(void) { return __LINE__; }\n";
    assert_int_equal(answer_of(write_file("script.c", text), "", NULL), 2);
    const memory_file files[] = {{"/kiln-memory/script.c", text}, {NULL, NULL}};
    assert_int_equal(answer_of("/kiln-memory/script.c", "", &(job_options){.files = files}), 2);
}

static void memory_headers_come_first_for_both_kinds_of_include(void **state)
{
    (void)state;
    const char *directory = in_directory("include");
    assert_int_equal(mkdir(directory, 0700), 0);
    write_file("include/answer.h", "#define ANSWER 1\n");
    write_file("include/quoted.h", "#define QUOTED 1\n");
    const memory_file files[] = {{"/kiln-memory/answer.h", "#define ANSWER 40\n"},
                                 {"/kiln-memory/quoted.h", "#define QUOTED 8\n"},
                                 {"/kiln-memory/deep/inner.h", "#include \"answer.h\"\n"},
                                 {NULL, NULL}};
    const char *source = write_file("headers.c", "#include <deep/inner.h>\n#include \"quoted.h\"\n"
                                                 "int answer(void) { return ANSWER + QUOTED; }\n");
    job lead;
    job_begin(&zygote, &lead, &(job_options){.files = files});
    char include[600], quote[600];
    snprintf(include, sizeof include, "-I%s", in_directory("include"));
    snprintf(quote, sizeof quote, "-iquote%s", in_directory("include"));
    const char *const arguments[] = {"-fPIC", quote, include, NULL};
    Kiln__Wire__CompileReply *reply =
        job_compile(&lead, source, "", arguments, KILN__WIRE__OUTPUT_KIND__OBJECT);
    assert_true(reply->ok);
    /* What exists only in memory is no input. */
    for (size_t i = 0; i < reply->n_inputs; i++)
        assert_false(bytes_contain(reply->inputs[i]->path, virtual_directory));
    Kiln__Wire__LinkReply *linked = job_link_last(&lead, "kiln-0123", NULL);
    assert_true(linked->ok);
    void *image = dlopen(fd_path(lead.fds[linked->output_fd]), RTLD_NOW);
    assert_non_null(image);
    assert_int_equal(((int (*)(void))dlsym(image, "answer"))(), 48);
    dlclose(image);
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
    kiln__wire__link_reply__free_unpacked(linked, NULL);
    job_end(&lead);
}

static void what_is_no_source_is_an_error(void **state)
{
    (void)state;
    fails_with(in_directory("missing.c"), "", defaults, KILN__WIRE__OUTPUT_KIND__OBJECT,
               "no such file");
    fails_with(in_directory("missing.s"), "", defaults, KILN__WIRE__OUTPUT_KIND__OBJECT,
               "missing.s");
    fails_with(test_directory(), "c", defaults, KILN__WIRE__OUTPUT_KIND__OBJECT, "error");
    fails_with(write_bytes("binary.c", "\177ELF\2\1\1\0\0\xff\xfe", 11), "", defaults,
               KILN__WIRE__OUTPUT_KIND__OBJECT, "error");
    const char *const other[] = {"--target=aarch64-linux-gnu", NULL};
    fails_with(write_file("other.c", "int f(void) { return 1; }\n"), "", other,
               KILN__WIRE__OUTPUT_KIND__OBJECT, "unable to create target");
    fails_with(write_file("other.s", "\tret\n"), "", other, KILN__WIRE__OUTPUT_KIND__OBJECT,
               "only x86-64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c_and_cxx),
        cmocka_unit_test(assembly_with_and_without_preprocessor),
        cmocka_unit_test(what_assembly_includes_is_recorded),
        cmocka_unit_test(inline_incbin_is_recorded),
        cmocka_unit_test(assembly_errors_name_the_line),
        cmocka_unit_test(modules_as_text_and_as_bitcode),
        cmocka_unit_test(altered_bitcode_never_ends_the_zygote),
        cmocka_unit_test(bad_modules_are_errors),
        cmocka_unit_test(all_kinds_of_output),
        cmocka_unit_test(a_script_line_is_blanked),
        cmocka_unit_test(memory_headers_come_first_for_both_kinds_of_include),
        cmocka_unit_test(what_is_no_source_is_an_error),
    };
    return cmocka_run_group_tests(tests, start_zygote, stop_zygote);
}
