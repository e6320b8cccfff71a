// failure.cpp - see failure.h.
#include "jit/failure.h"
#include "jit/refuse.h"

#include "llvm/Demangle/Demangle.h"
#include "llvm/ExecutionEngine/Orc/Core.h"
#include "llvm/ExecutionEngine/Orc/Shared/OrcError.h"

namespace kiln
{

using namespace llvm;

char LinkFailure::ID;

std::error_code LinkFailure::convertToErrorCode() const
{
    return std::error_code(KILN_BIND, StatusCategory::get());
}

static kiln_status status_of(std::error_code code)
{
    if (code.category() == StatusCategory::get())
        return kiln_status(code.value());
    if (code == std::errc::file_exists)
        return KILN_ALREADY_EXISTS;
    if (code == std::errc::not_supported)
        return KILN_UNSUPPORTED;
    if (code == std::errc::not_enough_memory)
        return KILN_NO_MEMORY;
    if (code == std::errc::no_such_file_or_directory)
        return KILN_NOT_FOUND;
    return KILN_INVALID_ARGUMENT;
}

static void append(std::string &lines, StringRef more)
{
    lines += (lines.empty() || more.empty() ? "" : "\n") + more.str();
}

static std::string text_of_missing(const std::set<std::string> &missing)
{
    std::string names;
    for (const std::string &name : missing)
        names += (names.empty() ? "'" : ", '") + demangle(name) + "'";
    return missing.size() == 1 ? "the symbol " + names + " is missing"
                               : std::to_string(missing.size()) + " symbols are missing: " + names;
}

Failure read_failure(Error error)
{
    Failure failure;
    Reports reports;
    std::string unknown; // the name that was looked up
    handleAllErrors(
        std::move(error), [](const orc::FailedToMaterialize &) {}, // reports tell the reason
        [&](const LinkFailure &link) {
            append(reports.text, link.reports.text);
            reports.missing.insert(link.reports.missing.begin(), link.reports.missing.end());
        },
        [&](const orc::SymbolsNotFound &problem) {
            failure.status = KILN_NOT_FOUND;
            unknown = *problem.getSymbols().front();
        },
        [&](const ErrorInfoBase &problem) {
            if (failure.text.empty())
                failure.status = problem.isA<orc::DuplicateDefinition>()
                                     ? KILN_ALREADY_EXISTS
                                     : status_of(problem.convertToErrorCode());
            append(failure.text, problem.message());
        });
    if (!reports.missing.empty()) {
        failure.status = KILN_BIND;
        append(reports.text, text_of_missing(reports.missing));
    } else if (!unknown.empty()) {
        failure.text = "there is no symbol '" + demangle(unknown) + "'";
    }
    append(reports.text, failure.text);
    failure.text = reports.text.empty() ? "something that it needs could not be linked before"
                                        : std::move(reports.text);
    failure.missing = std::move(reports.missing);
    return failure;
}

} // namespace kiln
