/* Sources and headers that exist only in memory: both kinds of include, before -I and before the
 * file beside the source, in subdirectories, from each other; C, C++ and assembly; __FILE__ shows
 * the path that was given. */
#include "conformance.h"

#include <stdio.h>
#include <string.h>

static void add_source(kiln_spec *spec, const char *path, const char *text)
{
    CHECK_STATUS(kiln_spec_add_memory_source(spec, path, text, strlen(text), NULL), KILN_OK, NULL);
}

static void add_header(kiln_spec *spec, const char *path, const char *text)
{
    CHECK_STATUS(kiln_spec_add_memory_header(spec, path, text, strlen(text)), KILN_OK, NULL);
}

int main(void)
{
    kiln_spec *spec = kiln_spec_create("memory");
    kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){"-Idisk", NULL});
    add_header(spec, "both.h", "#define WHERE \"memory\"\n");
    add_header(spec, "sub/outer.h", "#include \"inner.h\"\n#include <top.h>\n");
    add_header(spec, "sub/inner.h", "#define INNER 5\n");
    add_header(spec, "top.h", "#pragma once\n#define TOP 6\n");
    add_source(spec, "main.c",
               "#include <both.h>\n"
               "#include \"sub/outer.h\"\n"
               "#include \"only_on_disk.h\"\n"
               "#include <stdio.h>\n"
               "#include <string.h>\n"
               "int cxx(void); int assembled(void); const char *quoted(void); const char "
               "*file_in_sub(void);\n"
               "int run(void)\n"
               "{\n"
               "    printf(\"%s %s %d %d %d\\n\", WHERE, quoted(), INNER, TOP, ONLY_ON_DISK);\n"
               "    printf(\"%s %d\\n\", strrchr(__FILE__, '/') ? strrchr(__FILE__, '/') + 1 : "
               "__FILE__, __LINE__);\n"
               "    const char *sub = strstr(file_in_sub(), \"sub/quoted.c\");\n"
               "    printf(\"%s\\n\", sub ? sub : file_in_sub());\n"
               "    printf(\"%d %d\\n\", cxx(), assembled());\n"
               "    return 0;\n"
               "}\n");
    add_source(spec, "sub/quoted.c",
               "#include \"both.h\"\n#include \"inner.h\"\n"
               "const char *quoted(void) { return WHERE; }\n"
               "const char *file_in_sub(void) { return __FILE__; }\n");
    add_source(
        spec, "unit.cpp",
        "#include <vector>\nextern \"C\" int cxx() { return std::vector<int>(7).size(); }\n");
    add_source(spec, "unit.S",
               "#include \"top.h\"\n"
               ".globl assembled\n.type assembled, @function\nassembled:\n movl $TOP, %eax\n ret\n"
               ".section .note.GNU-stack, \"\", @progbits\n");
    conformance_register(spec);
    kiln_library *library = conformance_load("memory");
    int status = call_int(library, "run");
    fflush(stdout);
    conformance_close(library);
    return status;
}
