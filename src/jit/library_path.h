// library_path.h - shared libraries of some directories, which are loaded when a symbol of theirs is
// missing.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace kiln
{

// For one thread at a time.
class LibraryPath
{
  public:
    using Complain = std::function<void(const std::string &text)>;
    // complain: of a symbol that only libraries have which cannot be loaded.
    LibraryPath(std::vector<std::string> directories, Complain complain)
        : directories_(std::move(directories)), complain_(std::move(complain))
    {
    }
    // The first library that exports the name is loaded, for good; in the order of the directories, then
    // of their names. NULL: none does.
    void *find(const char *name);

  private:
    struct Library {
        std::string path;
        void *handle = nullptr;
    };
    struct Export {
        uint64_t name; // a digest
        uint32_t library;
    };

    bool have_changed();
    void read();
    void read_library(const std::string &path);
    void *find_known(const char *name);

    const std::vector<std::string> directories_;
    const Complain complain_;
    std::vector<std::string> states_; // of the directories, when they were read
    std::vector<Library> libraries_;
    std::vector<Export> exports_; // sorted
};

} // namespace kiln
