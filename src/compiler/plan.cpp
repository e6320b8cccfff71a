// plan.cpp - lock, source comments, packages. See plan.h.
#include "compiler/plan.h"
#include "compiler/file_gate.h"
#include "compiler/job_process.h"
#include "compiler/recording_file_system.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/StringSaver.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/file.h>
#include <unistd.h>

namespace kiln
{
namespace
{

// Take the lock, which lives as long as the job: the file is opened anew, since a lock on the
// host's own open file would be shared by every process that the host forks. Who holds it may be
// stopped, in a debugger say: the wait ends with the limit of time, and what is then built twice is
// published by whoever is the last. So it is asked for again and again, as flock knows no timeout.
bool take_lock(int lent_fd, bool &waited, DiagnosticList &list)
{
    constexpr useconds_t first_pause_us = 500, longest_pause_us = 20000;
    std::string path = "/proc/self/fd/" + std::to_string(lent_fd);
    int fd = gate_open_unrecorded(path.c_str());
    double limit = TimeLimit::seconds(), start = steady_seconds();
    for (useconds_t pause_us = first_pause_us; fd >= 0;) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK && errno != EINTR)
            break;
        waited = true;
        if (limit > 0 && steady_seconds() - start > limit)
            return true;
        usleep(pause_us);
        pause_us = std::min(2 * pause_us, longest_pause_us);
    }
    list.add(Severity::Error, std::string("cannot take the build's lock: ") + strerror(errno));
    return false;
}

// The line that may hold the comment. A byte order mark is no text, to Clang neither.
llvm::StringRef comment_line(llvm::StringRef text)
{
    text.consume_front("\xef\xbb\xbf");
    auto [first, rest] = text.split('\n');
    return (first.starts_with("#!") ? rest.split('\n').first : first).rtrim('\r');
}

void scan_source(const std::string &source, RecordingFileSystem &files, PlanResult &result)
{
    SourceArguments &arguments = result.sources.emplace_back();
    auto buffer = files.getBufferForFile(source);
    if (!buffer)
        return; // the compile is going to say so
    std::string problem;
    if (!parse_source_comment((*buffer)->getBuffer(), arguments, &problem))
        result.diagnostics.add(Severity::Error, problem, source);
}

} // namespace

bool parse_source_comment(llvm::StringRef text, SourceArguments &result, std::string *problem)
{
    llvm::StringRef line = comment_line(text);
    if (!line.consume_front("//") || !line.ltrim(" \t").starts_with("kiln:"))
        return true;
    line = line.split(':').second;
    llvm::BumpPtrAllocator allocator;
    llvm::StringSaver saver(allocator);
    llvm::SmallVector<const char *, 16> words;
    llvm::cl::TokenizeGNUCommandLine(line, saver, words);
    for (size_t i = 0; i < words.size(); i++) {
        llvm::StringRef word(words[i]);
        if (word.consume_front("--pkg=")) {
            result.packages.push_back(word.str());
        } else if (word != "--pkg") {
            result.arguments.push_back(word.str());
        } else if (++i < words.size()) {
            result.packages.push_back(words[i]);
        } else {
            *problem = "'--pkg' in the //kiln: comment needs the name of a package";
            return false;
        }
    }
    return true;
}

PlanResult plan(const PlanRequest &request, const Surroundings &surroundings)
{
    PlanResult result;
    if (request.lock_fd >= 0 && !take_lock(request.lock_fd, result.waited, result.diagnostics))
        return result;
    TimeLimit limit;
    InputLog log(surroundings.directory);
    {
        GateRecording recording(log);
        auto files = llvm::makeIntrusiveRefCnt<RecordingFileSystem>(
            log, surroundings.virtual_directory, surroundings.memory_files);
        for (const std::string &source : request.scan_sources)
            scan_source(source, *files, result);
        std::vector<std::string> packages = request.packages;
        for (const SourceArguments &source : result.sources)
            packages.insert(packages.end(), source.packages.begin(), source.packages.end());
        resolve_packages(packages, result.compile_arguments, result.link_arguments,
                         result.diagnostics);
    }
    std::vector<std::string> changed;
    result.inputs = log.finish(&changed);
    for (const std::string &path : changed)
        result.diagnostics.add(Severity::Error,
                               "'" + path + "' changed while it was being read; try again");
    return result;
}

} // namespace kiln
