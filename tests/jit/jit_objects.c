/* jit_objects.c - what objects may contain that JITLink alone gets wrong, or believes. */
#include "live.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a function that two objects have, one record of the unwind table goes; those behind it stay. */
TEST(unwind_tables_keep_their_other_records)
{
    static const char shared[] =
        "inline __attribute__((noinline)) int shared(int x) { return x + 1; }\n";
    char text[1024];
    live l;
    live_begin(&l);
    snprintf(text, sizeof text, "%sextern \"C\" int a() { return shared(1); }", shared);
    live_add(&l, KILN_OUTPUT_OBJECT, "a.cpp", text);
    CHECK_INT(live_int(&l, "a"), 2);
    snprintf(text, sizeof text,
             "%sinline __attribute__((noinline)) int thrower(int x) { if (x) throw x; return "
             "shared(x); }\n"
             "extern \"C\" int b() { int s = shared(2); try { return thrower(s); } catch (int v) { "
             "return v * 10; } }",
             shared);
    live_add(&l, KILN_OUTPUT_OBJECT, "b.cpp", text);
    CHECK_INT(live_int(&l, "b"), 30);
    live_end(&l);
}

/* What only __start_ and __stop_ lead to. */
TEST(sections_are_asked_for_whole)
{
    static const char text[] =
        "static const int one __attribute__((used, section(\"entries\"))) = 7;\n"
        "static const int two __attribute__((used, section(\"entries\"))) = 8;\n"
        "extern const int __start_entries[], __stop_entries[];\n"
        "int run(void) { int sum = 0; for (const int *at = __start_entries; at != __stop_entries; "
        "at++)"
        " sum += *at; return sum; }";
    const kiln_output_kind kinds[] = {KILN_OUTPUT_OBJECT, KILN_OUTPUT_BITCODE};
    for (int i = 0; i < 2; i++) {
        live l;
        live_begin(&l);
        live_add(&l, kinds[i], "entries.c", text);
        CHECK_INT(live_int(&l, "run"), 15);
        live_end(&l);
    }
}

/* Old lists and new ones in one object, many of each; and a list without content. */
TEST(lists_of_both_kinds)
{
    live l;
    live_begin(&l);
    live_add(
        &l, KILN_OUTPUT_OBJECT, "lists.c",
        "static int calls; __attribute__((used)) void count(void) { calls++; }\n"
        "int run(void) { return calls; }\n"
        "__asm__(\".section .init_array,\\\"aw\\\"\\n.rept 40\\n.quad count\\n.endr\\n\"\n"
        "\".section .ctors,\\\"aw\\\",@progbits\\n.rept 40\\n.quad count\\n.endr\\n.text\\n\");");
    CHECK_INT(live_int(&l, "run"), 80);
    live_add(&l, KILN_OUTPUT_OBJECT, "empty.c",
             "int other(void) { return 5; }\n"
             "__asm__(\".section .ctors,\\\"aw\\\",@nobits\\n.zero 8\\n.text\\n\");");
    CHECK_INT(live_int(&l, "other"), 5);
    live_end(&l);
}

/* gcc -mindirect-branch=thunk makes such: strong, hidden, and in every object. */
TEST(groups_have_one_definition)
{
    live l;
    live_begin(&l);
    for (int i = 0; i < 2; i++)
        live_add(
            &l, KILN_OUTPUT_OBJECT, text_of("group%d.c", i),
            text_of("int helper(void); int run%d(void) { return helper() + %d; }\n"
                    "__asm__(\".section .text.helper,\\\"axG\\\",@progbits,helper,comdat\\n\"\n"
                    "\".globl helper\\n.hidden helper\\n.type helper,@function\\n\"\n"
                    "\"helper: mov $40,%%eax\\nret\\n.size helper,.-helper\\n.text\\n\");",
                    i, i));
    CHECK_INT(live_int(&l, "run0"), 40);
    CHECK_INT(live_int(&l, "run1"), 41);
    live_end(&l);
}

