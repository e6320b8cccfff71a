// job_process.cpp - forking, limits and ends of job processes. See job_process.h.
#include "compiler/job_process.h"
#include "compiler/compile.h"
#include "compiler/job.h"
#include "compiler/memory_file.h"
#include "compiler/warm_up.h"

#include "clang/Basic/Stack.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/PrettyStackTrace.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/thread.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace kiln
{
namespace
{

// Deep recursion in templates, expressions and the optimiser needs it; pages that nobody touches
// cost nothing.
constexpr unsigned job_stack_bytes = 256u << 20;
constexpr size_t detail_limit = 4096;
constexpr int channel_fd = 3; // in the child

[[noreturn]] void exit_without_memory()
{
    _exit(exit_out_of_memory);
}

void on_bad_alloc(void *, const char *, bool)
{
    exit_without_memory();
}

void on_fatal_error(void *, const char *message, bool)
{
    std::string text = std::string("LLVM: ") + message + "\n";
    (void)!write(STDERR_FILENO, text.data(), text.size());
    _exit(exit_fatal_error);
}

bool send_assignment(int channel, int job_socket, const JobLimits &limits)
{
    iovec part{const_cast<JobLimits *>(&limits), sizeof limits};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &job_socket, sizeof job_socket);
    ssize_t sent;
    do
        sent = sendmsg(channel, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == ssize_t(sizeof limits);
}

// The job's socket, or -1 where the zygote is gone.
int receive_assignment(int channel, JobLimits &limits)
{
    iovec part{&limits, sizeof limits};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got;
    do
        got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    cmsghdr *rights = CMSG_FIRSTHDR(&message);
    if (got != ssize_t(sizeof limits) || !rights || rights->cmsg_type != SCM_RIGHTS)
        return -1;
    int socket;
    memcpy(&socket, CMSG_DATA(rights), sizeof socket);
    return socket;
}

// In the child: its limit, and where the zygote reads when its request has to be done.
uint32_t seconds_a_request; // 0: none
std::atomic<double> *own_deadline;

void apply_limits(const JobLimits &limits)
{
    seconds_a_request = limits.seconds;
    rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (limits.memory_bytes > 0) {
        rlimit memory{limits.memory_bytes, limits.memory_bytes};
        setrlimit(RLIMIT_AS, &memory);
    }
}

void install_handlers()
{
    std::set_new_handler(exit_without_memory);
    llvm::install_bad_alloc_error_handler(on_bad_alloc);
    llvm::install_fatal_error_handler(on_fatal_error);
}

// What the child does from fork to exit. `channel` and `words` are all it keeps of the zygote's
// descriptors.
[[noreturn]] void live_as_child(int channel, int words, pid_t zygote)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != zygote)
        _exit(0);
    dup2(words, STDERR_FILENO);
    dup2(channel, channel_fd);
    fcntl(channel_fd, F_SETFD, FD_CLOEXEC);
    close_range(channel_fd + 1, ~0u, 0);
    warm_child(channel_fd);

    JobLimits limits;
    int socket = receive_assignment(channel_fd, limits);
    if (socket < 0)
        _exit(0);
    close(channel_fd);
    apply_limits(limits);
    install_handlers();
    int status = 0;
    llvm::thread worker(std::optional<unsigned>(job_stack_bytes), [&] {
        clang::noteBottomOfStack();
        llvm::EnablePrettyStackTrace(); // on this thread, so that its overflow is told too
        status = run_job(socket);
    });
    worker.join();
    _exit(status); // nothing is worth an orderly end
}

void close_and_forget(int &fd)
{
    if (fd >= 0)
        close(fd);
    fd = -1;
}

// Fatal errors that only a limit of memory explains.
bool tells_of_memory(llvm::StringRef words)
{
    return words.contains("pthread_create failed") || words.contains("out of memory") ||
           words.contains("Cannot allocate memory");
}

// The last bytes of what a child wrote.
std::string last_words(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    if (size <= 0)
        return {};
    off_t from = std::max<off_t>(0, size - off_t(detail_limit));
    std::string text(size_t(size - from), '\0');
    ssize_t got = pread(fd, text.data(), text.size(), from);
    text.resize(got > 0 ? size_t(got) : 0);
    return llvm::StringRef(text).rtrim().str();
}

} // namespace

TimeLimit::TimeLimit()
{
    if (seconds_a_request > 0)
        own_deadline->store(steady_seconds() + seconds_a_request);
}

TimeLimit::~TimeLimit()
{
    own_deadline->store(0);
}

double TimeLimit::seconds()
{
    return seconds_a_request;
}

void lower_priority()
{
    setpriority(PRIO_PROCESS, 0, 10);
}

ChildProcess ChildProcess::fork_waiting()
{
    ChildProcess child;
    int sockets[2];
    child.words_ = memory_file_create("kiln-job", /*executable=*/false);
    if (child.words_ < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
        return child;
    void *shared = mmap(nullptr, sizeof *child.deadline_, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        close(sockets[0]);
        close(sockets[1]);
        return child;
    }
    child.deadline_ = new (shared) std::atomic<double>(0);
    pid_t zygote = getpid();
    child.pid_ = fork();
    if (child.pid_ == 0)
        own_deadline = child.deadline_;
    if (child.pid_ == 0)
        live_as_child(sockets[1], child.words_, zygote);
    child.channel_ = sockets[0];
    close(sockets[1]);
    if (child.pid_ < 0)
        return child;
    setpgid(child.pid_, child.pid_); // whoever comes first
    child.pidfd_ = int(syscall(SYS_pidfd_open, child.pid_, 0));
    if (child.pidfd_ < 0) {
        child.kill_group();
        child.end();
    }
    return child;
}

ChildProcess::ChildProcess(ChildProcess &&other) noexcept
{
    *this = std::move(other);
}

ChildProcess &ChildProcess::operator=(ChildProcess &&other) noexcept
{
    std::swap(pid_, other.pid_);
    std::swap(pidfd_, other.pidfd_);
    std::swap(channel_, other.channel_);
    std::swap(words_, other.words_);
    std::swap(deadline_, other.deadline_);
    return *this;
}

ChildProcess::~ChildProcess()
{
    close_and_forget(pidfd_);
    close_and_forget(channel_);
    close_and_forget(words_);
    if (deadline_)
        munmap(deadline_, sizeof *deadline_);
}

bool ChildProcess::is_late(double now) const
{
    double deadline = deadline_ ? deadline_->load() : 0;
    return deadline > 0 && now >= deadline;
}

bool ChildProcess::assign(int job_socket, const JobLimits &limits)
{
    bool sent = send_assignment(channel_, job_socket, limits);
    close_and_forget(channel_);
    return sent;
}

void ChildProcess::kill_group() const
{
    if (pid_ <= 0)
        return;
    kill(-pid_, SIGKILL);
    kill(pid_, SIGKILL); // in case it has no group yet
}

ChildEnd ChildProcess::end()
{
    ChildEnd end;
    if (pid_ <= 0)
        return end;
    kill_group(); // while its leader is not collected, the group's number is not another's
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    if (WIFSIGNALED(status))
        end.signal = WTERMSIG(status);
    else
        end.exit_status = WEXITSTATUS(status);
    // A crash's trace names Clang's insides, not the source, which the host knows; the words of a
    // fatal error are worth telling.
    if (end.exit_status == exit_fatal_error)
        end.detail = last_words(words_);
    end.out_of_memory = end.exit_status == exit_out_of_memory || tells_of_memory(end.detail);
    return end;
}

} // namespace kiln
