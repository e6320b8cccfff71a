// link_passes.cpp - see link_passes.h.
#include "jit/link_passes.h"
#include "jit/perf_map.h"
#include "jit/processor_stubs.h"
#include "jit/unwind_check.h"

#include "llvm/ExecutionEngine/JITLink/JITLink.h"
#include "llvm/ExecutionEngine/Orc/TargetProcess/RegisterEHFrames.h"

namespace kiln
{

using namespace llvm;
using jitlink::Block;
using jitlink::LinkGraph;
using jitlink::Section;
using jitlink::Symbol;

namespace
{

constexpr unsigned last_priority = 65536; // of what has none

// A section of addresses of functions that are called at the beginning, or at the end.
struct FunctionList {
    bool is_of_end;
    unsigned priority; // as GNU ld sorts them: lower ones first at the beginning, last at the end
    bool is_reversed;  // .ctors and .dtors run from their end
};

std::optional<FunctionList> function_list(StringRef name)
{
    FunctionList list = {};
    bool is_old = name.starts_with(".ctors") || name.starts_with(".dtors");
    if (!is_old && !name.starts_with(".init_array") && !name.starts_with(".fini_array") &&
        !name.starts_with(".preinit_array"))
        return std::nullopt;
    list.is_of_end = name.starts_with(".fini_array") || name.starts_with(".dtors");
    list.is_reversed = is_old;
    list.priority = last_priority;
    size_t dot = name.rfind('.');
    unsigned number;
    if (dot > 0 && !name.substr(dot + 1).getAsInteger(10, number))
        list.priority = is_old ? 65535 - std::min(number, 65535u) : number;
    if (name.starts_with(".preinit_array"))
        list.priority = 0;
    return list;
}

// ---- what is the object's own ----

Symbol *find_external(LinkGraph &graph, StringRef name)
{
    for (Symbol *symbol : graph.external_symbols())
        if (symbol->hasName() && *symbol->getName() == name)
            return symbol;
    return nullptr;
}

Symbol &external(LinkGraph &graph, StringRef name)
{
    Symbol *found = find_external(graph, name);
    return found ? *found : graph.addExternalSymbol(name, 0, /*IsWeaklyReferenced=*/false);
}

// A section of which code asks where it begins and ends.
bool is_asked_for_whole(LinkGraph &graph, StringRef section)
{
    return find_external(graph, ("__start_" + section).str()) ||
           find_external(graph, ("__stop_" + section).str());
}

Error keep_lists(LinkGraph &graph)
{
    for (Section &section : graph.sections()) {
        if (!function_list(section.getName()) && !is_asked_for_whole(graph, section.getName()))
            continue;
        for (Block *block : section.blocks())
            graph.addAnonymousSymbol(*block, 0, block->getSize(), /*IsCallable=*/false,
                                     /*IsLive=*/true);
    }
    return Error::success();
}

// Records that pruning leaves follow each other without gaps: zeros would end the table. Unwinders
// read them at any alignment.
Error close_unwind_table(LinkGraph &graph)
{
    Section *section = graph.findSectionByName(".eh_frame");
    if (!section)
        return Error::success();
    for (Block *block : section->blocks()) {
        block->setAlignmentOffset(0);
        block->setAlignment(1);
    }
    return Error::success();
}

// The code's handle, which lies within reach.
Symbol &define_handle(LinkGraph &graph, const void *handle)
{
    auto address = orc::ExecutorAddr::fromPtr(handle);
    Symbol *symbol = find_external(graph, "__dso_handle");
    if (!symbol)
        return graph.addAbsoluteSymbol("__dso_handle", address, sizeof handle,
                                       jitlink::Linkage::Strong, jitlink::Scope::Local,
                                       /*IsLive=*/true);
    graph.makeAbsolute(*symbol, address);
    symbol->setScope(jitlink::Scope::Local);
    return *symbol;
}

// Weak data of libraries that see each other is one.
void leave_to_others(LinkGraph &graph, LinkObserver &observer, orc::ResourceKey key)
{
    std::vector<Symbol *> others;
    for (Symbol *symbol : graph.defined_symbols())
        if (symbol->hasName() && symbol->getLinkage() == jitlink::Linkage::Weak &&
            observer.is_elsewhere(key, *symbol->getName()))
            others.push_back(symbol);
    for (Symbol *symbol : others)
        graph.makeExternal(*symbol);
}

void make_library_functions(LinkGraph &graph, Symbol &handle)
{
    for (const LibraryFunction &what : library_functions)
        if (Symbol *function = find_external(graph, what.name))
            define_library_function(graph, *function, what, handle, external(graph, what.target));
}

// What lies in its section is linked by now, in its order.
void define_bound(LinkGraph &graph, StringRef name)
{
    StringRef section_name = section_of_bound(name.substr(0, name.rfind(".kiln.")));
    Section *section = graph.findSectionByName(section_name);
    jitlink::SectionRange range;
    if (section)
        range = jitlink::SectionRange(*section);
    bool is_there = any_of(graph.defined_symbols(), [&](const Symbol *symbol) {
        return symbol->hasName() && *symbol->getName() == name;
    });
    if (range.empty() || is_there)
        return;
    bool is_begin = name.starts_with("__start_");
    Block &block = is_begin ? *range.getFirstBlock() : *range.getLastBlock();
    size_t offset = is_begin ? 0 : block.getSize();
    if (Symbol *known = find_external(graph, name))
        graph.makeDefined(*known, block, offset, 0, jitlink::Linkage::Strong,
                          jitlink::Scope::Hidden, /*IsLive=*/true);
    else
        graph.addDefinedSymbol(block, offset, name, 0, jitlink::Linkage::Strong,
                               jitlink::Scope::Hidden, /*IsCallable=*/false, /*IsLive=*/true);
}

// The same for all of them: whether the system has mapped a library near the code is luck.
Error check_reach(LinkGraph &graph, const LinkObserver &observer)
{
    for (Block *block : graph.blocks())
        for (const jitlink::Edge &edge : block->edges()) {
            const Symbol &target = edge.getTarget();
            if (is_near_reference(edge) && target.isExternal() &&
                !observer.is_near(target.getAddress().toPtr<const void *>()))
                return make_error<StringError>("'" + graph.getName() + "' refers to '" +
                                                   *target.getName() +
                                                   "' as if that lay near it: compile with -fPIC",
                                               std::make_error_code(std::errc::invalid_argument));
        }
    return Error::success();
}

// ---- what is read of the linked object ----

struct Entry {
    FunctionList list;
    int64_t order; // negative: of a reversed list
    uint64_t function;
};

void read_lists(LinkGraph &graph, Linked &linked)
{
    std::vector<Entry> entries;
    for (Section &section : graph.sections()) {
        auto list = function_list(section.getName());
        if (!list)
            continue;
        std::vector<Block *> blocks(section.blocks().begin(), section.blocks().end());
        llvm::sort(blocks, [](Block *a, Block *b) { return a->getAddress() < b->getAddress(); });
        for (Block *block : blocks)
            for (size_t at = 0; !block->isZeroFill() && at + 8 <= block->getSize(); at += 8) {
                uint64_t function;
                memcpy(&function, block->getContent().data() + at, sizeof function);
                // .ctors may begin with a count of -1, and end with 0.
                int64_t order = int64_t(entries.size());
                if (function != 0 && function != UINT64_MAX)
                    entries.push_back({*list, list->is_reversed ? -order - 1 : order, function});
            }
    }
    llvm::sort(entries, [](const Entry &a, const Entry &b) {
        return std::pair(a.list.priority, a.order) < std::pair(b.list.priority, b.order);
    });
    for (const Entry &entry : entries)
        if (!entry.list.is_of_end)
            linked.initialisers.push_back(
                reinterpret_cast<void (*)(int, char **, char **)>(entry.function));
    for (const Entry &entry : llvm::reverse(entries)) {
        if (!entry.list.is_of_end)
            continue;
        linked.finalisers.push_back(reinterpret_cast<void (*)()>(entry.function));
        linked.plain_count += entry.list.priority == last_priority;
    }
}

void read_extent(LinkGraph &graph, Linked &linked)
{
    for (Block *block : graph.blocks()) {
        if (block->getSection().getMemLifetime() != orc::MemLifetime::Standard)
            continue;
        const char *begin = block->getAddress().toPtr<const char *>();
        if (!linked.begin || begin < linked.begin)
            linked.begin = begin;
        if (begin + block->getSize() > linked.end)
            linked.end = begin + block->getSize();
    }
}

Error register_unwind_tables(LinkGraph &graph, const Linked &linked)
{
    using namespace orc::shared;
    using Arguments = SPSArgList<SPSExecutorAddrRange>;
    Section *section = graph.findSectionByName(".eh_frame");
    if (!section || section->blocks().empty() ||
        section->getMemLifetime() != orc::MemLifetime::Standard)
        return Error::success();
    orc::ExecutorAddrRange range = jitlink::SectionRange(*section).getRange();
    ArrayRef<char> table(range.Start.toPtr<const char *>(), size_t(range.size()));
    if (Error error = check_unwind_table(table, linked.begin, linked.end))
        return error;
    graph.allocActions().push_back(
        {cantFail(WrapperFunctionCall::Create<Arguments>(
             orc::ExecutorAddr::fromPtr(&llvm_orc_registerEHFrameSectionAllocAction), range)),
         cantFail(WrapperFunctionCall::Create<Arguments>(
             orc::ExecutorAddr::fromPtr(&llvm_orc_deregisterEHFrameSectionAllocAction), range))});
    return Error::success();
}

} // namespace

StringRef section_of_bound(StringRef symbol)
{
    return symbol.consume_front("__start_") || symbol.consume_front("__stop_") ? symbol : "";
}

void LinkPasses::notifyMaterializing(orc::MaterializationResponsibility &responsibility,
                                     LinkGraph &, jitlink::JITLinkContext &, MemoryBufferRef object)
{
    std::lock_guard<std::mutex> lock(mutex_);
    links_[&responsibility].object = object;
}

void LinkPasses::modifyPassConfig(orc::MaterializationResponsibility &responsibility,
                                  LinkGraph &graph, jitlink::PassConfiguration &passes)
{
    Link *link;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        link = &links_[&responsibility];
    }
    link->name = graph.getName();
    link->linked = std::make_unique<Linked>();
    consumeError(responsibility.withResourceKeyDo([&](orc::ResourceKey key) { link->key = key; }));
    link->handle = observer_.handle(link->key);
    passes.PrePrunePasses.insert(
        passes.PrePrunePasses.begin(), [this, link](LinkGraph &graph) -> Error {
            if (!link->handle)
                return make_error<StringError>("'" + link->name + "' was removed meanwhile",
                                               std::make_error_code(std::errc::not_supported));
            leave_to_others(graph, observer_, link->key);
            keep_table_loads(graph);
            make_library_functions(graph, define_handle(graph, link->handle));
            return keep_lists(graph);
        });
    passes.PostPrunePasses.push_back(close_unwind_table);
    std::vector<std::string> bounds;
    for (const auto &[name, flags] : responsibility.getSymbols())
        if (!section_of_bound(*name).empty() && (*name).contains(".kiln."))
            bounds.push_back((*name).str());
    passes.PostAllocationPasses.push_back([this, link, bounds](LinkGraph &graph) -> Error {
        for (const std::string &bound : bounds)
            define_bound(graph, bound);
        read_extent(graph, *link->linked);
        observer_.allocated(link->key, {link->linked->begin, link->linked->end});
        return Error::success();
    });
    passes.PreFixupPasses.push_back([this, link](LinkGraph &graph) -> Error {
        for (Symbol *symbol : graph.external_symbols())
            link->linked->references.push_back(symbol->getAddress().toPtr<const void *>());
        if (Error error = check_reach(graph, observer_))
            return error;
        return observer_.check_references(link->key, link->linked->references);
    });
    passes.PostFixupPasses.push_back([this, link](LinkGraph &graph) -> Error {
        read_lists(graph, *link->linked);
        if (perf_map_)
            perf_map_add(graph);
        link->linked->debug = DebugObject::create(link->object, graph);
        return register_unwind_tables(graph, *link->linked);
    });
}

Error LinkPasses::notifyEmitted(orc::MaterializationResponsibility &responsibility)
{
    Link link;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        auto found = links_.find(&responsibility);
        if (found == links_.end())
            return Error::success();
        link = std::move(found->second);
        links_.erase(found);
    }
    if (link.linked->debug)
        link.linked->debug->tell();
    Range where = {link.linked->begin, link.linked->end};
    Error gone = responsibility.withResourceKeyDo(
        [&](orc::ResourceKey key) { observer_.linked(key, link.name, std::move(link.linked)); });
    if (gone) // it was removed meanwhile
        observer_.failed(link.key, where);
    return gone;
}

Error LinkPasses::notifyFailed(orc::MaterializationResponsibility &responsibility)
{
    Range where;
    orc::ResourceKey key = 0;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        auto found = links_.find(&responsibility);
        if (found != links_.end() && found->second.linked) {
            where = {found->second.linked->begin, found->second.linked->end};
            key = found->second.key;
        }
        links_.erase(&responsibility);
    }
    Error gone = responsibility.withResourceKeyDo([&](orc::ResourceKey own) { key = own; });
    observer_.failed(key, where);
    return gone;
}

} // namespace kiln
