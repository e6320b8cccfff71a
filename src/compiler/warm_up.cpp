// warm_up.cpp - warming of zygote and children. See warm_up.h.
#include "compiler/warm_up.h"
#include "compiler/link.h"
#include "compiler/memory_file.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"

#include <algorithm>
#include <link.h>
#include <malloc.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

namespace kiln
{
namespace
{

constexpr uintptr_t page_size = 4096; // x86-64's
constexpr uintptr_t fresh_heap_bytes = 4 << 20;
constexpr uintptr_t populate_step = 256 << 10;
constexpr int patience_ms = 2;

constexpr const char *warm_directory = "/kiln-warm-up";
constexpr const char *warm_source = "/kiln-warm-up/warm.c";
// Small, but it takes the parser, the optimiser and the code generator through what most sources
// need.
constexpr const char *warm_text =
    "static int square(int x) { return x * x; }\n"
    "extern int other(const char *, ...);\n"
    "double scale = 2.5;\n"
    "int warm(int n, const double *v) {\n"
    "    int sum = 0;\n"
    "    for (int i = 0; i < n; i++) sum += square(i) + (int)(v[i] * scale);\n"
    "    return sum ? sum : other(\"%d\", n);\n"
    "}\n";

struct Range {
    uintptr_t begin, end;
};

// The pages of this program's segments that are, or are not, writable.
std::vector<Range> program_segments(bool writable)
{
    struct Search {
        bool writable;
        std::vector<Range> found;
    } search{writable, {}};
    auto visit = [](dl_phdr_info *info, size_t, void *data) {
        auto &wanted = *static_cast<Search *>(data);
        for (int i = 0; i < info->dlpi_phnum; i++) {
            const ElfW(Phdr) &segment = info->dlpi_phdr[i];
            if (segment.p_type != PT_LOAD || bool(segment.p_flags & PF_W) != wanted.writable)
                continue;
            uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
            wanted.found.push_back({begin & ~(page_size - 1),
                                    (begin + segment.p_memsz + page_size - 1) & ~(page_size - 1)});
        }
        return 1; // the program itself comes first
    };
    dl_iterate_phdr(visit, &search);
    return search.found;
}

// fork() leaves out the page tables of mappings that hold file pages alone: the child finds each
// page by a fault. Once such a mapping holds one private page its table is copied, at a fraction of
// the faults' price. So every segment of the program gets one, a copy of its first. Where a system
// forbids that, children are slower to start, and that is all.
void give_children_our_page_tables()
{
    for (const Range &segment : program_segments(/*writable=*/false)) {
        void *begin = reinterpret_cast<void *>(segment.begin);
        size_t size = segment.end - segment.begin;
        bool is_code = &register_targets >= begin && segment.end > uintptr_t(&register_targets);
        int protection = PROT_READ | (is_code ? PROT_EXEC : 0);
        if (mprotect(begin, size, protection | PROT_WRITE) != 0)
            continue;
        auto *first = static_cast<volatile char *>(begin);
        *first = *first;
        mprotect(begin, size, protection);
    }
}

// Allocated memory, and as much beyond as a small job uses.
Range heap_in_use()
{
    struct mallinfo2 heap = mallinfo2();
    uintptr_t end = uintptr_t(sbrk(0));
    uintptr_t used_end = end - heap.keepcost;
    return {(end - heap.arena) & ~(page_size - 1),
            std::min(end, used_end + fresh_heap_bytes) & ~(page_size - 1)};
}

bool has_assignment(int channel, int timeout_ms)
{
    pollfd watched{channel, POLLIN, 0};
    return poll(&watched, 1, timeout_ms) != 0;
}

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
    int object =
        memory_file_with("kiln-warm-up", {compiled.output->data(), compiled.output->size()}, false);
    to_link.inputs.push_back({"warm.o", "", object, false});
    LinkResult linked = link(to_link, surroundings);
    if (linked.output_fd >= 0)
        close(linked.output_fd);
    close(object);
    give_children_our_page_tables();
}

void warm_child(int channel)
{
    // Where jobs follow one another closely this would only delay them.
    if (has_assignment(channel, patience_ms))
        return;
    std::vector<Range> ranges = program_segments(/*writable=*/true);
    ranges.push_back(heap_in_use());
    for (const Range &range : ranges) {
        for (uintptr_t at = range.begin; at < range.end; at += populate_step) {
            madvise(reinterpret_cast<void *>(at), std::min(populate_step, range.end - at),
                    MADV_POPULATE_WRITE);
            if (has_assignment(channel, 0))
                return;
        }
    }
}

} // namespace kiln
