// linker.cpp - LLD in process. See linker.h.
//
// LLD writes its output to standard output for `-o -`: descriptor 1 of a job is nothing else's, so
// a memory file is put there for the time of the link. Its messages come as text and are taken
// apart here.
#include "compiler/linker.h"
#include "compiler/driver.h"
#include "compiler/memory_file.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/Threading.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

LLD_HAS_DRIVER(elf)

namespace kiln
{
namespace
{

constexpr uint64_t small_link = 4 << 20; // below, one thread is faster than starting more

// Keeps the text for the reply and copies it to standard error: if LLD ends the process on one of
// its threads, the zygote still has the words.
class MessageStream : public llvm::raw_ostream
{
  public:
    MessageStream() : raw_ostream(/*unbuffered=*/true) {}
    std::string text;

  private:
    void write_impl(const char *bytes, size_t size) override
    {
        text.append(bytes, size);
        (void)!::write(STDERR_FILENO, bytes, size);
    }
    uint64_t current_pos() const override
    {
        return text.size();
    }
};

// "ld.lld: error: ..." begins a message; lines without that prefix continue it. What is neither an
// error nor a warning was asked for (--verbose).
bool begins_message(llvm::StringRef line, Severity &severity, llvm::StringRef &text)
{
    if (!line.consume_front("ld.lld: "))
        return false;
    severity = Severity::Remark;
    if (line.consume_front("warning: "))
        severity = Severity::Warning;
    else if (line.consume_front("error: "))
        severity = Severity::Error;
    text = line;
    return true;
}

void add_messages(llvm::StringRef output, DiagnosticList &list)
{
    while (!output.empty()) {
        auto [line, rest] = output.split('\n');
        output = rest;
        Severity severity;
        llvm::StringRef text;
        if (begins_message(line, severity, text)) {
            Message message;
            message.severity = severity;
            message.text = text.str();
            list.messages.push_back(std::move(message));
        } else if (!line.empty() && !list.messages.empty()) {
            list.messages.back().text += "\n" + line.str();
        } else {
            continue;
        }
        list.messages.back().rendered += line.str() + "\n";
    }
}

// Puts a memory file in the place of standard output while it lives.
class OutputAsStdout
{
  public:
    explicit OutputAsStdout(int fd) : saved_(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3))
    {
        dup2(fd, STDOUT_FILENO);
    }
    ~OutputAsStdout()
    {
        dup2(saved_, STDOUT_FILENO);
        close(saved_);
    }

  private:
    int saved_;
};

} // namespace

int run_lld(std::vector<std::string> arguments, uint64_t input_size, DiagnosticList &list)
{
    int fd = memory_file_create("kiln", /*executable=*/true);
    if (fd < 0) {
        list.add(Severity::Error, std::string("cannot make a memory file: ") + strerror(errno));
        return -1;
    }
    // Said always: LLD keeps the number of its last link. The driver's own --threads comes later
    // and wins.
    unsigned threads = input_size < small_link
                           ? 1
                           : std::min(llvm::hardware_concurrency().compute_thread_count(), 16u);
    arguments.insert(arguments.begin(), {"ld.lld", "--threads=" + std::to_string(threads)});

    DiagnosticList said;
    MessageStream stream;
    lld::Result outcome;
    {
        OutputAsStdout redirect(fd);
        llvm::CrashRecoveryContext::Enable(); // lldMain leaves fatal errors by it
        outcome = lld::lldMain(c_strings(arguments), llvm::nulls(), stream,
                               {{lld::Gnu, &lld::elf::link}});
        llvm::CrashRecoveryContext::Disable();
    }
    add_messages(stream.text, said);
    if (outcome.retCode != 0 && !said.has_errors())
        said.add(Severity::Error,
                 "the linker failed without a word (status " + std::to_string(outcome.retCode) +
                     ")",
                 "ld.lld");
    bool failed = said.has_errors();
    list.append(std::move(said));
    if (!failed)
        return fd;
    close(fd);
    return -1;
}

int merge_objects(const std::vector<std::string> &names, DiagnosticList &list, bool whole_archives)
{
    std::vector<std::string> arguments{"-r", "-m", "elf_x86_64", "-o", "-"};
    if (whole_archives)
        arguments.push_back("--whole-archive");
    arguments.insert(arguments.end(), names.begin(), names.end());
    return run_lld(std::move(arguments), 0, list);
}

} // namespace kiln
