// link.cpp - the steps of a link. See link.h.
#include "compiler/link.h"
#include "compiler/archive.h"
#include "compiler/driver.h"
#include "compiler/file_gate.h"
#include "compiler/linker.h"
#include "compiler/memory_file.h"
#include "compiler/recording_file_system.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/BinaryFormat/Magic.h"
#include "llvm/Support/PrettyStackTrace.h"

#include <cerrno>
#include <cstring>
#include <set>
#include <sys/mman.h>
#include <unistd.h>

namespace kiln
{
namespace
{

constexpr const char *version_script_name = "kiln-versions.map";
constexpr const char *dynamic_list_name = "kiln-shared.list";

// Descriptors that live for one link.
class OwnedFds
{
  public:
    ~OwnedFds()
    {
        for (int fd : fds_)
            close(fd);
    }
    int keep(int fd)
    {
        if (fd >= 0)
            fds_.push_back(fd);
        return fd;
    }

  private:
    std::vector<int> fds_;
};

struct LinkJob {
    const LinkRequest &request;
    const Surroundings &surroundings;
    InputLog &log;
    LinkResult &result;
    std::vector<std::string> input_names; // as LLD opens them
    bool cxx = false;
    OwnedFds fds;
};

// A name for LLD that cannot be mistaken for an option or a response file.
std::string as_operand(llvm::StringRef name)
{
    return name.starts_with("-") || name.starts_with("@") ? "./" + name.str() : name.str();
}

// Inputs from memory get their own names where these are unique, else a number too.
void lend_inputs(LinkJob &job)
{
    std::set<std::string> taken;
    for (const LinkInput &input : job.request.inputs) {
        job.cxx |= input.cxx;
        if (input.fd < 0) {
            job.input_names.push_back(as_operand(input.path));
            continue;
        }
        std::string name = as_operand(input.name.empty() ? "input" : input.name);
        for (int number = 2; !taken.insert(name).second; number++)
            name = as_operand(input.name) + "#" + std::to_string(number);
        gate_lend(name, input.fd);
        job.input_names.push_back(name);
    }
}

bool all_are_archives(const LinkRequest &request)
{
    for (const LinkInput &input : request.inputs) {
        if (!llvm::StringRef(input.fd < 0 ? input.path : input.name).ends_with(".a"))
            return false;
    }
    return !request.inputs.empty();
}

void add_operand(std::vector<std::string> &arguments, llvm::StringRef operand)
{
    arguments.insert(arguments.end(), {"-Xlinker", operand.str()});
}

// What is made to be installed names no image: there, references to dependencies stay open, as they do
// in objects and archives.
void add_dependencies(LinkJob &job, std::vector<std::string> &arguments)
{
    for (const LinkDependency &dependency : job.request.dependencies) {
        if (dependency.fd >= 0)
            gate_lend(dependency.image_id, dependency.fd);
        add_operand(arguments,
                    dependency.fd >= 0 ? dependency.image_id : as_operand(dependency.path));
    }
}

// The driver's arguments: its own link line around our inputs. Inputs go through -Xlinker, which
// keeps their order and their names out of the driver's hands.
std::vector<std::string> driver_arguments(LinkJob &job)
{
    std::vector<std::string> arguments{"-Qunused-arguments", "-shared", "-o", "-"};
    if (job.cxx)
        arguments.push_back("--driver-mode=g++");
    // A library of archives alone is all of them: nothing else would ask for a member.
    bool whole = all_are_archives(job.request);
    if (whole)
        add_operand(arguments, "--whole-archive");
    for (const std::string &name : job.input_names)
        add_operand(arguments, name);
    if (whole)
        add_operand(arguments, "--no-whole-archive");
    // A library of headers alone: the driver refuses to link nothing at all.
    if (job.input_names.empty())
        add_operand(arguments, "--no-gnu-unique");
    if (job.request.output == OutputKind::Image)
        add_dependencies(job, arguments);
    for (const std::string &argument : job.request.arguments) {
        llvm::StringRef text(argument);
        if (!text.starts_with("-fuse-ld") && !text.starts_with("--ld-path"))
            arguments.push_back(argument);
    }
    // LLD is in this program; the driver only wants to see that the path can be executed.
    arguments.insert(arguments.end(), {"-fuse-ld=lld", "--ld-path=/proc/self/exe"});
    return arguments;
}

std::vector<std::string> image_options(const LinkRequest &request)
{
    return {"--soname=" + request.image_id,
            std::string("--version-script=") + version_script_name,
            std::string("--dynamic-list=") + dynamic_list_name,
            "--hash-style=gnu",
            "--no-gnu-unique",
            "--undefined-version", // weak data of archive members that nobody asks for
            "--build-id=sha1",
            "-z",
            "now",
            "-z",
            "undefs"};
}

std::string quoted_list(const SymbolNames &names)
{
    std::string text;
    for (const std::string &name : names) {
        if (name.find_first_of("\"\n") == std::string::npos)
            text += "\"" + name + "\"; ";
    }
    return text;
}

// Strong symbols get the image's own version; weak data the version that all images share, and they
// alone stay preemptible.
bool lend_scripts(LinkJob &job, const SymbolNames &weak_data)
{
    std::string shared = quoted_list(weak_data);
    std::string versions = job.request.image_id + " { global: *; };\n";
    if (!shared.empty())
        versions += "KILN_SHARED { global: " + shared + "};\n";
    int versions_fd = job.fds.keep(memory_file_with(version_script_name, versions, false));
    int list_fd = job.fds.keep(memory_file_with(dynamic_list_name, "{ " + shared + "};\n", false));
    if (versions_fd < 0 || list_fd < 0) {
        job.result.diagnostics.add(Severity::Error,
                                   std::string("cannot make a memory file: ") + strerror(errno));
        return false;
    }
    gate_lend(version_script_name, versions_fd);
    gate_lend(dynamic_list_name, list_fd);
    return true;
}

// LLD takes what it does not know for a linker script, and complains of a directive in the middle
// of the garbage. Archives and shared libraries may be scripts indeed; objects never are.
bool is_linkable(llvm::StringRef name, llvm::StringRef bytes)
{
    if (llvm::identify_magic(bytes) != llvm::file_magic::unknown)
        return true;
    auto is_binary = [](char c) { return (c >= 0 && c < '\t') || c == '\x7f'; };
    return !name.ends_with(".o") && llvm::none_of(bytes.take_front(512), is_binary);
}

SymbolNames weak_data_of_inputs(const LinkRequest &request, DiagnosticList &list)
{
    SymbolNames names;
    for (const LinkInput &input : request.inputs) {
        struct stat status;
        bool is_file = input.fd >= 0 || (gate_stat_unrecorded(input.path.c_str(), &status) == 0 &&
                                         S_ISREG(status.st_mode));
        int fd = !is_file        ? -1
                 : input.fd >= 0 ? dup(input.fd)
                                 : gate_open_unrecorded(input.path.c_str());
        if (fd < 0)
            continue; // LLD is going to say so
        FileView view(fd);
        llvm::StringRef name = input.path.empty() ? input.name : input.path;
        if (view.is_open() && !is_linkable(name, view.bytes()))
            list.add(Severity::Error,
                     "'" + name.str() + "' is no object file, archive or shared library");
        else if (view.is_open())
            collect_weak_data(view.bytes(), names);
        close(fd);
    }
    return names;
}

uint64_t total_size(const LinkRequest &request)
{
    uint64_t total = 0;
    struct stat status;
    for (const LinkInput &input : request.inputs) {
        if ((input.fd >= 0 ? fstat(input.fd, &status)
                           : gate_stat_unrecorded(input.path.c_str(), &status)) == 0)
            total += uint64_t(status.st_size);
    }
    return total;
}

// The driver names libgcc before and after libc, for linkers that look at an archive once. LLD does
// not need it, and reading libgcc's members again is a good part of a small link.
void drop_repeated_libraries(std::vector<std::string> &line)
{
    for (const char *library : {"-lgcc", "-lgcc_s"}) {
        auto first = std::find(line.begin(), line.end(), library);
        if (first != line.end())
            line.erase(std::remove(first + 1, line.end(), library), line.end());
    }
}

// The linker's arguments from the driver, or nothing where it complained.
std::vector<std::string> link_line(LinkJob &job)
{
    auto files = llvm::makeIntrusiveRefCnt<RecordingFileSystem>(
        job.log, job.surroundings.virtual_directory, job.surroundings.memory_files);
    auto jobs = run_driver(driver_arguments(job), files, job.result.diagnostics);
    if (job.result.diagnostics.has_errors())
        return {};
    if (jobs.size() != 1 || jobs[0].tool != ToolKind::Linker) {
        job.result.diagnostics.add(Severity::Error,
                                   "the arguments ask for something other than one link", "clang");
        return {};
    }
    drop_repeated_libraries(jobs[0].arguments);
    return jobs[0].arguments;
}

// Link until the list of weak data covers what the output holds: members of -l archives and code
// made by link-time optimisation are known only afterwards. The second round is complete, since the
// same members come in.
int link_image(LinkJob &job, std::vector<std::string> line, ImageContents &contents)
{
    std::vector<std::string> options = image_options(job.request);
    line.insert(line.end(), options.begin(), options.end());
    SymbolNames weak_data = weak_data_of_inputs(job.request, job.result.diagnostics);
    if (job.result.diagnostics.has_errors())
        return -1;
    for (;;) {
        if (!lend_scripts(job, weak_data))
            return -1;
        int fd = run_lld(line, total_size(job.request), job.result.diagnostics);
        if (fd < 0)
            return -1;
        FileView view(fd);
        auto read = read_image(view.bytes());
        if (!read) {
            job.result.diagnostics.add(Severity::Error, "the linked image is unreadable: " +
                                                            toString(read.takeError()));
            close(fd);
            return -1;
        }
        contents = std::move(*read);
        size_t known = weak_data.size();
        weak_data.insert(contents.weak_data.begin(), contents.weak_data.end());
        if (weak_data.size() == known)
            return fd;
        close(fd);
    }
}

PatchRequest patch_request(LinkJob &job)
{
    PatchRequest patch;
    for (const LinkDependency &dependency : job.request.dependencies)
        patch.dependency_ids.insert(dependency.image_id);
    for (const std::string &name : job.request.host_symbols)
        patch.host_symbols.insert(name);
    if (patch.host_symbols.empty())
        return patch;
    for (const std::string &path : job.log.opened_paths()) {
        int fd = gate_open_unrecorded(path.c_str());
        if (fd < 0)
            continue;
        FileView view(fd);
        if (view.is_open())
            collect_unversioned(view.bytes(), patch.provided);
        close(fd);
    }
    return patch;
}

bool patch_output(LinkJob &job, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || status.st_size == 0)
        return false;
    size_t size = size_t(status.st_size);
    void *memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        job.result.diagnostics.add(Severity::Error,
                                   std::string("cannot map the linked image: ") + strerror(errno));
        return false;
    }
    llvm::Error error = patch_image({static_cast<char *>(memory), size}, patch_request(job),
                                    job.result.used_host_symbols);
    munmap(memory, size);
    if (!error)
        return true;
    job.result.diagnostics.add(Severity::Error,
                               "the linked image is unreadable: " + toString(std::move(error)));
    return false;
}

