/* test_compiler_pieces.c - a unit that is compiled in pieces means what it means as a whole. */
#include "compiler_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Enough code for several pieces, around what is to be tested: functions that use everything,
 * spread over the unit. */
#define REPEAT                                                                                     \
    "#define R4(m, n) m(n##0) m(n##1) m(n##2) m(n##3)\n"                                           \
    "#define R16(m, n) R4(m, n##0) R4(m, n##1) R4(m, n##2) R4(m, n##3)\n"                          \
    "#define R64(m, n) R16(m, n##0) R16(m, n##1) R16(m, n##2) R16(m, n##3)\n"                      \
    "#define R256(m, n) R64(m, n##0) R64(m, n##1) R64(m, n##2) R64(m, n##3)\n"

static const char c_source[] = REPEAT
    "#include <string.h>\n"
    "static int counter;\n"
    "static _Thread_local int mine = 3;\n"
    "static const int table[8] = {3, 1, 4, 1, 5, 9, 2, 6};\n"
    "static const char *const names[3] = {\"zero\", \"one\", \"two\"};\n"
    "static int history[16];\n"
    "__attribute__((constructor(101))) static void first(void) { history[0] = 1; }\n"
    "__attribute__((constructor(102))) static void second(void) { history[1] = history[0] + 1; }\n"
    "__attribute__((always_inline)) static inline int must(int x) { return x * 3 + mine; }\n"
    "__attribute__((noinline)) static int apart(int x) { counter++; return x ^ table[x & 7]; }\n"
    "static int small(int x) { return apart(x) + 1; }\n"
    "int original(int x) { return small(x) * 2; }\n"
    "int other_name(int) __attribute__((alias(\"original\")));\n"
    "__attribute__((weak)) int weak_one(int x) { return x - 1; }\n"
    "static int interpret(const char *code)\n"
    "{\n"
    "    static const void *const labels[] = {&&add, &&mul, &&end};\n"
    "    int value = 1;\n"
    "    goto *labels[*code++ - '0'];\n"
    "add: value += table[2]; goto *labels[*code++ - '0'];\n"
    "mul: value *= 3; goto *labels[*code++ - '0'];\n"
    "end: return value;\n"
    "}\n"
    "#define F(n) static int f##n(int x) { int y[4] = {x, 1, 2, 3}; for (int i = 0; i < 9; i++) { "
    "y[i & 3] += \\\n"
    "    must(i) ^ small(y[(i + 1) & 3]); counter += (int)strlen(names[i % 3]); if (y[0] > 1000) "
    "y[0] -= weak_one(x); } \\\n"
    "    mine += y[1] & 1; return y[0] + y[1] + y[2] + other_name(y[3]) + interpret(\"0102\"); }\n"
    "R256(F, 1)\n"
    "#define P(n) f##n,\n"
    "static int (*const all[])(int) = {R256(P, 1)};\n"
    "int answer(void)\n"
    "{\n"
    "    int sum = history[1];\n"
    "    for (int i = 0; i < 256; i++) sum = sum * 31 + all[i](i);\n"
    "    return sum * 31 + counter * 7 + mine;\n"
    "}\n";

static const char cxx_source[] = REPEAT
    "#include <map>\n#include <memory>\n#include <string>\n#include <stdexcept>\n#include "
    "<vector>\n"
    "struct Base { virtual ~Base() = default; virtual int value(int) const = 0; };\n"
    "namespace { int live; struct Counted { Counted() { live++; } ~Counted() { live--; } }; }\n"
    "inline int &shared_local() { static int n = 5; return n; }\n"
    "template <int N> struct Derived : Base {\n"
    "    int value(int x) const override {\n"
    "        Counted c; std::map<int, std::string> m; for (int i = 0; i < N % 5 + 2; i++) m[i * x] "
    "= std::to_string(i + N);\n"
    "        if (x % 7 == 3) throw std::runtime_error(m.begin()->second);\n"
    "        shared_local() += N; return int(m.size()) + N + int(m.rbegin()->second.size()); } };\n"
    "static std::vector<std::unique_ptr<Base>> objects;\n"
    "struct Register { explicit Register(Base *b) { objects.emplace_back(b); } };\n"
    "#define F(n) static int g##n(int x) { try { return Derived<0x##n>().value(x); } \\\n"
    "    catch (const std::runtime_error &e) { return int(std::string(e.what()).size()); } }\n"
    "R64(F, 1)\n"
    "#define G(n) static Register r##n(new Derived<0x##n>);\n"
    "R16(G, 2)\n"
    "#define P(n) g##n,\n"
    "static int (*const all[])(int) = {R64(P, 1)};\n"
    "extern \"C\" int answer() { int sum = live;\n"
    "    for (int i = 0; i < 64; i++) sum = sum * 31 + all[i](i);\n"
    "    for (auto &o : objects) sum = sum * 31 + o->value(1) + (dynamic_cast<Derived<0x200> "
    "*>(o.get()) != nullptr);\n"
    "    return sum * 31 + shared_local() + live; }\n";

