// generators.cpp - see generators.h.
#include "jit/generators.h"

#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"

namespace kiln
{

using namespace llvm;

void *AddressGenerator::find(StringRef name)
{
    std::string text = name.str();
    if (void *address = find_(text.c_str()))
        return address;
    if (!name.consume_front(emulated_tls_prefix))
        return nullptr;
    text = name.str();
    void *variable = find_(text.c_str());
    EmulatedTls control;
    if (!variable || !runtime_describe_native_tls(variable, control))
        return nullptr;
    native_.push_back(control);
    return &native_.back();
}

Error AddressGenerator::tryToGenerate(orc::LookupState &, orc::LookupKind, orc::JITDylib &dylib,
                                      orc::JITDylibLookupFlags, const orc::SymbolLookupSet &names)
{
    orc::SymbolMap found;
    for (const auto &[name, flags] : names)
        if (void *address = find(*name))
            found[name] = {orc::ExecutorAddr::fromPtr(address), JITSymbolFlags::Exported};
    return found.empty() ? Error::success()
                         : dylib.define(orc::absoluteSymbols(std::move(found)), tracker_);
}

Expected<std::unique_ptr<ArchiveGenerator>>
ArchiveGenerator::create(std::unique_ptr<MemoryBuffer> bytes, Add add)
{
    std::unique_ptr<ArchiveGenerator> made(new ArchiveGenerator);
    auto archive = object::Archive::create(bytes->getMemBufferRef());
    if (!archive)
        return archive.takeError();
    if ((*archive)->isThin())
        return make_error<StringError>("it is a thin archive, which holds no members",
                                       inconvertibleErrorCode());
    if (!(*archive)->hasSymbolTable() && !(*archive)->isEmpty())
        return make_error<StringError>("it has no index: run `ranlib` on it",
                                       inconvertibleErrorCode());
    for (const object::Archive::Symbol &symbol : (*archive)->symbols()) {
        auto member = symbol.getMember();
        if (!member)
            return member.takeError();
        made->index_.try_emplace(symbol.getName().str(), *member);
    }
    made->bytes_ = std::move(bytes);
    made->archive_ = std::move(*archive);
    made->add_ = std::move(add);
    return made;
}

Error ArchiveGenerator::tryToGenerate(orc::LookupState &, orc::LookupKind, orc::JITDylib &,
                                      orc::JITDylibLookupFlags, const orc::SymbolLookupSet &names)
{
    for (const auto &[name, flags] : names) {
        auto found = index_.find(*name);
        if (found == index_.end() || !added_.insert(found->second.getChildOffset()).second)
            continue;
        auto member = found->second.getMemoryBufferRef();
        if (!member)
            return member.takeError();
        std::string label =
            (bytes_->getBufferIdentifier() + "(" + member->getBufferIdentifier() + ")").str();
        // Copied: members of an archive need not be aligned.
        members_.push_back(MemoryBuffer::getMemBufferCopy(member->getBuffer(), label));
        if (Error error = add_(members_.back()->getMemBufferRef()))
            return error;
    }
    return Error::success();
}

Error PromiseGenerator::tryToGenerate(orc::LookupState &, orc::LookupKind, orc::JITDylib &,
                                      orc::JITDylibLookupFlags, const orc::SymbolLookupSet &names)
{
    if (!make_ || none_of(names, [&](const auto &item) { return wants_(*item.first); }))
        return Error::success();
    Make make = std::move(make_);
    make_ = nullptr;
    return make();
}

} // namespace kiln
