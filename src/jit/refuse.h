// refuse.h - an error in words, for people.
#pragma once

#include "llvm/Support/Error.h"

#include <system_error>

namespace kiln
{

// code: what the C seam makes a status of (plugin.cpp).
inline llvm::Error refuse(const llvm::Twine &text, std::errc code = std::errc::invalid_argument)
{
    return llvm::make_error<llvm::StringError>(text, std::make_error_code(code));
}

} // namespace kiln
