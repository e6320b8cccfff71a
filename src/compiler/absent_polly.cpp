// absent_polly.cpp - Debian's Clang and LLD were built to register Polly's passes; its archive is
// not packaged and Kiln has no use for it. This is the plugin that does nothing.
#include "llvm/Plugins/PassPlugin.h"

llvm::PassPluginLibraryInfo getPollyPluginInfo();

llvm::PassPluginLibraryInfo getPollyPluginInfo()
{
    return {LLVM_PLUGIN_API_VERSION, "Polly", "none", [](llvm::PassBuilder &) {}, nullptr};
}
