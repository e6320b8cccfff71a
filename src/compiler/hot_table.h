// hot_table.h - what the generations of a hot library know of each other: wire.proto's HotUnit in
// C++.
//
// A unit's table is made anew by each of its compilations, from the tables of all units before it
// (the baseline), and is all that the next generation needs: so the compiler keeps nothing between
// two edits. hot_names.cpp fills in statics and lambdas, record_layouts.cpp records and holders,
// hot_pass.cpp symbols. One thread.
#pragma once

#include "compiler/memory_file.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace kiln
{

// As wire.proto's.
enum class HotKind { Function, Variable, ThreadLocal, Constant, Indirect };
enum class HotNoticeKind {
    InitializerChanged,
    FunctionRemoved,
    SignatureChanged,
    LayoutChanged,
    TypeChanged,
    Ambiguous,
    DataRemoved,
    LayoutUnseen,
    ConstantReplaced
};

struct HotSymbol {
    std::string name;
    HotKind kind = HotKind::Function;
    uint32_t defined = 0, changed = 0;
    std::string body;
    uint64_t content = 0, type = 0, size = 0;
    std::string display;
    bool dynamic = false, weak = false;
    uint64_t lines = 0;
    bool along = false;
    std::string initial;
    uint32_t initial_in = 0;
};

struct HotStatic {
    std::string function, name, type;
    uint64_t initializer = 0;
    uint32_t number = 0;
    bool gone = false;
};

struct HotLambda {
    std::string context;
    uint64_t shape = 0, body = 0;
    uint32_t number = 0;
    bool gone = false;
};

struct HotField {
    std::string name, type;
    uint64_t offset_bits = 0;
    bool is_base = false;
};

struct HotRecord {
    std::string name;
    uint64_t size = 0;
    uint32_t alignment = 0;
    std::vector<HotField> fields;
    std::vector<std::string> virtual_functions;
};

struct HotHolder {
    std::string variable, type;
    std::vector<uint32_t> records; // indices of HotUnit::records
    bool is_opaque = false;
};

struct HotBody {
    std::string function;
    uint64_t begin = 0, size = 0, digest = 0, before = 0;
    bool plain = false, skippable = false;
    uint64_t lines = 0;
};

struct HotNotice {
    HotNoticeKind kind;
    std::string symbol, display, detail, variable;
};

struct HotUnit {
    std::string unit;
    uint32_t generation = 0;
    std::map<std::string, HotSymbol, std::less<>> symbols;
    std::vector<HotStatic> statics;
    std::vector<HotLambda> lambdas;
    std::vector<HotRecord> records;
    std::vector<HotHolder> holders;
    std::vector<HotNotice> notices;
    std::set<uint32_t> needs;
    std::vector<HotBody> bodies;
    uint64_t after_bodies = 0, source_size = 0;
    bool single_function = false, stale_lines = false;
};

// The newest tables of all units of a library, before the generation at hand.
class HotBaseline
{
  public:
    // false: the bytes are no HotBaseline.
    bool read(llvm::StringRef bytes);

    // The table of a unit, or NULL where it is new.
    const HotUnit *unit(llvm::StringRef name) const;
    // What is known of a symbol: of several units that have it, by the newest generation.
    const HotSymbol *symbol(llvm::StringRef name) const;
    const std::vector<HotUnit> &units() const
    {
        return units_;
    }

  private:
    std::vector<HotUnit> units_;
    llvm::StringMap<const HotSymbol *> symbols_;
};

// What a compilation of a hot unit is asked for, and what it leaves. Lives as long as the job.
struct HotWork {
    uint32_t generation = 1;
    bool whole = false;
    bool only_source = false;
    bool follow_up = false;
    // The only function whose body differs, where it is compiled alone (function_edit.h): then
    // unit.bodies are settled before the compilation.
    std::optional<std::string> single_function;
    std::string unit_name;
    HotBaseline baseline;
    HotUnit unit; // in the making
    // Of each variable of the unit that code initialises at load: its mangled name, and the digest
    // of its initialiser.
    std::map<std::string, uint64_t> dynamic_initializers;
    // Those of them whose initialisers were taken away, since they have run.
    std::set<std::string> dropped_initializers;
    const HotUnit *previous() const
    {
        return baseline.unit(unit_name);
    }
};

// Packed HotUnit messages.
std::vector<uint8_t> hot_unit_pack(const HotUnit &unit);
std::optional<HotUnit> hot_unit_unpack(llvm::StringRef bytes);

} // namespace kiln
