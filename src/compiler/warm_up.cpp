// warm_up.cpp - warming of zygote and children. See warm_up.h.
#include "compiler/warm_up.h"
#include "compiler/link.h"
#include "compiler/memory_file.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"

#include <unistd.h>

namespace kiln
{
namespace
{

constexpr const char *warm_directory = "/kiln-warm-up";
constexpr const char *warm_source = "/kiln-warm-up/warm.c";
// Small, but it takes the parser, the optimiser and the code generator through what most sources need.
constexpr const char *warm_text = "static int square(int x) { return x * x; }\n"
                                  "extern int other(const char *, ...);\n"
                                  "double scale = 2.5;\n"
                                  "int warm(int n, const double *v) {\n"
                                  "    int sum = 0;\n"
                                  "    for (int i = 0; i < n; i++) sum += square(i) + (int)(v[i] * scale);\n"
                                  "    return sum ? sum : other(\"%d\", n);\n"
                                  "}\n";

} // namespace

void register_targets()
{
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
}

void warm_zygote()
{
    Surroundings surroundings;
    surroundings.directory = "/";
    surroundings.virtual_directory = warm_directory;
    surroundings.memory_files = llvm::makeIntrusiveRefCnt<llvm::vfs::InMemoryFileSystem>();
    surroundings.memory_files->addFile(warm_source, 0, llvm::MemoryBuffer::getMemBuffer(warm_text));

    CompileRequest request;
    request.source = warm_source;
    request.arguments = {"-O2", "-gline-tables-only", "-fPIC"};
    CompileResult compiled = compile(request, surroundings);
    if (!compiled.output)
        return; // an incomplete installation; the first job is going to say so
    LinkRequest to_link;
    to_link.arguments = request.arguments;
    to_link.image_id = "kiln-warm-up";
    int object = memory_file_with("kiln-warm-up", {compiled.output->data(), compiled.output->size()}, false);
    to_link.inputs.push_back({"warm.o", "", object, false});
    LinkResult linked = link(to_link, surroundings);
    if (linked.output_fd >= 0)
        close(linked.output_fd);
    close(object);
}

} // namespace kiln
