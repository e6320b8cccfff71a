// refuse.h - an error in words, for people.
#pragma once

#include "jit/jit_plugin.h"

#include "llvm/Support/Error.h"

#include <string>
#include <system_error>

namespace kiln
{

// code: what the C seam makes a status of (plugin.cpp).
inline llvm::Error refuse(const llvm::Twine &text, std::errc code = std::errc::invalid_argument)
{
    return llvm::make_error<llvm::StringError>(text, std::make_error_code(code));
}

// Errors whose code is a kiln_status: those that come from the host.
class StatusCategory : public std::error_category
{
  public:
    const char *name() const noexcept override
    {
        return "kiln";
    }
    std::string message(int) const override
    {
        return "an error of the host";
    }
    static const StatusCategory &get()
    {
        static const StatusCategory category;
        return category;
    }
};

inline llvm::Error refuse_as(kiln_status status, const llvm::Twine &text)
{
    return llvm::make_error<llvm::StringError>(text,
                                               std::error_code(status, StatusCategory::get()));
}

} // namespace kiln
