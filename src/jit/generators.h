// generators.h - where names come from that no code defines: each is asked when nothing else knows a
// name.
#pragma once

#include "jit/addresses.h"
#include "jit/object_symbols.h"

#include "llvm/ExecutionEngine/Orc/Core.h"
#include "llvm/Support/MemoryBuffer.h"

#include <functional>
#include <map>

namespace kiln
{

// What is there already, under an address.
class AddressGenerator : public llvm::orc::DefinitionGenerator
{
  public:
    // Weak references: found like all others, or left as they are, as linkers do with archives.
    enum class Weak { Found, Left };
    using Lend = std::function<void(const void *address)>; // code is about to get it
    AddressGenerator(Addresses addresses, Lend lend, llvm::orc::ResourceTrackerSP tracker,
                     Weak weak = Weak::Found)
        : addresses_(std::move(addresses)), lend_(std::move(lend)), tracker_(std::move(tracker)),
          weak_(weak)
    {
    }
    llvm::Error tryToGenerate(llvm::orc::LookupState &, llvm::orc::LookupKind,
                              llvm::orc::JITDylib &dylib, llvm::orc::JITDylibLookupFlags,
                              const llvm::orc::SymbolLookupSet &names) override;

  private:
    Addresses addresses_;
    const Lend lend_; // may be empty
    llvm::orc::ResourceTrackerSP tracker_;
    const Weak weak_;
};

// Members of a static archive, added as they are needed.
class ArchiveGenerator : public llvm::orc::DefinitionGenerator
{
  public:
    using Add = std::function<llvm::Error(llvm::MemoryBufferRef member)>;
    using Offer = llvm::function_ref<void(const ObjectSymbol &symbol)>;
    // offer: is told what members define for others.
    static llvm::Expected<std::unique_ptr<ArchiveGenerator>>
    create(std::unique_ptr<llvm::MemoryBuffer> bytes, Add add, Offer offer);
    llvm::Error tryToGenerate(llvm::orc::LookupState &, llvm::orc::LookupKind,
                              llvm::orc::JITDylib &, llvm::orc::JITDylibLookupFlags,
                              const llvm::orc::SymbolLookupSet &names) override;

  private:
    struct Member {
        std::unique_ptr<llvm::MemoryBuffer> bytes;
        bool is_added = false;
    };
    ArchiveGenerator() = default;
    llvm::Error index(llvm::MemoryBufferRef member, Offer offer);

    std::vector<Member> members_;
    std::map<std::string, size_t, std::less<>> index_; // of members_, by what they define
    Add add_;
};

// Something that is made when a name is asked for first.
class PromiseGenerator : public llvm::orc::DefinitionGenerator
{
  public:
    using Wants = std::function<bool(llvm::StringRef name)>;
    // made: what else can define names from now on, which ORC asks from the next look-up on.
    using Make = std::function<llvm::Error(std::vector<llvm::orc::DefinitionGenerator *> &made)>;
    PromiseGenerator(Wants wants, Make make) : wants_(std::move(wants)), make_(std::move(make)) {}
    llvm::Error tryToGenerate(llvm::orc::LookupState &, llvm::orc::LookupKind,
                              llvm::orc::JITDylib &, llvm::orc::JITDylibLookupFlags,
                              const llvm::orc::SymbolLookupSet &names) override;
    // Make it now, if it is not made. made: as above.
    llvm::Error keep(std::vector<llvm::orc::DefinitionGenerator *> &made);

  private:
    Wants wants_;
    Make make_; // empty once it has succeeded, and while it works
};

} // namespace kiln
