// unwind_check.cpp - see unwind_check.h. Reads what libgcc's unwind-dw2-fde.c reads when it takes a
// table in, and asks of each step that it stays within its record.
#include "jit/unwind_check.h"

#include "llvm/BinaryFormat/Dwarf.h"
#include "llvm/Support/DataExtractor.h"

#include <map>

namespace kiln
{

using namespace llvm;

namespace
{

Error damaged(const char *what)
{
    return make_error<StringError>(Twine("its unwind table is damaged: ") + what,
                                   inconvertibleErrorCode());
}

// Bytes that a pointer takes; 0: not known.
unsigned size_of(uint8_t encoding)
{
    switch (encoding & 0x0f) {
    case dwarf::DW_EH_PE_absptr:
    case dwarf::DW_EH_PE_udata8:
    case dwarf::DW_EH_PE_sdata8:
        return 8;
    case dwarf::DW_EH_PE_udata4:
    case dwarf::DW_EH_PE_sdata4:
        return 4;
    default:
        return 0;
    }
}

// Relative to nothing, or to where it stands.
bool is_usual(uint8_t encoding)
{
    uint8_t base = encoding & 0x70;
    return size_of(encoding) && (base == 0 || base == dwarf::DW_EH_PE_pcrel);
}

// One record, and where its content begins.
struct Record {
    size_t begin, content, end;
};

// How a CIE's FDEs encode their pointers. special: set if JITLink does not know such a record (its
// EHFrameSupport.cpp takes version 1, and no marks).
Expected<uint8_t> read_common(const DataExtractor &data, const Record &record, std::string *special)
{
    DataExtractor::Cursor at(record.content + 4);
    DataExtractor own(data.getData().take_front(record.end), data.isLittleEndian(), 8);
    uint8_t version = own.getU8(at), pointers = dwarf::DW_EH_PE_absptr;
    StringRef augmentation = own.getCStrRef(at);
    own.getULEB128(at);
    own.getSLEB128(at);
    version == 1 ? (void)own.getU8(at) : (void)own.getULEB128(at);
    bool is_known =
        (version == 1 || version == 3) && (augmentation.empty() || augmentation.consume_front("z"));
    if (!augmentation.empty())
        own.getULEB128(at);
    if (special && version != 1)
        *special = "its unwind table is of version " + std::to_string(version);
    for (char c : augmentation) {
        if (special && (c == 'S' || c == 'B'))
            *special = "it has frames of signal handlers or signed addresses";
        // JITLink has room for one of each.
        is_known &= augmentation.count(c) == 1;
        uint8_t encoding = c == 'R' || c == 'P' || c == 'L' ? own.getU8(at) : 0;
        is_known &= c == 'R' || c == 'P' || c == 'L' || c == 'S' || c == 'B';
        if (c == 'R') {
            pointers = encoding;
            is_known &= is_usual(encoding);
        } else if (c == 'P') {
            // The personality may be reached through a pointer to it.
            is_known &= is_usual(encoding & ~dwarf::DW_EH_PE_indirect);
            own.skip(at, size_of(encoding));
        } else if (c == 'L') {
            is_known &= encoding == dwarf::DW_EH_PE_omit || is_usual(encoding);
        }
    }
    if (Error error = at.takeError()) {
        consumeError(std::move(error));
        return damaged("a common record is too short");
    }
    return is_known ? Expected<uint8_t>(pointers) : damaged("a common record is not understood");
}

// code_begin: NULL: functions have no addresses yet.
Error check_function(ArrayRef<char> table, const Record &record, uint8_t encoding,
                     const char *code_begin, const char *code_end)
{
    size_t width = size_of(encoding), at = record.content + 4;
    if (at + 2 * width > record.end)
        return damaged("a function's record is too short");
    if (!code_begin)
        return Error::success();
    int64_t place = 0, size = 0;
    memcpy(&place, table.data() + at, width);
    memcpy(&size, table.data() + at + width, width);
    if (width == 4)
        place = int32_t(place), size = int64_t(uint32_t(size));
    const char *begin = (encoding & 0x70) == dwarf::DW_EH_PE_pcrel
                            ? table.data() + at + place
                            : reinterpret_cast<const char *>(place);
    if (begin < code_begin || begin > code_end || size < 0 || size > code_end - begin)
        return damaged("a function is not where it should be");
    return Error::success();
}

Error check_records(ArrayRef<char> table, bool needs_end, const char *code_begin,
                    const char *code_end, std::string *special)
{
    std::map<size_t, uint8_t> encodings; // of FDEs, by where their CIE begins
    DataExtractor data(StringRef(table.data(), table.size()), /*IsLittleEndian=*/true, 8);
    for (uint64_t next = 0; next + 4 <= table.size();) {
        Record record = {size_t(next), size_t(next) + 4, 0};
        uint64_t length = data.getU32(&next);
        if (length == 0)
            return needs_end && any_of(table.drop_front(next), [](char c) { return c != 0; })
                       ? damaged("something stands behind its end")
                       : Error::success();
        // Records of four gigabytes are not known to unwinders.
        if (length < 4 || length > table.size() - next)
            return damaged("a record does not end in it");
        record.end = next = next + length;
        uint64_t at = record.content;
        uint32_t common = data.getU32(&at);
        if (common == 0) {
            auto encoding = read_common(data, record, special);
            if (!encoding)
                return encoding.takeError();
            encodings[record.begin] = *encoding;
            continue;
        }
        auto found = encodings.find(record.content - common);
        if (found == encodings.end())
            return damaged("a record belongs to none");
        if (Error error = check_function(table, record, found->second, code_begin, code_end))
            return error;
    }
    return needs_end ? damaged("it has no end") : Error::success();
}

} // namespace

Error check_unwind_records(ArrayRef<char> table, std::string &special)
{
    return check_records(table, /*needs_end=*/false, nullptr, nullptr, &special);
}

Error check_unwind_table(ArrayRef<char> table, const void *code_begin, const void *code_end)
{
    return check_records(table, /*needs_end=*/true, static_cast<const char *>(code_begin),
                         static_cast<const char *>(code_end), nullptr);
}

} // namespace kiln
