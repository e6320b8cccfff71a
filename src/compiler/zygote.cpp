// zygote.cpp - kiln-compiler's main process: it holds Clang, LLVM and LLD ready and forks a child
// per job.
//
// Started with the control socket as descriptor 3 and a pidfd of the host as 4. Single-threaded
// throughout, so that its children are whole copies. It never blocks but in poll: a child is forked
// ahead, the last frame of a job is sent when the socket has room. A job's connection is shared
// with its child; the zygote reads nothing from it and only sees the host hang up. Ends, and with
// it all jobs, when the host closes the control connection or ends itself.
#include "compiler/compile.h"
#include "compiler/compiler_config.h"
#include "compiler/digest.h"
#include "compiler/driver.h"
#include "compiler/identity.h"
#include "compiler/job_process.h"
#include "compiler/messages.h"
#include "compiler/warm_up.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <climits>
#include <csignal>
#include <list>
#include <malloc.h>
#include <poll.h>
#include <sodium.h>
#include <sys/resource.h>
#include <unistd.h>

namespace kiln
{
namespace
{

enum { control_fd = 3, host_pidfd = 4 };
constexpr int idle_before_warm_up_ms = 20;
constexpr int look_for_late_jobs_ms = 250;

struct RunningJob {
    ChildProcess child;
    int socket = -1;
    bool timed_out = false;
    bool has_ended = false; // the child; only its Exited frame is left to send
    ChildEnd end;
};

class Zygote
{
  public:
    int run();

  private:
    bool say_hello();
    bool accept_job();
    void start_job(int socket, const JobLimits &limits);
    void collect_spare();
    void watch(std::vector<pollfd> &watched) const;
    int timeout_ms() const;
    void end_late_jobs();
    void handle_job(RunningJob &job, short on_socket, short on_child);
    void send_exited(RunningJob &job);
    void forget_finished();
    void warm_up();