typedef struct outcome {
    int answer;
    size_t symbol_count;
    uint8_t digest[32]; /* of the object */
} outcome;

/* Whether an object has a symbol of that name, and whether it is local. */
static bool has_local(int fd, size_t size, const char *name)
{
    const char *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_ptr_not_equal(bytes, MAP_FAILED);
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)bytes;
    const Elf64_Shdr *sections = (const Elf64_Shdr *)(bytes + header->e_shoff);
    bool found = false;
    for (size_t i = 0; i < header->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB)
            continue;
        const Elf64_Sym *symbols = (const Elf64_Sym *)(bytes + sections[i].sh_offset);
        const char *strings = bytes + sections[sections[i].sh_link].sh_offset;
        for (size_t j = 0; j < sections[i].sh_size / sizeof *symbols; j++) {
            const char *symbol = strings + symbols[j].st_name;
            assert_null(strstr(symbol, ".kiln."));
            if (strcmp(symbol, name) == 0) {
                found = true;
                assert_int_equal(ELF64_ST_BIND(symbols[j].st_info), STB_LOCAL);
            }
        }
    }
    munmap((void *)bytes, size);
    return found;
}

static outcome run(const char *source, uint32_t units, const char *const *arguments,
                   const char *local)
{
    job lead;
    outcome result = {0};
    job_begin(&zygote, &lead, &(job_options){.seconds = 280});
    Kiln__Wire__CompileReply *compiled = job_compile_in_units(&lead, source, arguments, units);
    if (!compiled->ok)
        has_message(compiled->diagnostics, "(nothing)");
    assert_true(compiled->ok);
    assert_true(has_local(lead.fds[compiled->output_fd], compiled->output_size, local));
    Kiln__Wire__LinkReply *linked = job_link_last(&lead, "kiln-pieces", arguments);
    if (!linked->ok)
        has_message(linked->diagnostics, "(nothing)");
    assert_true(linked->ok);
    memcpy(result.digest, compiled->output_digest.data, sizeof result.digest);
    result.symbol_count = linked->symbol_count;
    void *image = dlopen(fd_path(lead.fds[linked->output_fd]), RTLD_NOW | RTLD_LOCAL);
    if (image == NULL)
        print_message("%s\n", dlerror());
    assert_non_null(image);
    result.answer = ((int (*)(void))dlsym(image, "answer"))();
    dlclose(image);
    kiln__wire__compile_reply__free_unpacked(compiled, NULL);
    kiln__wire__link_reply__free_unpacked(linked, NULL);
    job_end(&lead);
    return result;
}

/* Whether the two objects are of one making: a unit that was cut looks different from one that
 * was not. */
