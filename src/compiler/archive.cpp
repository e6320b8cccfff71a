// archive.cpp - archives and merged bitcode. See archive.h.
#include "compiler/archive.h"
#include "compiler/ir_module.h"
#include "compiler/memory_file.h"

#include "llvm/BinaryFormat/Magic.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Linker/Linker.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <cstring>

namespace kiln
{
namespace
{

int output_of(llvm::StringRef bytes, DiagnosticList &list)
{
    int fd = memory_file_with("kiln", bytes, /*executable=*/false);
    if (fd < 0)
        list.add(Severity::Error, std::string("cannot make a memory file: ") + strerror(errno));
    return fd;
}

std::unique_ptr<llvm::MemoryBuffer> read_input(const std::string &name, DiagnosticList &list)
{
    auto buffer =
        llvm::MemoryBuffer::getFile(name, /*IsText=*/false, /*RequiresNullTerminator=*/false);
    if (buffer)
        return std::move(*buffer);
    list.add(Severity::Error, "cannot read '" + name + "': " + buffer.getError().message());
    return nullptr;
}

// Whether an archive can hold it to any use: an ELF object or bitcode.
bool is_member(const llvm::MemoryBuffer &buffer)
{
    llvm::file_magic magic = llvm::identify_magic(buffer.getBuffer());
    return magic == llvm::file_magic::elf_relocatable || magic == llvm::file_magic::bitcode;
}

// "src/a.c" is "a.c.o" in an archive: what is extracted must not take the place of the source.
std::string member_name(llvm::StringRef title)
{
    llvm::StringRef name = llvm::sys::path::filename(title);
    return name.ends_with(".o") ? name.str() : name.str() + ".o";
}

} // namespace

int write_archive(const std::vector<ArchiveInput> &inputs, DiagnosticList &list)
{
    std::vector<llvm::NewArchiveMember> members;
    for (const ArchiveInput &input : inputs) {
        auto buffer = read_input(input.path, list);
        if (!buffer)
            return -1;
        if (!is_member(*buffer)) {
            list.add(Severity::Error,
                     "'" + input.title +
                         "' is no object or bitcode file, so it cannot go into an archive");
            return -1;
        }
        llvm::NewArchiveMember member;
        member.Buf =
            llvm::MemoryBuffer::getMemBufferCopy(buffer->getBuffer(), member_name(input.title));
        member.MemberName = member.Buf->getBufferIdentifier();
        members.push_back(std::move(member));
    }
    auto archive = llvm::writeArchiveToBuffer(members, llvm::SymtabWritingMode::NormalSymtab,
                                              llvm::object::Archive::K_GNU, /*Deterministic=*/true,
                                              /*Thin=*/false);
    if (archive)
        return output_of((*archive)->getBuffer(), list);
    list.add(Severity::Error, "cannot make an archive: " + toString(archive.takeError()));
    return -1;
}

int merge_bitcode(const std::vector<std::string> &names, DiagnosticList &list)
{
    llvm::LLVMContext context;
    context.setDiagnosticHandler(back_end_messages(list));
    llvm::Module merged("kiln", context);
    llvm::Linker linker(merged);
    for (const std::string &name : names) {
        auto buffer = read_input(name, list);
        if (!buffer)
            return -1;
        llvm::file_magic magic = llvm::identify_magic(buffer->getBuffer());
        if (magic != llvm::file_magic::bitcode && magic != llvm::file_magic::unknown) {
            list.add(Severity::Error,
                     "'" + name + "' is no LLVM code, so it cannot be merged into bitcode");
            return -1;
        }
        auto module = read_module(*buffer, context, list);
        if (!module)
            return -1;
        bool failed = linker.linkInModule(std::move(module));
        if (failed && !list.has_errors())
            list.add(Severity::Error, "'" + name + "' cannot be merged with the modules before it");
        if (failed)
            return -1;
    }
    llvm::SmallVector<char, 0> bytes;
    llvm::raw_svector_ostream stream(bytes);
    llvm::WriteBitcodeToFile(merged, stream);
    return output_of(llvm::StringRef(bytes.data(), bytes.size()), list);
}

} // namespace kiln
