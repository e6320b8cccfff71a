// local_names.cpp - through LLVM's objcopy. See local_names.h.
#include "compiler/local_names.h"

#include "llvm/ObjCopy/ConfigManager.h"
#include "llvm/ObjCopy/ObjCopy.h"
#include "llvm/Object/ELFObjectFile.h"

namespace kiln
{
namespace
{

// Tell objcopy what to do with each symbol that has the suffix. Names stay where they are: in the
// object.
llvm::Error configure(const llvm::object::ObjectFile &object, llvm::StringRef suffix,
                      llvm::objcopy::CommonConfig &config)
{
    using llvm::objcopy::NameOrPattern;
    auto pass_on = [](llvm::Error error) { return error; };
    for (const llvm::object::SymbolRef &symbol : object.symbols()) {
        auto name = symbol.getName();
        if (!name)
            return name.takeError();
        if (!name->ends_with(suffix))
            continue;
        auto matcher = NameOrPattern::create(*name, llvm::objcopy::MatchStyle::Literal, pass_on);
        if (llvm::Error error = config.SymbolsToLocalize.addMatcher(std::move(matcher)))
            return error;
        config.SymbolsToRename[*name] = name->drop_back(suffix.size());
    }
    return llvm::Error::success();
}

llvm::Error rewrite(llvm::StringRef object, llvm::StringRef suffix, OutputBytes &bytes)
{
    auto file = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(object, ""));
    if (!file)
        return file.takeError();
    llvm::objcopy::ConfigManager config;
    if (llvm::Error error = configure(**file, suffix, config.Common))
        return error;
    bytes.clear();
    llvm::raw_svector_ostream stream(bytes);
    return llvm::objcopy::executeObjcopyOnBinary(config, **file, stream);
}

} // namespace

bool restore_local_names(llvm::StringRef object, llvm::StringRef suffix, OutputBytes &bytes,
                         DiagnosticList &list)
{
    llvm::Error error = rewrite(object, suffix, bytes);
    if (!error)
        return true;
    list.add(Severity::Error, "the merged object is unreadable: " + toString(std::move(error)));
    return false;
}

} // namespace kiln