static bool same_object(const outcome *a, const outcome *b)
{
    return memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

static void c_means_the_same(void **state)
{
    (void)state;
    const char *const arguments[] = {"-O2", "-g", "-fPIC", NULL};
    const char *source = write_file("pieces.c", c_source);
    outcome whole = run(source, 1, arguments, "apart"), cut = run(source, 2, arguments, "apart");
    assert_int_equal(whole.answer, cut.answer);
    assert_int_equal(whole.symbol_count, cut.symbol_count);
    assert_false(same_object(&whole, &cut));
    cut = run(source, 5, arguments, "apart");
    assert_int_equal(whole.answer, cut.answer);
}

static void cxx_means_the_same(void **state)
{
    (void)state;
    const char *const arguments[] = {"-O2", "-gline-tables-only", "-fPIC", NULL};
    const char *source = write_file("pieces.cpp", cxx_source);
    outcome whole = run(source, 1, arguments, "_ZL3all"),
            cut = run(source, 3, arguments, "_ZL3all");
    assert_int_equal(whole.answer, cut.answer);
    assert_false(same_object(&whole, &cut));
}

/* Diagnostics of the back end come from the pieces, each once; an error in one is the unit's. */
static void diagnostics_come_back(void **state)
{
    (void)state;
    static char text[sizeof c_source + 400];
    snprintf(text, sizeof text, "%svoid g(char *);\nvoid big(void) { char a[9000]; g(a); }\n",
             c_source);
    const char *const arguments[] = {"-O1", "-fPIC", "-Wframe-larger-than=4000", NULL};
    const char *source = write_file("large.c", text);
    job unit;
    job_begin(&zygote, &unit, NULL);
    Kiln__Wire__CompileReply *reply = job_compile_in_units(&unit, source, arguments, 2);
    assert_true(reply->ok);
    assert_int_equal(reply->diagnostics->n_diagnostics, 1);
    assert_true(has_message(reply->diagnostics, "stack frame size"));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);

    snprintf(text, sizeof text, "%svoid bad(void) { __asm__(\"nosuchinstruction\"); }\n", c_source);
    reply = job_compile_in_units(&unit, write_file("bad.c", text), arguments, 2);
    assert_false(reply->ok);
    assert_true(has_message(reply->diagnostics, "invalid instruction mnemonic"));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);

    write_bytes("piece.bin", "\1\2\3\4", 4);
    snprintf(text, sizeof text,
             "%sint blob(void) { int x; __asm__(\"jmp 1f\\n2: .incbin \\\"%s\\\"\\n1: movl "
             "2b(%%%%rip), %%0\" : \"=r\"(x)); return x; }\n",
             c_source, in_directory("piece.bin"));
    reply = job_compile_in_units(&unit, write_file("incbin.c", text), arguments, 2);
    assert_true(reply->ok);
    assert_non_null(find_input(reply->inputs, reply->n_inputs, in_directory("piece.bin"),
                               KILN__WIRE__INPUT__KIND__FILE));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
    job_end(&unit);
}

static void what_cannot_be_cut_stays_whole(void **state)
{
    (void)state;
    static char text[sizeof c_source + 400];
    const char *const arguments[] = {"-O1", "-fPIC", NULL};
    snprintf(text, sizeof text, "%s__asm__(\".globl by_name\\nby_name = apart\\n\");\n", c_source);
    const char *source = write_file("asm.c", text);
    outcome whole = run(source, 1, arguments, "apart"), asked = run(source, 2, arguments, "apart");
    assert_true(same_object(&whole, &asked));
}

static void output_is_reproducible(void **state)
{
    (void)state;
    const char *const arguments[] = {"-O1", "-fPIC", NULL};
    const char *source = write_file("again.c", c_source);
    uint8_t digests[2][32];
    for (int i = 0; i < 2; i++) {
        job unit;
        job_begin(&zygote, &unit, NULL);
        Kiln__Wire__CompileReply *reply = job_compile_in_units(&unit, source, arguments, 2);
        assert_true(reply->ok);
        memcpy(digests[i], reply->output_digest.data, 32);
        kiln__wire__compile_reply__free_unpacked(reply, NULL);
        job_end(&unit);
    }
    assert_memory_equal(digests[0], digests[1], 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c_means_the_same),       cmocka_unit_test(cxx_means_the_same),
        cmocka_unit_test(diagnostics_come_back),  cmocka_unit_test(what_cannot_be_cut_stays_whole),
        cmocka_unit_test(output_is_reproducible),
    };
    return cmocka_run_group_tests(tests, start_zygote, stop_zygote);
}
