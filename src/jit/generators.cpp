// generators.cpp - see generators.h.
#include "jit/generators.h"
#include "jit/refuse.h"

#include "llvm/BinaryFormat/ELF.h"
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/Object/Archive.h"

namespace kiln
{

using namespace llvm;

Error AddressGenerator::tryToGenerate(orc::LookupState &, orc::LookupKind, orc::JITDylib &dylib,
                                      orc::JITDylibLookupFlags, const orc::SymbolLookupSet &names)
{
    orc::SymbolMap found;
    for (const auto &[name, flags] : names) {
        if (weak_ == Weak::Left && flags == orc::SymbolLookupFlags::WeaklyReferencedSymbol)
            continue;
        void *address = addresses_.find(*name);
        if (!address)
            continue;
        if (lend_)
            lend_(address);
        found[name] = {orc::ExecutorAddr::fromPtr(address), JITSymbolFlags::Exported};
    }
    return found.empty() ? Error::success()
                         : dylib.define(orc::absoluteSymbols(std::move(found)), tracker_);
}

// What a member defines, by its own symbol table: that of the archive may be missing, or wrong.
Error ArchiveGenerator::index(MemoryBufferRef member, Offer offer)
{
    size_t number = members_.size() - 1;
    return visit_object_symbols(member, [&](const ObjectSymbol &symbol) {
        if (symbol.is_defined && !symbol.is_local &&
            index_.try_emplace(symbol.name.str(), number).second && !symbol.is_hidden)
            offer(symbol);
    });
}

Expected<std::unique_ptr<ArchiveGenerator>>
ArchiveGenerator::create(std::unique_ptr<MemoryBuffer> bytes, Add add, Offer offer)
{
    std::unique_ptr<ArchiveGenerator> made(new ArchiveGenerator);
    auto archive = object::Archive::create(bytes->getMemBufferRef());
    if (!archive)
        return archive.takeError();
    if ((*archive)->isThin())
        return refuse("it is a thin archive, which holds no members");
    Error error = Error::success();
    for (const object::Archive::Child &child : (*archive)->children(error)) {
        auto member = child.getMemoryBufferRef();
        if (!member) {
            consumeError(std::move(error));
            return member.takeError();
        }
        // LLVM does not look whether a member ends within the archive.
        if (member->getBufferEnd() > bytes->getBufferEnd()) {
            consumeError(std::move(error));
            return refuse("it ends within a member");
        }
        // As linkers do: what is no object is none of their business.
        if (!member->getBuffer().starts_with(StringRef(ELF::ElfMagic, 4)))
            continue;
        std::string label =
            (bytes->getBufferIdentifier() + "(" + member->getBufferIdentifier() + ")").str();
        // Copied: members of an archive need not be aligned.
        made->members_.push_back({MemoryBuffer::getMemBufferCopy(member->getBuffer(), label)});
        if (Error failed = made->index(made->members_.back().bytes->getMemBufferRef(), offer)) {
            consumeError(std::move(error));
            return failed;
        }
    }
    if (error)
        return error;
    made->add_ = std::move(add);
    return made;
}

Error ArchiveGenerator::tryToGenerate(orc::LookupState &, orc::LookupKind, orc::JITDylib &,
                                      orc::JITDylibLookupFlags, const orc::SymbolLookupSet &names)
{
    for (const auto &[name, flags] : names) {
        auto found = index_.find(*name);
        if (found == index_.end() || std::exchange(members_[found->second].is_added, true))
            continue;
        Member &member = members_[found->second];
        Error error = add_(member.bytes->getMemBufferRef());
        // What it clashes with may be gone by the next time.
        member.is_added = !error;
        if (error)
            return error;
    }
    return Error::success();
}

Error PromiseGenerator::keep(std::vector<orc::DefinitionGenerator *> &made)
{
    if (!make_)
        return Error::success();
    Make make = std::move(make_);
    make_ = nullptr;
    Error error = make(made);
    // What was wrong with a source may be mended by the next time.
    if (error)
        make_ = std::move(make);
    return error;
}

Error PromiseGenerator::tryToGenerate(orc::LookupState &state, orc::LookupKind kind,
                                      orc::JITDylib &dylib, orc::JITDylibLookupFlags flags,
                                      const orc::SymbolLookupSet &names)
{
    if (none_of(names, [&](const auto &item) { return wants_(*item.first); }))
        return Error::success();
    std::vector<orc::DefinitionGenerator *> made;
    Error error = keep(made);
    for (orc::DefinitionGenerator *generator : made)
        if (!error)
            error = generator->tryToGenerate(state, kind, dylib, flags, names);
    return error;
}

} // namespace kiln