    ChildProcess spare_;
    std::list<RunningJob> jobs_;
    bool is_warm_ = false;
    bool has_served_ = false; // a job, from start to end
};

bool Zygote::say_hello()
{
    CompilerIdentity identity = compiler_identity();
    MessageArena arena;
    Kiln__Wire__Hello hello = KILN__WIRE__HELLO__INIT;
    hello.protocol = kiln_wire_protocol;
    hello.version = arena.string(KILN_PROJECT_VERSION);
    hello.identity = arena.bytes(
        {reinterpret_cast<const char *>(identity.digest.data()), identity.digest.size()});
    hello.identity_files = arena.byte_list(identity.files, &hello.n_identity_files);
    hello.compiler_version = arena.string(identity.version);
    hello.resource_directory = arena.bytes(resource_directory());
    std::vector<uint8_t> body = packed(&hello.base);
    return wire_send(control_fd, WIRE_HELLO, body.data(), body.size(), nullptr, 0) == WIRE_OK;
}

// false: the host has closed, or talks nonsense.
bool Zygote::accept_job()
{
    wire_frame frame;
    if (wire_receive(control_fd, &frame) != WIRE_OK)
        return false;
    bool is_job = frame.type == WIRE_JOB && frame.fd_count == 1;
    Kiln__Wire__Job *job =
        is_job ? kiln__wire__job__unpack(nullptr, frame.size, frame.body) : nullptr;
    if (job) {
        start_job(frame.fds[0], {job->seconds, job->memory_bytes});
        frame.fds[0] = -1;
        kiln__wire__job__free_unpacked(job, nullptr);
    }
    wire_frame_destroy(&frame);
    return job != nullptr;
}

void Zygote::start_job(int socket, const JobLimits &limits)
{
    jobs_.emplace_back();
    RunningJob &job = jobs_.back();
    job.socket = socket;
    for (int attempt = 0; attempt < 2; attempt++) {
        if (!spare_.is_running())
            spare_ = ChildProcess::fork_waiting();
        bool assigned = spare_.is_running() && spare_.assign(socket, limits);
        if (assigned) {
            job.child = std::move(spare_);
            spare_ = ChildProcess();
            return;
        }
        collect_spare();
    }
    job.has_ended = true;
    job.end.exit_status = 1;
    job.end.detail = "cannot start a process for the job";
}

void Zygote::collect_spare()
{
    spare_.kill_group();
    spare_.end();
    spare_ = ChildProcess();
}

// Everything that can happen: control, host, spare child, then two entries a job.
void Zygote::watch(std::vector<pollfd> &watched) const
{
    watched.assign({{control_fd, POLLIN, 0}, {host_pidfd, POLLIN, 0}, {spare_.pidfd(), POLLIN, 0}});
    for (const RunningJob &job : jobs_) {
        watched.push_back({job.socket, short(job.has_ended ? POLLOUT : POLLRDHUP), 0});
        watched.push_back({job.child.pidfd(), POLLIN, 0});
    }
}

int Zygote::timeout_ms() const
{
    if (!jobs_.empty())
        return look_for_late_jobs_ms;
    return is_warm_ ? -1 : idle_before_warm_up_ms;
}

void Zygote::send_exited(RunningJob &job)
{
    MessageArena arena;
    Kiln__Wire__Exited exited = KILN__WIRE__EXITED__INIT;
    exited.exit_status = job.end.exit_status;
    exited.signal = job.end.signal;
    exited.timed_out = job.timed_out;
    exited.out_of_memory = job.end.out_of_memory;
    exited.detail = arena.string(printable(job.end.detail));
    std::vector<uint8_t> body = packed(&exited.base);
    wire_send(job.socket, WIRE_EXITED, body.data(), body.size(), nullptr, 0);
}

void Zygote::end_late_jobs()
{
    double now = steady_seconds();
    for (RunningJob &job : jobs_) {
        if (job.has_ended || job.timed_out || !job.child.is_late(now))
            continue;
        job.timed_out = true;
        job.child.kill_group();
    }
}

void Zygote::handle_job(RunningJob &job, short on_socket, short on_child)
{
    bool host_is_gone = (on_socket & (POLLHUP | POLLERR | POLLRDHUP)) != 0;
    if (job.has_ended) {
        // Room for the frame: it is far smaller than what POLLOUT promises of a stream socket.
        if (on_socket & POLLOUT && !host_is_gone)
            send_exited(job);
        if (on_socket != 0) {
            close(job.socket);
            job.socket = -1;
        }
        return;
    }
    if (host_is_gone)
        job.child.kill_group();
    if (on_child || host_is_gone) {
        job.end = job.child.end();
        job.child = ChildProcess();
        job.has_ended = true;
    }
}

// Once: when the first job has ended, so as not to delay it, or when none has come for a while. A
// job that arrives meanwhile waits for it, and every later one is the faster.
void Zygote::warm_up()
{
    if (is_warm_)
        return;
    is_warm_ = true;
    warm_zygote();
    collect_spare(); // it was forked cold
}

void Zygote::forget_finished()
{
    has_served_ = has_served_ || std::any_of(jobs_.begin(), jobs_.end(),
                                             [](const RunningJob &job) { return job.socket < 0; });
    jobs_.remove_if([](const RunningJob &job) { return job.socket < 0; });
}

int Zygote::run()
{
    if (!say_hello())
        return 1;
    std::vector<pollfd> watched;
    for (;;) {
        if (!spare_.is_running())
            spare_ = ChildProcess::fork_waiting();
        watch(watched);
        int ready = poll(watched.data(), watched.size(), timeout_ms());
        if (ready < 0 && errno != EINTR)
            return 1;
        end_late_jobs();
        if (ready == 0 && jobs_.empty())
            warm_up();
        if (ready <= 0)
            continue;
        if (watched[1].revents)
            return 0;
        size_t at = 3;
        for (RunningJob &job : jobs_) {
            handle_job(job, watched[at].revents, watched[at + 1].revents);
            at += 2;
        }
        forget_finished();
        if (watched[2].revents)
            collect_spare();
        if (watched[0].revents && !accept_job())
            return 0;
        if (watched[0].revents == 0 && has_served_)
            warm_up();
    }
}

// Jobs are short and end by exit: memory that is freed is kept, the heap grows in large steps, and
// the job's thread uses the heap that the zygote has warmed rather than one of its own.
void tune_allocator()
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    mallopt(M_TOP_PAD, 16 << 20);
}

// The host's own limits of descriptors and of files' sizes are not meant for the compiler, which has
// a descriptor for each input and writes nothing but memory files. Where they cannot be raised, the
// call that they stop tells why.
void raise_limits()
{
    signal(SIGXFSZ, SIG_IGN);
    for (auto resource : {RLIMIT_NOFILE, RLIMIT_FSIZE}) {
        rlimit limit;
        if (getrlimit(resource, &limit) != 0)
            continue;
        limit.rlim_cur = limit.rlim_max;
        setrlimit(resource, &limit);
    }
}

} // namespace
} // namespace kiln

int main()
{
    signal(SIGPIPE, SIG_IGN);
    kiln::raise_limits();
    kiln::tune_allocator();
    if (sodium_init() < 0)
        return 1;
    kiln::digest_table_create();
    kiln::register_targets();
    // Children end with this process: each asked the kernel for it.
    return kiln::Zygote().run();
}
