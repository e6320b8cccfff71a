// record_layouts.cpp - see record_layouts.h.
#include "compiler/record_layouts.h"

#include "clang/AST/DeclCXX.h"
#include "clang/AST/RecordLayout.h"
#include "clang/AST/VTableBuilder.h"
#include "clang/Basic/SourceManager.h"

#include <algorithm>

namespace kiln
{
namespace
{

std::string bytes_text(uint64_t size)
{
    return std::to_string(size) + (size == 1 ? " byte" : " bytes");
}

bool is_unnamed(const clang::RecordDecl *record)
{
    return !record->getIdentifier() && !record->getTypedefNameForAnonDecl();
}

// What differs first, as a phrase; empty: nothing.
std::string difference_of_fields(const HotRecord &before, const HotRecord &now)
{
    size_t common = std::min(before.fields.size(), now.fields.size());
    for (size_t i = 0; i < common; i++) {
        const HotField &old = before.fields[i], &field = now.fields[i];
        auto named = [](const HotRecord &record, const std::string &name) {
            return std::any_of(record.fields.begin(), record.fields.end(),
                               [&](const HotField &other) { return other.name == name; });
        };
        bool same = old.type == field.type && old.offset_bits == field.offset_bits &&
                    old.is_base == field.is_base;
        bool has_moved = old.name != field.name && named(before, field.name);
        if (same && !has_moved)
            continue;
        if (old.is_base || field.is_base)
            return "its base classes differ";
        if (!named(before, field.name))
            return "member '" + field.name + "' is new, at offset " +
                   std::to_string(field.offset_bits / 8);
        if (!named(now, old.name))
            return "member '" + old.name + "' is gone";
        if (old.name != field.name)
            return "member '" + field.name + "' has taken the place of '" + old.name + "'";
        if (old.type != field.type)
            return "member '" + field.name + "' was of type '" + old.type + "', and is of type '" +
                   field.type + "'";
        return "member '" + field.name + "' has moved from offset " +
               std::to_string(old.offset_bits / 8) + " to " + std::to_string(field.offset_bits / 8);
    }
    if (now.fields.size() > common)
        return "member '" + now.fields[common].name + "' is new, at offset " +
               std::to_string(now.fields[common].offset_bits / 8);
    if (before.fields.size() > common)
        return "member '" + before.fields[common].name + "' is gone";
    return "";
}

std::string difference_of_tables(const HotRecord &before, const HotRecord &now)
{
    if (before.virtual_functions == now.virtual_functions)
        return "";
    size_t common = std::min(before.virtual_functions.size(), now.virtual_functions.size());
    for (size_t i = 0; i < common; i++) {
        if (before.virtual_functions[i] != now.virtual_functions[i])
            return "virtual function '" + now.virtual_functions[i] + "' stands where '" +
                   before.virtual_functions[i] + "' stood in its table";
    }
    if (now.virtual_functions.size() > common)
        return "virtual function '" + now.virtual_functions[common] + "' is new";
    return "virtual function '" + before.virtual_functions[common] + "' is gone";
}

std::string difference(const HotRecord &before, const HotRecord &now)
{
    std::string what = difference_of_fields(before, now);
    if (what.empty())
        what = difference_of_tables(before, now);
    if (what.empty() && before.alignment != now.alignment)
        what = "its alignment was " + std::to_string(before.alignment) + ", and is " +
               std::to_string(now.alignment);
    if (before.size != now.size) {
        std::string sizes = bytes_text(before.size) + " before, " + bytes_text(now.size) + " now";
        what = what.empty() ? "its size differs: " + sizes : what + " (" + sizes + ")";
    }
    return what;
}

} // namespace

bool RecordLayouts::is_kept(const clang::RecordDecl *record) const
{
    return !context_->getSourceManager().isInSystemHeader(record->getLocation()) &&
           !is_unnamed(record);
}

void RecordLayouts::add_record(const clang::RecordDecl *record)
{
    if (!record->isDependentContext() && !record->isInvalidDecl())
        complete_.push_back(record);
}

// ---- description ----

std::string RecordLayouts::text_of_unnamed(const clang::RecordDecl *record) const
{
    std::string text = record->isUnion() ? "union {" : "struct {";
    for (const clang::FieldDecl *field : record->fields())
        text += " " + text_of(field->getType()) + " " + field->getNameAsString() + ";";
    return text + " }";
}

std::string RecordLayouts::text_of(clang::QualType type) const
{
    type = type.getCanonicalType();
    if (const clang::RecordDecl *record = type->getAsRecordDecl(); record && is_unnamed(record))
        return text_of_unnamed(record);
    if (auto *array = llvm::dyn_cast<clang::ConstantArrayType>(type.getTypePtr()))
        return text_of(array->getElementType()) + "[" +
               std::to_string(array->getSize().getZExtValue()) + "]";
    clang::PrintingPolicy policy = context_->getPrintingPolicy();
    policy.AnonymousTagLocations = false;
    return type.getUnqualifiedType().getAsString(policy);
}

HotRecord RecordLayouts::describe(const clang::RecordDecl *record) const
{
    const clang::ASTRecordLayout &layout = context_->getASTRecordLayout(record);
    HotRecord made;
    made.name = text_of(context_->getCanonicalTagType(record));
    made.size = uint64_t(layout.getSize().getQuantity());
    made.alignment = uint32_t(layout.getAlignment().getQuantity());
    auto *cxx = llvm::dyn_cast<clang::CXXRecordDecl>(record);
    for (size_t i = 0; cxx && i < cxx->getNumBases(); i++) {
        const clang::CXXBaseSpecifier &base = cxx->bases_begin()[i];
        const clang::CXXRecordDecl *definition = base.getType()->getAsCXXRecordDecl();
        auto offset = base.isVirtual() ? layout.getVBaseClassOffset(definition)
                                       : layout.getBaseClassOffset(definition);
        made.fields.push_back(
            {"", text_of(base.getType()), uint64_t(context_->toBits(offset)), true});
    }
    unsigned number = 0;
    for (const clang::FieldDecl *field : record->fields()) {
        std::string type = text_of(field->getType());
        if (field->isBitField())
            type += " : " + std::to_string(field->getBitWidthValue());
        made.fields.push_back(
            {field->getNameAsString(), type, layout.getFieldOffset(number++), false});
    }
    if (!cxx || !cxx->isDynamicClass())
        return made;
    auto *tables = llvm::cast<clang::ItaniumVTableContext>(context_->getVTableContext());
    for (const clang::VTableComponent &part : tables->getVTableLayout(cxx).vtable_components()) {
        switch (part.getKind()) {
        case clang::VTableComponent::CK_FunctionPointer:
            made.virtual_functions.push_back(part.getFunctionDecl()->getNameAsString() + " " +
                                             text_of(part.getFunctionDecl()->getType()));
            break;
        case clang::VTableComponent::CK_CompleteDtorPointer:
        case clang::VTableComponent::CK_DeletingDtorPointer:
            made.virtual_functions.push_back("destructor");
            break;
        default:
            break;
        }
    }
    return made;
}

uint32_t RecordLayouts::index_of(const clang::RecordDecl *record)
{
    auto found = indices_.find(record);
    if (found != indices_.end())
        return found->second;
    uint32_t index = uint32_t(work_.unit.records.size());
    work_.unit.records.push_back(describe(record));
    indices_[record] = index;
    return index;
}

// ---- what variables reach ----

void RecordLayouts::reach_record(const clang::RecordDecl *record, Reach &found)
{
    record = record->getDefinition();
    if (!record || record->isInvalidDecl() || record->isDependentType()) {
        found.is_opaque = true; // what it points to is nowhere defined
        return;
    }
    if (!found.seen.insert(record).second)
        return;
    if (is_kept(record))
        found.records.push_back(index_of(record));
    if (auto *cxx = llvm::dyn_cast<clang::CXXRecordDecl>(record)) {
        for (const clang::CXXBaseSpecifier &base : cxx->bases())
            reach(base.getType(), found);
    }
    for (const clang::FieldDecl *field : record->fields())
        reach(field->getType(), found);
}

void RecordLayouts::reach(clang::QualType type, Reach &found)
{
    type = type.getCanonicalType();
    while (auto *array = llvm::dyn_cast<clang::ArrayType>(type.getTypePtr()))
        type = array->getElementType().getCanonicalType();
    clang::QualType pointee = type->getPointeeType();
    if (!pointee.isNull()) {
        pointee = pointee.getCanonicalType();
        // Memory of any kind; a function has none.
        if (pointee->isVoidType() || pointee->isCharType() || pointee->isStdByteType())
            found.is_opaque = true;
        else if (!pointee->isFunctionType())
            reach(pointee, found);
        return;
    }
    if (const clang::RecordDecl *record = type->getAsRecordDecl())
        reach_record(record, found);
}

// ---- comparison ----

const HotRecord *RecordLayouts::record_before(const std::string &name) const
{
    auto search = [&](const HotUnit &unit) -> const HotRecord * {
        for (const HotRecord &record : unit.records) {
            if (record.name == name)
                return &record;
        }
        return nullptr;
    };
    if (const HotUnit *previous = work_.previous()) {
        if (const HotRecord *record = search(*previous))
            return record;
    }
    for (const HotUnit &unit : work_.baseline.units()) {
        if (const HotRecord *record = search(unit))
            return record;
    }
    return nullptr;
}

std::vector<const HotHolder *> RecordLayouts::holders_before(const std::string &name) const
{
    std::vector<const HotHolder *> found;
    for (const HotUnit &unit : work_.baseline.units()) {
        for (const HotHolder &holder : unit.holders) {
            bool holds =
                std::any_of(holder.records.begin(), holder.records.end(), [&](uint32_t index) {
                    return index < unit.records.size() && unit.records[index].name == name;
                });
            bool is_known = std::any_of(found.begin(), found.end(), [&](const HotHolder *other) {
                return other->variable == holder.variable;
            });
            if (holds && !is_known)
                found.push_back(&holder);
        }
    }
    return found;
}

void RecordLayouts::compare()
{
    for (const HotRecord &record : work_.unit.records) {
        const HotRecord *before = record_before(record.name);
        std::string what = before ? difference(*before, record) : "";
        if (what.empty())
            continue;
        auto holders = holders_before(record.name);
        for (const HotHolder *holder : holders)
            work_.unit.notices.push_back(
                {HotNoticeKind::LayoutChanged, record.name, record.name, what, holder->variable});
        if (holders.empty())
            work_.unit.notices.push_back(
                {HotNoticeKind::LayoutUnseen, record.name, record.name, what, ""});
    }
}

void RecordLayouts::finish(clang::ASTContext &context)
{
    context_ = &context;
    for (const clang::RecordDecl *record : complete_) {
        if (is_kept(record))
            index_of(record);
    }
    for (const clang::VarDecl *variable : variables_) {
        Reach found;
        reach(variable->getType(), found);
        if (found.records.empty() && !found.is_opaque)
            continue;
        work_.unit.holders.push_back({variable->getQualifiedNameAsString(),
                                      text_of(variable->getType()), found.records,
                                      found.is_opaque});
    }
    compare();
    if (work_.single_function)
        carry_over();
}

// Records and variables of functions that were skipped are as they were.
void RecordLayouts::carry_over()
{
    const HotUnit &before = *work_.previous();
    auto is_known = [&](const HotRecord &record) {
        return std::any_of(work_.unit.records.begin(), work_.unit.records.end(),
                           [&](const HotRecord &other) { return other.name == record.name; });
    };
    auto index_by_name = [&](const std::string &name) {
        size_t index = 0;
        while (index < work_.unit.records.size() && work_.unit.records[index].name != name)
            index++;
        return uint32_t(index);
    };
    for (const HotRecord &record : before.records) {
        if (!is_known(record))
            work_.unit.records.push_back(record);
    }
    for (const HotHolder &holder : before.holders) {
        bool is_there =
            std::any_of(work_.unit.holders.begin(), work_.unit.holders.end(),
                        [&](const HotHolder &other) { return other.variable == holder.variable; });
        if (is_there)
            continue;
        HotHolder moved = holder;
        for (uint32_t &index : moved.records)
            index = index < before.records.size() ? index_by_name(before.records[index].name) : 0;
        work_.unit.holders.push_back(std::move(moved));
    }
}

} // namespace kiln
