// units.cpp - see units.h.
#include "jit/units.h"
#include "jit/ir_code.h"
#include "jit/object_symbols.h"

#include "llvm/ExecutionEngine/Orc/Layer.h"
#include "llvm/ExecutionEngine/Orc/ObjectFileInterface.h"

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
    // As the class that it is of does it, but of what assembly defines, where JITLink asks which one
    // counts, and of aliases, which need a definition.
    void discard(const orc::JITDylib &, const orc::SymbolStringPtr &name) override
    {
        auto found = SymbolToDefinition.find(name);
        if (found != SymbolToDefinition.end())
            TSM.withModuleDo([&](Module &) { ir_discard(*found->second); });
    }

    Engine &engine_;
};

// An image's thread-local variables are native; code of the engine asks for emulated ones.
Error add_emulated_names(orc::ExecutionSession &session, MemoryBufferRef object,
                         orc::MaterializationUnit::Interface &interface)
{
    return visit_object_symbols(object, [&](const ObjectSymbol &symbol) {
        if (!symbol.is_thread_local || !symbol.is_defined || symbol.is_local || symbol.is_hidden)
            return;
        interface.SymbolFlags.erase(session.intern(symbol.name));
        interface.SymbolFlags[session.intern((emulated_tls_prefix + symbol.name).str())] =
            JITSymbolFlags::Exported;
    });
}

// An image shows nothing hidden; so others may define that.
void leave_out_hidden(orc::MaterializationUnit::Interface &interface)
{
    std::vector<orc::SymbolStringPtr> hidden;
    for (const auto &[name, flags] : interface.SymbolFlags)
        if (!flags.isExported() && !flags.hasMaterializationSideEffectsOnly())
            hidden.push_back(name);
    for (const orc::SymbolStringPtr &name : hidden)
        interface.SymbolFlags.erase(name);
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
        leave_out_hidden(*interface);
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

} // namespace kiln
