// failure.h - why a link has failed, for people.
#pragma once

#include "jit/jit_plugin.h"

#include "llvm/Support/Error.h"

#include <set>
#include <string>

namespace kiln
{

// Why an engine that a fork has lost does nothing.
constexpr llvm::StringLiteral lost_text = "this process was forked while another thread was "
                                          "linking in this JIT, which can be used in its "
                                          "parent alone";

// What was reported while something was linked.
struct Reports {
    std::string text;              // one error a line
    std::set<std::string> missing; // symbols that were looked for in vain
    bool empty() const
    {
        return text.empty() && missing.empty();
    }
};

class LinkFailure : public llvm::ErrorInfo<LinkFailure>
{
  public:
    static char ID;
    explicit LinkFailure(Reports reports) : reports(std::move(reports)) {}
    void log(llvm::raw_ostream &stream) const override
    {
        stream << reports.text;
    }
    std::error_code convertToErrorCode() const override;

    const Reports reports;
};

// What an error is about: of several the first one.
struct Failure {
    kiln_status status = KILN_BIND;
    std::string text;
    std::set<std::string> missing;
};
Failure read_failure(llvm::Error error);

} // namespace kiln
