/* jit_company.c - what lives beside a JIT: debuggers, profilers, and another LLVM in the process. */
#include "live.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char text[] = "static int inner(int x)\n"
                           "{\n"
                           "    return x * 3; /* the line */\n"
                           "}\n"
                           "int run(void)\n"
                           "{\n"
                           "    return inner(5) + 1;\n"
                           "}\n";

static const char *const debug[] = {"-g", "-O0", NULL};

/* What the debugger runs, in the test after it. */
TEST(debugged)
{
    live l;
    kiln_error *error;
    live_begin(&l);
    kiln_output_kind kind = getenv("LAZILY") ? KILN_OUTPUT_RAW_BITCODE : KILN_OUTPUT_OBJECT;
    made input = live_compile(&l, kind, "debugged.c", text, debug);
    if (getenv("LAZILY"))
        CHECK_STATUS(kiln_jit_add_lazy(l.dylib, "a", input.bytes, input.size, "-O0", NULL, &error),
                     KILN_OK, &error);
    else
        CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "a", input.bytes, input.size, NULL, &error),
                     KILN_OK, &error);
    CHECK_INT(live_int(&l, "run"), 16);
    live_end(&l);
}

static void skip_without_gdb(void)
{
    if (system("gdb -q -batch -ex run --args true > gdb.out 2>&1 && ! grep -q ptrace gdb.out"))
        skip("gdb cannot run programs here");
}

static void break_by_line(bool lazily)
{
    char self[512] = {0}, line[1024];
    bool stopped = false, shows_caller = false;
    skip_without_gdb();
    CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    /* As long as inner is not compiled, gdb takes the next line that has code. */
    if (lazily)
        setenv("LAZILY", "1", 1);
    FILE *gdb =
        popen(text_of("gdb -q -batch -ex 'set breakpoint pending on' -ex 'break debugged.c:3' "
                      "-ex run %s -ex bt --args '%s' debugged 2>&1",
                      lazily ? "-ex continue" : "", self),
              "r");
    CHECK(gdb);
    while (fgets(line, sizeof line, gdb)) {
        stopped |= strstr(line, "inner (x=5) at ") != NULL;
        shows_caller |= strncmp(line, "#1", 2) == 0 && strstr(line, "run () at ");
    }
    pclose(gdb);
    CHECK(stopped);
    CHECK(shows_caller);
}

TEST(gdb_breaks_by_line)
{
    break_by_line(false);
}

TEST(gdb_breaks_by_line_in_lazy_code)
{
    break_by_line(true);
}

/* What is removed and added again, changed, which the debugger runs, too. */
TEST(debugged_again)
{
    live l;
    kiln_error *error;
    live_begin(&l);
    for (int i = 0; i < 3; i++) {
        made input = live_compile(&l, KILN_OUTPUT_OBJECT, "debugged.c",
                                  text_of("%s%*s", text, i, ""), debug);
        kiln_jit_code *code;
        CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "a", input.bytes, input.size, &code, &error),
                     KILN_OK, &error);
        CHECK_INT(live_int(&l, "run"), 16);
        CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
    }
    live_end(&l);
}

TEST(gdb_breaks_in_what_was_added_again)
{
    char self[512] = {0}, line[1024];
    int stops = 0;
    skip_without_gdb();
    CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    FILE *gdb =
        popen(text_of("gdb -q -batch -ex 'set breakpoint pending on' -ex 'break debugged.c:3' "
                      "-ex run -ex continue -ex continue --args '%s' debugged_again 2>&1",
                      self),
              "r");
    CHECK(gdb);
    while (fgets(line, sizeof line, gdb))
        stops += strstr(line, "inner (x=5) at ") != NULL;
    pclose(gdb);
    CHECK_INT(stops, 3);
}

