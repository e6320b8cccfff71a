// elf_image.h - what Kiln reads from, and changes in, ELF files around a link.
//
// Reads only what LLVM's checked ELF reader accepts: a bad file yields nothing, and LLD is the one
// to complain about it.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Error.h"

#include <set>
#include <string>
#include <vector>

namespace kiln
{

// An exported definition of an image.
struct ImageSymbol {
    std::string name;
    unsigned kind; // as kiln_symbol_kind of kiln.h
    uint64_t size;
    bool weak;
};

using SymbolNames = std::set<std::string, std::less<>>;

// Add the weak (or unique) data and thread-local definitions of an object, or of every member of an
// archive: the symbols that must stay one across images. Type information and tables of virtual
// functions are data like that.
void collect_weak_data(llvm::StringRef file, SymbolNames &names);

// Names that a shared object defines without a version.
void collect_unversioned(llvm::StringRef file, llvm::StringSet<> &names);

// What an image exports, sorted by name; and the weak data in it.
struct ImageContents {
    std::vector<ImageSymbol> symbols;
    SymbolNames weak_data;
};
llvm::Expected<ImageContents> read_image(llvm::StringRef image);

struct PatchRequest {
    llvm::StringSet<> dependency_ids;
    llvm::StringSet<> host_symbols;
    llvm::StringSet<>
        provided; // unversioned definitions of shared libraries: those win over host symbols
};

// Change an image in place, once, after its link:
//  - references to dependencies take definitions of the right version alone (else glibc would take
//    the host's unversioned ones);
//  - its own strong thread-local variables are bound to it;
//  - references to host symbols get the high bit of their name's first byte set: no name that the
//    process exports is like that.
// *used_host_symbols: the latter, sorted.
llvm::Error patch_image(llvm::MutableArrayRef<char> image, const PatchRequest &request,
                        std::vector<std::string> &used_host_symbols);

} // namespace kiln
