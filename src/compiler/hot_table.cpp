// hot_table.cpp - packing and unpacking of hot tables. See hot_table.h.
#include "compiler/hot_table.h"
#include "compiler/messages.h"

namespace kiln
{
namespace
{

void pack_symbols(MessageArena &arena, const HotUnit &unit, Kiln__Wire__HotUnit &message)
{
    message.symbols = arena.array<Kiln__Wire__HotSymbol *>(unit.symbols.size());
    for (const auto &[name, symbol] : unit.symbols) {
        auto *item = arena.make(kiln__wire__hot_symbol__init);
        item->name = arena.string(symbol.name);
        item->kind = Kiln__Wire__HotKind(symbol.kind);
        item->defined = symbol.defined;
        item->changed = symbol.changed;
        item->body = arena.string(symbol.body);
        item->content = symbol.content;
        item->type = symbol.type;
        item->size = symbol.size;
        item->display = arena.string(symbol.display);
        item->dynamic = symbol.dynamic;
        item->weak = symbol.weak;
        item->lines = symbol.lines;
        item->along = symbol.along;
        item->initial = arena.string(symbol.initial);
        item->initial_in = symbol.initial_in;
        message.symbols[message.n_symbols++] = item;
    }
}

void pack_names(MessageArena &arena, const HotUnit &unit, Kiln__Wire__HotUnit &message)
{
    message.statics = arena.array<Kiln__Wire__HotStatic *>(unit.statics.size());
    for (const HotStatic &variable : unit.statics) {
        auto *item = arena.make(kiln__wire__hot_static__init);
        item->function = arena.bytes(variable.function);
        item->name = arena.bytes(variable.name);
        item->type = arena.bytes(variable.type);
        item->initializer = variable.initializer;
        item->number = variable.number;
        item->gone = variable.gone;
        message.statics[message.n_statics++] = item;
    }
    message.lambdas = arena.array<Kiln__Wire__HotLambda *>(unit.lambdas.size());
    for (const HotLambda &lambda : unit.lambdas) {
        auto *item = arena.make(kiln__wire__hot_lambda__init);
        item->context = arena.bytes(lambda.context);
        item->shape = lambda.shape;
        item->body = lambda.body;
        item->number = lambda.number;
        item->gone = lambda.gone;
        message.lambdas[message.n_lambdas++] = item;
    }
}

Kiln__Wire__HotRecord *pack_record(MessageArena &arena, const HotRecord &record)
{
    auto *item = arena.make(kiln__wire__hot_record__init);
    item->name = arena.bytes(record.name);
    item->size = record.size;
    item->alignment = record.alignment;
    item->fields = arena.array<Kiln__Wire__HotField *>(record.fields.size());
    for (const HotField &field : record.fields) {
        auto *part = arena.make(kiln__wire__hot_field__init);
        part->name = arena.bytes(field.name);
        part->type = arena.bytes(field.type);
        part->offset_bits = field.offset_bits;
        part->is_base = field.is_base;
        item->fields[item->n_fields++] = part;
    }
    item->virtual_functions = arena.byte_list(record.virtual_functions, &item->n_virtual_functions);
    return item;
}

void pack_layouts(MessageArena &arena, const HotUnit &unit, Kiln__Wire__HotUnit &message)
{
    message.records = arena.array<Kiln__Wire__HotRecord *>(unit.records.size());
    for (const HotRecord &record : unit.records)
        message.records[message.n_records++] = pack_record(arena, record);
    message.holders = arena.array<Kiln__Wire__HotHolder *>(unit.holders.size());
    for (const HotHolder &holder : unit.holders) {
        auto *item = arena.make(kiln__wire__hot_holder__init);
        item->variable = arena.bytes(holder.variable);
        item->type = arena.bytes(holder.type);
        item->records = arena.array<uint32_t>(holder.records.size());
        item->n_records = holder.records.size();
        std::copy(holder.records.begin(), holder.records.end(), item->records);
        item->is_opaque = holder.is_opaque;
        message.holders[message.n_holders++] = item;
    }
}

void pack_bodies(MessageArena &arena, const HotUnit &unit, Kiln__Wire__HotUnit &message)
{
    message.bodies = arena.array<Kiln__Wire__HotBody *>(unit.bodies.size());
    for (const HotBody &body : unit.bodies) {
        auto *item = arena.make(kiln__wire__hot_body__init);
        item->function = arena.bytes(body.function);
        item->begin = body.begin;
        item->size = body.size;
        item->digest = body.digest;
        item->before = body.before;
        item->plain = body.plain;
        item->skippable = body.skippable;
        item->lines = body.lines;
        message.bodies[message.n_bodies++] = item;
    }
    message.after_bodies = unit.after_bodies;
    message.source_size = unit.source_size;
    message.single_function = unit.single_function;
    message.stale_lines = unit.stale_lines;
}

void pack_notices(MessageArena &arena, const HotUnit &unit, Kiln__Wire__HotUnit &message)
{
    message.notices = arena.array<Kiln__Wire__HotNotice *>(unit.notices.size());
    for (const HotNotice &notice : unit.notices) {
        auto *item = arena.make(kiln__wire__hot_notice__init);
        item->kind = Kiln__Wire__HotNoticeKind(notice.kind);
        item->symbol = arena.string(notice.symbol);
        item->display = arena.string(notice.display);
        item->detail = arena.string(notice.detail);
        item->variable = arena.string(notice.variable);
        message.notices[message.n_notices++] = item;
    }
    message.needs = arena.array<uint32_t>(unit.needs.size());
    message.n_needs = unit.needs.size();
    std::copy(unit.needs.begin(), unit.needs.end(), message.needs);
}

HotSymbol symbol_of(const Kiln__Wire__HotSymbol &item)
{
    HotSymbol symbol;
    symbol.name = item.name;
    symbol.kind = HotKind(item.kind);
    symbol.defined = item.defined;
    symbol.changed = item.changed;
    symbol.body = item.body;
    symbol.content = item.content;
    symbol.type = item.type;
    symbol.size = item.size;
    symbol.display = item.display;
    symbol.dynamic = item.dynamic;
    symbol.weak = item.weak;
    symbol.lines = item.lines;
    symbol.along = item.along;
    symbol.initial = item.initial;
    symbol.initial_in = item.initial_in;
    return symbol;
}

HotRecord record_of(const Kiln__Wire__HotRecord &item)
{
    HotRecord record;
    record.name = view(item.name).str();
    record.size = item.size;
    record.alignment = item.alignment;
    for (size_t i = 0; i < item.n_fields; i++) {
        const Kiln__Wire__HotField &field = *item.fields[i];
        record.fields.push_back({view(field.name).str(), view(field.type).str(), field.offset_bits,
                                 bool(field.is_base)});
    }
    for (size_t i = 0; i < item.n_virtual_functions; i++)
        record.virtual_functions.push_back(view(item.virtual_functions[i]).str());
    return record;
}

HotUnit unit_of(const Kiln__Wire__HotUnit &message)
{
    HotUnit unit;
    unit.unit = view(message.unit).str();
    unit.generation = message.generation;
    for (size_t i = 0; i < message.n_symbols; i++) {
        HotSymbol symbol = symbol_of(*message.symbols[i]);
        std::string name = symbol.name;
        unit.symbols.emplace_hint(unit.symbols.end(), std::move(name), std::move(symbol));
    }
    for (size_t i = 0; i < message.n_statics; i++) {
        const Kiln__Wire__HotStatic &item = *message.statics[i];
        unit.statics.push_back({view(item.function).str(), view(item.name).str(),
                                view(item.type).str(), item.initializer, item.number,
                                bool(item.gone)});
    }
    for (size_t i = 0; i < message.n_lambdas; i++) {
        const Kiln__Wire__HotLambda &item = *message.lambdas[i];
        unit.lambdas.push_back(
            {view(item.context).str(), item.shape, item.body, item.number, bool(item.gone)});
    }
    for (size_t i = 0; i < message.n_records; i++)
        unit.records.push_back(record_of(*message.records[i]));
    for (size_t i = 0; i < message.n_holders; i++) {
        const Kiln__Wire__HotHolder &item = *message.holders[i];
        unit.holders.push_back({view(item.variable).str(), view(item.type).str(),
                                std::vector<uint32_t>(item.records, item.records + item.n_records),
                                bool(item.is_opaque)});
    }
    for (size_t i = 0; i < message.n_notices; i++) {
        const Kiln__Wire__HotNotice &item = *message.notices[i];
        unit.notices.push_back(
            {HotNoticeKind(item.kind), item.symbol, item.display, item.detail, item.variable});
    }
    unit.needs.insert(message.needs, message.needs + message.n_needs);
    for (size_t i = 0; i < message.n_bodies; i++) {
        const Kiln__Wire__HotBody &item = *message.bodies[i];
        unit.bodies.push_back({view(item.function).str(), item.begin, item.size, item.digest,
                               item.before, bool(item.plain), bool(item.skippable), item.lines});
    }
    unit.after_bodies = message.after_bodies;
    unit.source_size = message.source_size;
    unit.single_function = message.single_function;
    unit.stale_lines = message.stale_lines;
    return unit;
}

} // namespace

std::vector<uint8_t> hot_unit_pack(const HotUnit &unit)
{
    MessageArena arena;
    Kiln__Wire__HotUnit message = KILN__WIRE__HOT_UNIT__INIT;
    message.unit = arena.bytes(unit.unit);
    message.generation = unit.generation;
    pack_symbols(arena, unit, message);
    pack_names(arena, unit, message);
    pack_layouts(arena, unit, message);
    pack_notices(arena, unit, message);
    pack_bodies(arena, unit, message);
    return packed(&message.base);
}

std::optional<HotUnit> hot_unit_unpack(llvm::StringRef bytes)
{
    auto *message = kiln__wire__hot_unit__unpack(nullptr, bytes.size(),
                                                 reinterpret_cast<const uint8_t *>(bytes.data()));
    if (!message)
        return std::nullopt;
    HotUnit unit = unit_of(*message);
    kiln__wire__hot_unit__free_unpacked(message, nullptr);
    return unit;
}

bool HotBaseline::read(llvm::StringRef bytes)
{
    auto *message = kiln__wire__hot_baseline__unpack(
        nullptr, bytes.size(), reinterpret_cast<const uint8_t *>(bytes.data()));
    if (!message)
        return false;
    bool understood = true;
    for (size_t i = 0; understood && i < message->n_units; i++) {
        auto unit = hot_unit_unpack(view(message->units[i]));
        understood = unit.has_value();
        if (understood)
            units_.push_back(std::move(*unit));
    }
    kiln__wire__hot_baseline__free_unpacked(message, nullptr);
    for (const HotUnit &unit : units_) {
        for (const auto &[name, symbol] : unit.symbols) {
            const HotSymbol *&known = symbols_[name];
            if (!known || std::max(known->changed, known->initial_in) <
                              std::max(symbol.changed, symbol.initial_in))
                known = &symbol;
        }
    }
    return understood;
}

const HotUnit *HotBaseline::unit(llvm::StringRef name) const
{
    for (const HotUnit &unit : units_) {
        if (unit.unit == name)
            return &unit;
    }
    return nullptr;
}

const HotSymbol *HotBaseline::symbol(llvm::StringRef name) const
{
    auto found = symbols_.find(name);
    return found == symbols_.end() ? nullptr : found->second;
}

} // namespace kiln