int make_image(LinkJob &job)
{
    std::vector<std::string> line = link_line(job);
    if (line.empty())
        return -1;
    ImageContents contents;
    int fd = link_image(job, std::move(line), contents);
    if (fd < 0)
        return -1;
    if (!patch_output(job, fd)) {
        close(fd);
        return -1;
    }
    job.result.symbols = std::move(contents.symbols);
    return fd;
}

int make_shared_library(LinkJob &job)
{
    std::vector<std::string> line = link_line(job);
    if (line.empty())
        return -1;
    line.insert(line.end(), {"--build-id=sha1"});
    int fd = run_lld(line, total_size(job.request), job.result.diagnostics);
    if (fd < 0)
        return -1;
    FileView view(fd);
    if (auto contents = read_image(view.bytes()))
        job.result.symbols = std::move(contents->symbols);
    else
        llvm::consumeError(contents.takeError());
    return fd;
}

std::vector<ArchiveInput> archive_inputs(const LinkJob &job)
{
    std::vector<ArchiveInput> inputs;
    for (size_t i = 0; i < job.input_names.size(); i++) {
        const std::string &name = job.request.inputs[i].name;
        inputs.push_back({job.input_names[i], name.empty() ? job.input_names[i] : name});
    }
    return inputs;
}

int make_output(LinkJob &job)
{
    switch (job.request.output) {
    case OutputKind::Image:
        return make_image(job);
    case OutputKind::SharedLibrary:
        return make_shared_library(job);
    case OutputKind::Object:
        return merge_objects(job.input_names, job.result.diagnostics,
                             all_are_archives(job.request));
    case OutputKind::Bitcode:
    case OutputKind::RawBitcode:
        return merge_bitcode(job.input_names, job.result.diagnostics);
    case OutputKind::Archive:
        return write_archive(archive_inputs(job), job.result.diagnostics);
    default:
        job.result.diagnostics.add(Severity::Error, "a link cannot make this kind of output");
        return -1;
    }
}

void seal_output(LinkResult &result)
{
    memory_file_seal(result.output_fd);
    FileView view(result.output_fd);
    result.output_size = view.bytes().size();
    result.output_digest = digest_of(view.bytes());
}

} // namespace

LinkResult link(const LinkRequest &request, const Surroundings &surroundings)
{
    llvm::PrettyStackTraceString trace("linking");
    double start = steady_seconds();
    LinkResult result;
    InputLog log(surroundings.directory);
    {
        LinkJob job{request, surroundings, log, result, {}, false, {}};
        GateRecording recording(log);
        lend_inputs(job);
        result.output_fd = make_output(job);
        gate_return_all();
    }
    std::vector<std::string> changed;
    result.inputs = log.finish(&changed);
    for (const std::string &path : changed)
        result.diagnostics.add(Severity::Error,
                               "'" + path + "' changed while it was being linked; try again");
    if (result.diagnostics.has_errors() && result.output_fd >= 0) {
        close(result.output_fd);
        result.output_fd = -1;
    }
    if (result.output_fd >= 0)
        seal_output(result);
    result.seconds = steady_seconds() - start;
    return result;
}

} // namespace kiln