/* These are for a linker; the image engine has one. */
TEST(objects_for_a_linker)
{
    static const char *const texts[] = {
        "char run_aligned[64] __attribute__((aligned(8192))) = {1};\n"
        "int run(void) { return ((unsigned long)run_aligned & 8191) == 0 ? 42 : 0; }",
        "__attribute__((visibility(\"internal\"))) int inner(void) { return 42; }\n"
        "int run(void) { return inner(); }",
        "__thread int inner = 40; __asm__(\".internal inner\"); int run(void) { return inner + 2; "
        "}",
        "static int x = 42; int run(void) { long at, table; __asm__(\"leaq "
        "_GLOBAL_OFFSET_TABLE_(%%rip), %1\\n"
        "movabsq $x@GOTOFF, %0\" : \"=r\"(at), \"=&r\"(table) : \"m\"(x)); return *(int *)(at + "
        "table); }",
        "extern char absolute[]; __asm__(\".globl absolute\\nabsolute = 42\\n\");\n"
        "int run(void) { return (int)(long)absolute; }",
        "int x; int run(void) { char is_there; __asm__(\"cmpq $0, x@GOTPCREL(%%rip)\\n"
        "setne %0\" : \"=r\"(is_there)); return is_there ? 42 : 0; }",
        "int run(void); __asm__(\".globl run\\n.type run,@function\\nrun: .cfi_startproc\\n\"\n"
        "\".cfi_signal_frame\\nmov $42,%eax\\nret\\n.cfi_endproc\\n.size run,.-run\\n\");",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        live l;
        live_begin(&l);
        live_add(&l, KILN_OUTPUT_OBJECT, "linker.c", texts[i]);
        CHECK_INT(live_int(&l, "run"), 42);
        live_end(&l);
    }
}

/* The same, of what compilers and assemblers are asked for. */
TEST(objects_for_a_linker_by_options)
{
    static const char text[] = "static int x = 40; int twice(int n) { return 2 * n; }\n"
                               "int run(void) { return x + twice(1); }";
    static const char *const options[][3] = {
        {"-g", "-gz=zlib", NULL},
        {"-Wa,--crel", "-Wa,--allow-experimental-crel", NULL},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        live l;
        kiln_error *error;
        live_begin(&l);
        made input = live_compile(&l, KILN_OUTPUT_OBJECT, "linker.c", text, options[i]);
        CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "linker", input.bytes, input.size, NULL, &error),
                     KILN_OK, &error);
        CHECK_INT(live_int(&l, "run"), 42);
        live_end(&l);
    }
}

/* An object whose damage the linker in the process would believe. */
static void refused(live *l, const char *bytes, size_t size)
{
    kiln_error *error = NULL;
    CHECK_INT(kiln_jit_add_bytes(l->dylib, "damaged", bytes, size, NULL, &error),
              KILN_INVALID_ARGUMENT);
    CHECK_CONTAINS(kiln_error_message(error), "'damaged' is damaged");
    kiln_error_destroy(error);
}

TEST(damage_that_would_be_believed)
{
    live l;
    live_begin(&l);
    made object =
        live_compile(&l, KILN_OUTPUT_OBJECT, "a.c",
                     "int n = 3; int helper(int); int run(void) { return n + helper(n); }\n"
                     "__attribute__((constructor)) static void begin(void) { n = 4; }",
                     NULL);
    char *bytes = malloc(object.size);
    memcpy(bytes, object.bytes, object.size);
    const Elf64_Ehdr *header = (const void *)bytes;
    Elf64_Shdr *sections = (void *)(bytes + header->e_shoff);
    Elf64_Shdr *table = sections;
    while (table->sh_type != SHT_SYMTAB)
        table++;
    table->sh_type = SHT_STRTAB;
    refused(&l, bytes, object.size);
    table->sh_type = SHT_SYMTAB;

    Elf64_Sym *symbols = (void *)(bytes + table->sh_offset);
    symbols[0].st_other = 1;
    refused(&l, bytes, object.size);
    symbols[0].st_other = 0;

    Elf64_Sym *missing = symbols + 1;
    while (missing->st_shndx != SHN_UNDEF)
        missing++;
    missing->st_info = ELF64_ST_INFO(STB_GLOBAL, STT_COMMON);
    missing->st_size = -(Elf64_Xword)0x10000;
    refused(&l, bytes, object.size);
    free(bytes);

    /* One letter of each kind is all there is room for. */
    made unwind = live_compile(&l, KILN_OUTPUT_OBJECT, "u.c",
                               "int f(void) { return 1; }\n"
                               "__asm__(\".section .eh_frame,\\\"a\\\",@unwind\\n.long 2f-1f\\n1: "
                               ".long 0\\n.byte 1\\n.byte 'z'\\n"
                               ".fill 60, 1, 'L'\\n.byte 0, 1, 0x78, 16, 60\\n.fill 60, 1, "
                               "0xff\\n.balign 8\\n2:\\n.text\\n\");",
                               NULL);
    refused(&l, unwind.bytes, unwind.size);
    live_end(&l);
}