/* The list that debuggers read. */
TEST(debuggers_forget_what_is_removed)
{
    struct entry {
        struct entry *next, *previous;
    };
    struct {
        uint32_t version, action;
        struct entry *relevant, *first;
    } *descriptor;
    live l;
    kiln_error *error;
    kiln_jit_code *codes[3];
    live_begin(&l);
    void *plugin = dlopen(getenv("KILN_JIT_PLUGIN"), RTLD_NOW | RTLD_NOLOAD);
    CHECK(plugin);
    descriptor = dlsym(plugin, "__jit_debug_descriptor");
    CHECK(descriptor && descriptor->version == 1 && !descriptor->first);
    live_add(&l, KILN_OUTPUT_OBJECT, "plain.c", "int plain(void) { return 1; }");
    CHECK_INT(live_int(&l, "plain"), 1);
    CHECK(descriptor->first); /* Kiln compiles with line tables */
    struct entry *before = descriptor->first;
    for (int i = 0; i < 3; i++) {
        made input = live_compile(&l, KILN_OUTPUT_OBJECT, "debugged.c",
                                  text_of("int f%d(void) { return %d; }", i, i), debug);
        CHECK_STATUS(kiln_jit_add_bytes(l.dylib, text_of("f%d", i), input.bytes, input.size,
                                        &codes[i], &error),
                     KILN_OK, &error);
        CHECK_INT(live_int(&l, text_of("f%d", i)), i);
    }
    CHECK(descriptor->first->next->next->next == before);
    struct entry *last = descriptor->first;
    CHECK_STATUS(kiln_jit_remove(codes[1], &error), KILN_OK, &error);
    CHECK(descriptor->first == last && last->next->next == before &&
          before->previous == last->next);
    CHECK_STATUS(kiln_jit_remove(codes[2], &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_remove(codes[0], &error), KILN_OK, &error);
    CHECK(descriptor->first == before && !before->next && !before->previous);
    live_end(&l);
    CHECK(!descriptor->first);
}

TEST(perf_knows_names)
{
    live l = {.session = session_create(scratch("cache"), NULL)};
    kiln_error *error;
    char *map = text_of("/tmp/perf-%d.map", (int)getpid());
    unsigned long long begin, size;
    const kiln_jit_options options = {.size = sizeof options, .perf_map = true};
    CHECK_STATUS(kiln_jit_create(l.session, &options, &l.jit, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_dylib(l.jit, "main", NULL, &l.dylib, &error), KILN_OK, &error);
    live_add(
        &l, KILN_OUTPUT_OBJECT, "a.cpp",
        "namespace n { int f(int x) { return x; } } extern \"C\" int run() { return n::f(4); }");
    const void *run = (const void *)(uintptr_t)kiln_jit_function(l.dylib, "run", NULL);
    char *content = read_file(map, NULL), *at = strstr(content, " run\n");
    CHECK_CONTAINS(content, " n::f(int)\n");
    CHECK(at);
    while (at > content && at[-1] != '\n')
        at--;
    CHECK(sscanf(at, "%llx %llx run", &begin, &size) == 2);
    CHECK((uintptr_t)run == begin && size > 0);
    unlink(map);
    live_end(&l);
}

static void use_other(void *llvm)
{
    void *(*create)(void) = (void *(*)(void))(uintptr_t)dlsym(llvm, "LLVMContextCreate");
    void *(*module)(const char *, void *) = (void *(*)(const char *, void *))(uintptr_t)dlsym(
        llvm, "LLVMModuleCreateWithNameInContext");
    char *(*print)(void *) = (char *(*)(void *))(uintptr_t)dlsym(llvm, "LLVMPrintModuleToString");
    void (*dispose)(void *) = (void (*)(void *))(uintptr_t)dlsym(llvm, "LLVMDisposeModule");
    CHECK(create && module && print && dispose);
    void *made = module("other", create());
    CHECK_CONTAINS(print(made), "ModuleID = 'other'");
    dispose(made);
}

static void beside_another_llvm(bool first)
{
    static const char *const names[] = {"libLLVM.so.22.1", "libLLVM-22.so", "libLLVM.so.19.1",
                                        "libLLVM-14.so.1"};
    live l;
    void *llvm = NULL;
    if (!first)
        live_begin(&l);
    for (size_t i = 0; i < sizeof names / sizeof *names && !llvm; i++)
        llvm = dlopen(names[i], RTLD_NOW | RTLD_GLOBAL);
    if (!llvm)
        skip("no libLLVM is installed");
    if (first) {
        use_other(llvm);
        live_begin(&l);
    }
    live_add(&l, KILN_OUTPUT_OBJECT, "a.c", "int helper(void) { return 4; }");
    made input = live_compile(&l, KILN_OUTPUT_RAW_BITCODE, "b.c",
                              "int helper(void); int run(void) { return helper() * 10; }", NULL);
    CHECK_STATUS(kiln_jit_add_lazy(l.dylib, "b", input.bytes, input.size, NULL, NULL, NULL),
                 KILN_OK, NULL);
    CHECK_INT(live_int(&l, "run"), 40);
    use_other(llvm);
    live_end(&l);
    use_other(llvm);
}

TEST(another_llvm_before_it)
{
    beside_another_llvm(true);
}

TEST(another_llvm_after_it)
{
    beside_another_llvm(false);
}
