// assembly_names_x86_64.cpp - see assembly_names.h. After GNU as, the manual's chapters 3 (Syntax) and 9.16
// (x86 dependent features), and LLVM's reference manual, Inline Assembler Expressions.
#include "jit/assembly_names.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace kiln
{

using namespace llvm;

static bool begins_name(char c)
{
    return isAlpha(c) || c == '_' || c == '.';
}

static bool is_in_name(char c)
{
    return isAlnum(c) || c == '_' || c == '.';
}

// What stands before an instruction, in its statement.
static bool is_prefix(StringRef word)
{
    static constexpr StringLiteral prefixes[] = {"lock",   "rep",      "repe",     "repz", "repne",
                                                 "repnz",  "xacquire", "xrelease", "bnd",  "data16",
                                                 "addr32", "notrack",  "rex64",    "cs",   "ds",
                                                 "es",     "fs",       "gs",       "ss"};
    return is_contained(prefixes, word);
}

// Whether a name ends there as a label, which a template may make unique: ${:uid}.
static bool ends_label(StringRef text)
{
    while (text.consume_front("${"))
        text = text.substr(text.find('}')).drop_front(text.contains('}'));
    return text.ltrim(" \t").starts_with(":");
}

// What stands at the beginning of the text and holds no names; empty: nothing of the kind.
static StringRef without_names(StringRef text)
{
    const auto up_to = [&](StringRef end, size_t from) {
        size_t at = text.find(end, from);
        return text.substr(0, at == StringRef::npos ? at : at + end.size());
    };
    if (text.starts_with("$$")) // a dollar
        return text.substr(0, 2);
    if (text.starts_with("${"))
        return up_to("}", 2);
    if (text.starts_with("/*"))
        return up_to("*/", 2);
    if (text.starts_with("#"))
        return text.substr(0, text.find('\n'));
    if (text.starts_with("\""))
        return up_to("\"", 1);
    if (text[0] == '$') // an operand of a template; else an immediate value
        return text.substr(0, 1 + text.substr(1).take_while(isDigit).size());
    if (text[0] == '%' || isDigit(text[0]))
        return text.substr(0, 1 + text.substr(1).take_while(is_in_name).size());
    return "";
}

std::string rename_in_assembly(StringRef text, const StringMap<std::string> &names)
{
    std::string made;
    bool is_first = true; // of its statement: an instruction, a directive, or a label
    while (!text.empty()) {
        StringRef taken = without_names(text);
        if (taken.empty() && begins_name(text[0])) {
            taken = text.take_while(is_in_name);
            bool is_label = ends_label(text.substr(taken.size()));
            auto found = is_first && !is_label ? names.end() : names.find(taken);
            made += found == names.end() ? taken : StringRef(found->second);
            is_first = is_first && (is_label || is_prefix(taken));
        } else {
            taken = taken.empty() ? text.substr(0, 1) : taken;
            if (taken == "\n" || taken == ";")
                is_first = true;
            made += taken;
        }
        text = text.substr(taken.size());
    }
    return made;
}

} // namespace kiln
