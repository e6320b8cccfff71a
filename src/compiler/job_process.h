// job_process.h - the processes that jobs run in.
//
// A child is forked ahead of need and waits on a socket for its assignment; so a job starts without
// a fork. It leads a process group of its own, which ends as a whole. What it says on standard
// error - fatal errors of LLVM, the trace of a crash - goes to a memory file that the zygote reads
// when the child has ended. Zygote side: one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <sys/types.h>

namespace kiln
{

// Exit statuses with a meaning of their own.
enum { exit_out_of_memory = 86, exit_fatal_error = 87 };

struct JobLimits {
    uint32_t seconds = 0;
    uint64_t memory_bytes = 0;
};

struct ChildEnd {
    int exit_status = 0;
    int signal = 0;
    bool out_of_memory = false;
    std::string detail; // the end of what it wrote to standard error; empty after a good end
};

// In a job's process: the limit of time holds while one of these lives, which is while a request is
// worked on; waiting for the host, or for another builder's lock, costs nothing.
class TimeLimit
{
  public:
    TimeLimit();
    ~TimeLimit();
    // What it is; 0: none.
    static double seconds();
    TimeLimit(const TimeLimit &) = delete;
    TimeLimit &operator=(const TimeLimit &) = delete;
};

// In a job's process: leave the processors to others from now on.
void lower_priority();

// A forked child, waiting or at work. Owns its descriptors; not its life: see end().
class ChildProcess
{
  public:
    // Fork a waiting child. -1 in pid() where that fails.
    static ChildProcess fork_waiting();

    ChildProcess() = default;
    ChildProcess(ChildProcess &&other) noexcept;
    ChildProcess &operator=(ChildProcess &&other) noexcept;
    ~ChildProcess();

    pid_t pid() const
    {
        return pid_;
    }
    // Becomes readable when the child has ended.
    int pidfd() const
    {
        return pidfd_;
    }
    bool is_running() const
    {
        return pid_ > 0;
    }

    // Give the waiting child its job. false: it is gone.
    bool assign(int job_socket, const JobLimits &limits);
    // End the whole process group at once.
    void kill_group() const;
    // Whether the request that it works on has taken longer than its limit; now: steady_seconds.
    bool is_late(double now) const;
    // Collect the child, which must have ended or been killed.
    ChildEnd end();

  private:
    pid_t pid_ = -1;
    int pidfd_ = -1;
    int channel_ = -1;                        // to the waiting child
    int words_ = -1;                          // the memory file that is its standard error
    std::atomic<double> *deadline_ = nullptr; // shared with the child; 0: it works on nothing
};

} // namespace kiln
