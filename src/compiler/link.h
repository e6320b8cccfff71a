// link.h - objects to one image, shared library, object, bitcode file or archive.
//
// LLD runs in process; its inputs from memory are lent to it under their own names by the file
// gate. What it read and looked for is recorded there too. One link at a time in a process.
#pragma once

#include "compiler/compile.h"
#include "compiler/elf_image.h"

namespace kiln
{

struct LinkInput {
    std::string name; // for messages, and as the member of an archive
    std::string path; // a file, where fd is -1
    int fd = -1;
    bool cxx = false;
};

struct LinkDependency {
    std::string image_id;
    std::string path; // a file, where fd is -1
    int fd = -1;
};

struct LinkRequest {
    OutputKind output = OutputKind::Image;
    std::vector<std::string> arguments;
    std::vector<LinkInput> inputs;
    std::vector<LinkDependency> dependencies;
    std::vector<std::string> host_symbols;
    std::string image_id;
};

struct LinkResult {
    DiagnosticList diagnostics;
    std::vector<Input> inputs;
    int output_fd = -1; // a sealed memory file, owned by the receiver; -1 where there are errors
    uint64_t output_size = 0;
    Digest output_digest{};
    std::vector<ImageSymbol> symbols;
    std::vector<std::string> used_host_symbols;
    double seconds = 0;
};

LinkResult link(const LinkRequest &request, const Surroundings &surroundings);

} // namespace kiln
