// addresses.cpp - see addresses.h.
#include "jit/addresses.h"

#include <dlfcn.h>
#include <link.h>

namespace kiln
{

using namespace llvm;

void *Addresses::find(StringRef name)
{
    std::string text = name.str();
    Dl_info information;
    EmulatedTls control;
    // One thread's variable is no other's. The loader has no name for any of these.
    if (void *address = find_(text.c_str()))
        return dladdr(address, &information) || !runtime_describe_native_tls(address, control)
                   ? address
                   : nullptr;
    if (!name.consume_front(emulated_tls_prefix))
        return nullptr;
    text = name.str();
    void *variable = find_(text.c_str());
    if (!variable || !runtime_describe_native_tls(variable, control))
        return nullptr;
    return &natives_.emplace_back(control);
}

void *find_in_library(void *library, const char *name)
{
    Dl_info information;
    link_map *map = nullptr;
    void *address = dlsym(library, name);
    bool is_own =
        address &&
        dladdr1(address, &information, reinterpret_cast<void **>(&map), RTLD_DL_LINKMAP) &&
        map == library;
    // Of a thread-local variable the loader knows no more than that.
    EmulatedTls control;
    return is_own || (address && runtime_describe_native_tls(address, control)) ? address : nullptr;
}

static void *find_in_libm(const char *name)
{
    static void *library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
    return library ? find_in_library(library, name) : nullptr;
}

void *find_in_process(const char *name)
{
    // Not RTLD_DEFAULT, which would bind what it finds to the plugin, for good.
    static void *program = dlopen(nullptr, RTLD_NOW);
    if (void *address = dlsym(program, name))
        return address;
    StringRef text = name;
    if (text.starts_with("_Unwind_") || text == "__stack_chk_fail") {
        static void *unwinder = dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_LOCAL);
        return unwinder ? dlsym(unwinder, name) : nullptr;
    }
    if (!text.starts_with("_Z") && !text.starts_with("__cxa_") && !text.starts_with("__gxx_") &&
        text != "__dynamic_cast" && text != "__once_proxy")
        return find_in_libm(name);
    static void *library = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL);
    return library ? dlsym(library, name) : nullptr;
}

} // namespace kiln
