// units.cpp - see units.h.
#include "jit/units.h"
#include "jit/ir_code.h"

#include "llvm/ExecutionEngine/Orc/Layer.h"
#include "llvm/ExecutionEngine/Orc/ObjectFileInterface.h"
#include "llvm/Object/ELFObjectFile.h"

namespace kiln
{

using namespace llvm;

namespace
{

class ObjectUnit : public orc::MaterializationUnit
{
  public:
    ObjectUnit(Engine &engine, Interface interface, std::unique_ptr<MemoryBuffer> object,
               bool as_image)
        : MaterializationUnit(std::move(interface)), engine_(engine), object_(std::move(object)),
          as_image_(as_image)
    {
    }
    StringRef getName() const override
    {
        return object_->getBufferIdentifier();
    }

  private:
    void materialize(std::unique_ptr<orc::MaterializationResponsibility> responsibility) override
    {
        if (as_image_)
            engine_.emit_image(std::move(responsibility), std::move(object_));
        else
            engine_.emit_object(std::move(responsibility), std::move(object_));
    }
    // JITLink asks which definitions count.
    void discard(const orc::JITDylib &, const orc::SymbolStringPtr &) override {}

    Engine &engine_;
    std::unique_ptr<MemoryBuffer> object_;
    bool as_image_;
};

class ModuleUnit : public orc::IRMaterializationUnit
{
  public:
    ModuleUnit(Engine &engine, orc::ExecutionSession &session,
               const orc::IRSymbolMapper::ManglingOptions &options, orc::ThreadSafeModule module)
        : IRMaterializationUnit(session, options, std::move(module)), engine_(engine)
    {
        TSM.withModuleDo([&](Module &module) {
            ir_assembly_symbols(module, [&](StringRef name, JITSymbolFlags flags) {
                SymbolFlags.try_emplace(session.intern(name), flags);
            });
        });
    }

  private:
    void materialize(std::unique_ptr<orc::MaterializationResponsibility> responsibility) override
    {
        engine_.emit_module(std::move(responsibility), std::move(TSM));
    }

    Engine &engine_;
};

// An image's thread-local variables are native; code of the engine asks for emulated ones.
Error add_emulated_names(orc::ExecutionSession &session, MemoryBufferRef bytes,
                         orc::MaterializationUnit::Interface &interface)
{
    auto object = object::ELFObjectFile<object::ELF64LE>::create(bytes);
    if (!object)
        return object.takeError();
    for (const object::ELFSymbolRef &symbol : object->symbols()) {
        auto flags = symbol.getFlags();
        auto name = symbol.getName();
        if (!flags || !name)
            return joinErrors(flags.takeError(), name.takeError());
        bool is_defined =
            !(*flags & object::SymbolRef::SF_Undefined) && (*flags & object::SymbolRef::SF_Global);
        if (symbol.getELFType() == ELF::STT_TLS && is_defined)
            interface.SymbolFlags[session.intern((emulated_tls_prefix + *name).str())] =
                JITSymbolFlags::Exported;
    }
    return Error::success();
}

} // namespace

Expected<std::unique_ptr<orc::MaterializationUnit>> make_object_unit(Engine &engine,
                                                                     orc::ExecutionSession &session,
                                                                     MemoryBufferRef object,
                                                                     bool as_image)
{
    auto interface = orc::getObjectFileInterface(session, object);
    if (!interface)
        return interface.takeError();
    if (as_image) {
        if (Error error = add_emulated_names(session, object, *interface))
            return error;
    }
    auto copy = MemoryBuffer::getMemBufferCopy(object.getBuffer(), object.getBufferIdentifier());
    return std::make_unique<ObjectUnit>(engine, std::move(*interface), std::move(copy), as_image);
}

std::unique_ptr<orc::MaterializationUnit>
make_module_unit(Engine &engine, orc::ExecutionSession &session, orc::ThreadSafeModule module)
{
    orc::IRSymbolMapper::ManglingOptions options;
    options.EmulatedTLS = true;
    return std::make_unique<ModuleUnit>(engine, session, options, std::move(module));
}

Expected<orc::SymbolLookupSet> undefined_symbols(orc::ExecutionSession &session,
                                                 MemoryBufferRef bytes)
{
    orc::SymbolLookupSet names;
    auto object = object::ELFObjectFile<object::ELF64LE>::create(bytes);
    if (!object)
        return object.takeError();
    for (const object::ELFSymbolRef &symbol : object->symbols()) {
        auto flags = symbol.getFlags();
        auto name = symbol.getName();
        if (!flags || !name)
            return joinErrors(flags.takeError(), name.takeError());
        if (!(*flags & object::SymbolRef::SF_Undefined) || name->empty() ||
            symbol.getELFType() == ELF::STT_TLS || *name == "_GLOBAL_OFFSET_TABLE_" ||
            *name == "__dso_handle" || *name == "__tls_get_addr")
            continue;
        // The image engine finds what the process has by itself.
        names.add(session.intern(*name), orc::SymbolLookupFlags::WeaklyReferencedSymbol);
    }
    names.sortByAddress();
    names.removeDuplicates();
    return names;
}

void read_object_sizes(MemoryBufferRef bytes, StringMap<uint64_t> &sizes)
{
    auto object = object::ELFObjectFile<object::ELF64LE>::create(bytes);
    if (!object)
        return consumeError(object.takeError());
    for (const object::ELFSymbolRef &symbol : object->symbols()) {
        auto name = symbol.getName();
        if (!name)
            consumeError(name.takeError());
        else if (symbol.getBinding() != ELF::STB_LOCAL && symbol.getSize())
            sizes[*name] = symbol.getSize();
    }
}

bool uses_cxx(MemoryBufferRef bytes)
{
    auto object = object::ELFObjectFile<object::ELF64LE>::create(bytes);
    if (!object) {
        consumeError(object.takeError());
        return false;
    }
    return any_of(object->symbols(), [](const object::ELFSymbolRef &symbol) {
        auto name = symbol.getName();
        if (!name)
            consumeError(name.takeError());
        return name && (name->starts_with("_Z") || name->starts_with("__gxx_"));
    });
}

void finish_image(Engine &engine,
                  std::unique_ptr<orc::MaterializationResponsibility> responsibility,
                  const AddressGenerator::Find &find)
{
    orc::SymbolMap found;
    static std::list<EmulatedTls> native; // read by code for as long as it is there
    for (const auto &[name, flags] : responsibility->getSymbols()) {
        void *address = find((*name).str().c_str());
        StringRef variable = *name;
        if (!address && variable.consume_front(emulated_tls_prefix)) {
            EmulatedTls control;
            void *place = find(variable.str().c_str());
            if (place && runtime_describe_native_tls(place, control))
                address = &native.emplace_back(control);
        }
        if (!address && flags.isExported() && !flags.hasMaterializationSideEffectsOnly()) {
            return engine.fail(std::move(responsibility),
                               make_error<StringError>("the image has no symbol '" + *name + "'",
                                                       inconvertibleErrorCode()));
        }
        found[name] = {orc::ExecutorAddr::fromPtr(address), flags};
    }
    Error error = responsibility->notifyResolved(found);
    if (!error)
        error = responsibility->notifyEmitted({});
    if (error)
        engine.fail(std::move(responsibility), std::move(error));
}

} // namespace kiln
