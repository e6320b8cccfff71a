// engine_image.cpp - an engine: objects that JITLink cannot link, which become images.
#include "jit/engine.h"
#include "jit/object_symbols.h"
#include "jit/refuse.h"

namespace kiln
{

using namespace llvm;

struct Engine::Image {
    std::unique_ptr<orc::MaterializationResponsibility> responsibility;
    std::unique_ptr<MemoryBuffer> object;
    orc::SymbolLookupSet needs;               // of others
    std::vector<orc::SymbolStringPtr> strong; // those that have to be there
    bool needs_cxx = false;                   // the run-time library of C++
};

// What it needs. Thread-local variables are left out, since an image finds these by itself.
static Error read_needs(MemoryBufferRef object, orc::ExecutionSession &session,
                        orc::SymbolLookupSet &needs, std::vector<orc::SymbolStringPtr> &strong,
                        bool &needs_cxx)
{
    static constexpr StringLiteral own[] = {"_GLOBAL_OFFSET_TABLE_", "__dso_handle",
                                            "__tls_get_addr"};
    Error error = visit_object_symbols(object, [&](const ObjectSymbol &symbol) {
        needs_cxx |= symbol.name.starts_with("_Z") || symbol.name.starts_with("__gxx_");
        if (symbol.is_defined || symbol.name.empty() || symbol.is_thread_local ||
            is_contained(own, symbol.name))
            return;
        // The image engine finds what the process has by itself.
        needs.add(session.intern(symbol.name), orc::SymbolLookupFlags::WeaklyReferencedSymbol);
        if (!symbol.is_weak)
            strong.push_back(session.intern(symbol.name));
    });
    needs.sortByAddress();
    needs.removeDuplicates();
    return error;
}

void Engine::emit_image(std::unique_ptr<orc::MaterializationResponsibility> responsibility,
                        std::unique_ptr<MemoryBuffer> object)
{
    auto image = std::make_shared<Image>();
    image->responsibility = std::move(responsibility);
    image->object = std::move(object);
    if (Error error = read_needs(image->object->getMemBufferRef(), *session_, image->needs,
                                 image->strong, image->needs_cxx))
        return fail(std::move(image->responsibility), std::move(error));
    // What takes libc's place for the engine's own code is not for an image, which has a __dso_handle
    // of its own.
    orc::JITDylibSearchOrder order;
    image->responsibility->getTargetJITDylib().withLinkOrderDo(
        [&](const orc::JITDylibSearchOrder &own) { order = own; });
    erase_if(order, [&](const auto &item) { return item.first == runtime_; });
    session_->lookup(
        orc::LookupKind::Static, order, image->needs, orc::SymbolState::Ready,
        [this, image, behind = order.back()](Expected<orc::SymbolMap> addresses) {
            if (!addresses)
                return fail(std::move(image->responsibility), addresses.takeError());
            // The library path hears of what has to be there, alone.
            for (const orc::SymbolStringPtr &name : image->strong) {
                if (addresses->count(name))
                    continue;
                auto found = session_->lookup({behind}, name);
                if (found)
                    (*addresses)[name] = *found;
                else
                    consumeError(found.takeError());
            }
            load_image(*image, *addresses);
        },
        orc::NoDependenciesToRegister);
}

void Engine::load_image(Image &image, const orc::SymbolMap &addresses)
{
    const jit_host &host = config_.host;
    std::vector<jit_symbol> symbols;
    void *library = nullptr;
    kiln_error *error = nullptr;
    Owner owner = {};
    consumeError(image.responsibility->withResourceKeyDo([&](orc::ResourceKey key) {
        if (auto found = by_key_.find(key); found != by_key_.end())
            owner = found->second;
    }));
    if (!owner.code)
        return fail(std::move(image.responsibility), refuse("it was removed meanwhile"));
    std::vector<const void *> needs;
    for (const auto &[name, definition] : addresses) {
        needs.push_back(definition.getAddress().toPtr<const void *>());
        symbols.push_back({(*name).data(), definition.getAddress().toPtr<void *>()});
    }
    if (Error error = check_references(*owner.code, needs))
        return fail(std::move(image.responsibility), std::move(error));
    if (refer_to(needs, lost_))
        return fail(std::move(image.responsibility),
                    refuse_as(KILN_BIND, "something that it needs was removed meanwhile"));
    // From here on, since constructors may remove things.
    std::vector<jit_code *> used;
    for (const void *address : needs)
        visit_owners(address, [&](jit_code &other, Linked *) {
            if (&other != owner.code && other.users.insert(owner.code).second)
                used.push_back(&other);
        });
    // Its constructors may call what was linked for it.
    initialise(take_pending());
    kiln_status status =
        host.load_object(host.data, image.object->getBufferIdentifier().str().c_str(),
                         image.object->getBufferStart(), image.object->getBufferSize(),
                         image.needs_cxx, symbols.data(), symbols.size(), &library, &error);
    if (status != KILN_OK) {
        std::string reason = owner.unit ? owner.unit->reason : "";
        Error failed = refuse_as(status, "'" + image.object->getBufferIdentifier() +
                                             "' needs a linker, since " + reason + ": " +
                                             host.error_text(error));
        host.error_destroy(error);
        for (auto &code : code_)
            if (is_contained(used, code.get()))
                code->users.erase(owner.code);
        return fail(std::move(image.responsibility), std::move(failed));
    }
    if (owner.unit)
        owner.unit->bytes.reset();
    owner.code->libraries.push_back(library);
    link_count_++;
    finish_image(std::move(image.responsibility), *owner.code, library);
}

// Tell ORC the addresses of what an image has defined.
void Engine::finish_image(std::unique_ptr<orc::MaterializationResponsibility> responsibility,
                          jit_code &code, void *library)
{
    const jit_host &host = config_.host;
    Addresses image(
        [&host, library](const char *name) { return host.library_symbol(library, name); },
        *natives_);
    orc::SymbolMap found;
    for (const auto &[name, flags] : responsibility->getSymbols()) {
        void *address = image.find(*name);
        if (!address && flags.isExported() && !flags.hasMaterializationSideEffectsOnly())
            return fail(std::move(responsibility),
                        refuse("the image has no symbol '" + *name + "'"));
        if (address)
            lent_[address].insert(&code);
        found[name] = {orc::ExecutorAddr::fromPtr(address), flags};
    }
    Error error = responsibility->notifyResolved(found);
    if (!error)
        error = responsibility->notifyEmitted({});
    if (error)
        fail(std::move(responsibility), std::move(error));
}

} // namespace kiln
