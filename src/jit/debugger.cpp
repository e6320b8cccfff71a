// debugger.cpp - see debugger.h.
#include "jit/debugger.h"

#include "llvm/ExecutionEngine/JITLink/JITLink.h"
#include "llvm/Object/ELF.h"

// LLVM's definitions; nobody else uses them.
extern "C" {
extern jit_descriptor __jit_debug_descriptor;
void __jit_debug_register_code(); // where debuggers stop
}

namespace kiln
{

using namespace llvm;

std::mutex debugger_mutex;

namespace
{

using File = object::ELFFile<object::ELF64LE>;
using Header = object::ELF64LE::Shdr;

// Where JITLink has laid out the sections that have a name of their own.
StringMap<uint64_t> addresses_by_name(jitlink::LinkGraph &graph)
{
    StringMap<uint64_t> addresses;
    for (jitlink::Section &section : graph.sections())
        if (!section.blocks().empty())
            addresses[section.getName()] = jitlink::SectionRange(section).getStart().getValue();
    return addresses;
}

// Where the others are: sections of one name are one to JITLink, but their symbols tell.
std::vector<uint64_t> addresses_by_symbol(jitlink::LinkGraph &graph, const File &file,
                                          ArrayRef<Header> headers)
{
    std::vector<uint64_t> addresses(headers.size());
    StringMap<uint64_t> places;
    for (jitlink::Symbol *symbol : graph.defined_symbols())
        if (symbol->hasName())
            places[*symbol->getName()] = symbol->getAddress().getValue();
    for (const Header &header : headers) {
        if (header.sh_type != ELF::SHT_SYMTAB)
            continue;
        auto symbols = file.symbols(&header);
        auto names = file.getStringTableForSymtab(header);
        if (!symbols || !names) {
            consumeError(joinErrors(symbols.takeError(), names.takeError()));
            continue;
        }
        for (const auto &symbol : *symbols) {
            auto name = symbol.getName(*names);
            if (!name)
                consumeError(name.takeError());
            else if (auto place = places.find(*name);
                     place != places.end() && symbol.st_shndx < headers.size())
                addresses[symbol.st_shndx] = place->second - symbol.st_value;
        }
    }
    return addresses;
}

bool has_debug_information(const File &file, ArrayRef<Header> headers)
{
    return any_of(headers, [&](const Header &header) {
        auto name = file.getSectionName(header);
        if (!name)
            consumeError(name.takeError());
        return name && (*name == ".debug_info" || *name == ".debug_line");
    });
}

// The headers stand in bytes.
void fill_in_addresses(jitlink::LinkGraph &graph, const File &file, ArrayRef<Header> headers)
{
    StringMap<uint64_t> by_name = addresses_by_name(graph);
    StringMap<unsigned> counts;
    for (const Header &header : headers)
        counts[cantFail(file.getSectionName(header))]++;
    std::vector<uint64_t> by_symbol = addresses_by_symbol(graph, file, headers);
    for (size_t i = 0; i < headers.size(); i++) {
        StringRef name = cantFail(file.getSectionName(headers[i]));
        if (!(headers[i].sh_flags & ELF::SHF_ALLOC))
            continue;
        uint64_t address = counts[name] == 1 ? by_name.lookup(name) : by_symbol[i];
        const_cast<Header &>(headers[i]).sh_addr = address;
    }
}

} // namespace

std::unique_ptr<DebugObject> DebugObject::create(MemoryBufferRef object, jitlink::LinkGraph &graph)
{
    auto bytes = WritableMemoryBuffer::getNewUninitMemBuffer(object.getBufferSize(),
                                                             object.getBufferIdentifier());
    if (!bytes)
        return nullptr;
    llvm::copy(object.getBuffer(), bytes->getBufferStart());
    auto file = File::create(StringRef(bytes->getBufferStart(), bytes->getBufferSize()));
    if (!file) {
        consumeError(file.takeError());
        return nullptr;
    }
    auto headers = file->sections();
    if (!headers) {
        consumeError(headers.takeError());
        return nullptr;
    }
    if (!has_debug_information(*file, *headers))
        return nullptr;
    fill_in_addresses(graph, *file, *headers);
    return std::unique_ptr<DebugObject>(new DebugObject(std::move(bytes)));
}

// debugger_mutex is held.
void DebugObject::call_debugger(uint32_t action)
{
    __jit_debug_descriptor.relevant_entry = &entry_;
    __jit_debug_descriptor.action_flag = action;
    __jit_debug_register_code();
    __jit_debug_descriptor.relevant_entry = nullptr;
    __jit_debug_descriptor.action_flag = JIT_NOACTION;
}

void DebugObject::tell()
{
    std::lock_guard<std::mutex> lock(debugger_mutex);
    entry_ = {__jit_debug_descriptor.first_entry, nullptr, bytes_->getBufferStart(),
              bytes_->getBufferSize()};
    if (entry_.next_entry)
        entry_.next_entry->prev_entry = &entry_;
    __jit_debug_descriptor.first_entry = &entry_;
    is_told_ = true;
    call_debugger(JIT_REGISTER_FN);
}

DebugObject::~DebugObject()
{
    if (!is_told_)
        return;
    std::lock_guard<std::mutex> lock(debugger_mutex);
    if (entry_.prev_entry)
        entry_.prev_entry->next_entry = entry_.next_entry;
    else
        __jit_debug_descriptor.first_entry = entry_.next_entry;
    if (entry_.next_entry)
        entry_.next_entry->prev_entry = entry_.prev_entry;
    call_debugger(JIT_UNREGISTER_FN);
}

} // namespace kiln
