// addresses.h - symbols that are found by their names: of a shared library, of the process, of a library
// of the image engine.
#pragma once

#include "jit/runtime.h"

#include <functional>
#include <list>

namespace kiln
{

// A function that finds names, and what code that uses them needs: for "__emutls_v.NAME", where nobody
// defines that, the description of the native thread-local variable NAME.
class Addresses
{
  public:
    using Find = std::function<void *(const char *name)>; // NULL: there is none
    // natives: where descriptions stay, for as long as any code reads them.
    Addresses(Find find, std::list<EmulatedTls> &natives)
        : find_(std::move(find)), natives_(natives)
    {
    }
    void *find(llvm::StringRef name); // NULL: there is none

  private:
    Find find_;
    std::list<EmulatedTls> &natives_;
};

// A shared library's own definition, not one of the libraries that it needs. library: a handle of dlopen.
void *find_in_library(void *library, const char *name);

// What the process exports. A host in C need have neither the run-time library of C++ loaded nor libm;
// code that asks for one of them gets it.
void *find_in_process(const char *name);

} // namespace kiln
