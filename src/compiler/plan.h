// plan.h - what must be known before a library's units can be named.
//
// A plan takes the build's lock, which the job then holds until it ends, resolves pkg-config
// packages and reads the arguments that sources carry in their leading comment. One plan per job.
#pragma once

#include "compiler/compile.h"

namespace kiln
{

struct PlanRequest {
    int lock_fd = -1;
    std::vector<std::string> packages;     // "zlib", "zlib >= 1.2"
    std::vector<std::string> scan_sources; // as the driver is to see them
};

struct SourceArguments {
    std::vector<std::string> arguments;
    std::vector<std::string> packages;
};

struct PlanResult {
    DiagnosticList diagnostics;
    std::vector<Input> inputs;
    std::vector<std::string> compile_arguments, link_arguments; // of all packages
    std::vector<SourceArguments> sources;                       // as PlanRequest.scan_sources
    bool waited = false;                                        // another process held the lock
};

PlanResult plan(const PlanRequest &request, const Surroundings &surroundings);

// Take apart the `//kiln:` comment of a source: its first line, or its second where the first
// begins with `#!`. Words are split as a shell would, quotes and backslashes included. false: the
// comment is wrong, *problem says how.
bool parse_source_comment(llvm::StringRef text, SourceArguments &result, std::string *problem);

// Ask libpkgconf for the flags of packages, dependencies included. Errors name the package.
void resolve_packages(const std::vector<std::string> &packages,
                      std::vector<std::string> &compile_arguments,
                      std::vector<std::string> &link_arguments, DiagnosticList &list);

} // namespace kiln
