// counted_mutex.h - a recursive mutex that knows how often its owner has locked it.
#pragma once

#include <mutex>
#include <new>

namespace kiln
{

class CountedMutex
{
  public:
    void lock()
    {
        mutex_.lock();
        level_++;
    }
    bool try_lock()
    {
        if (!mutex_.try_lock())
            return false;
        level_++;
        return true;
    }
    void unlock()
    {
        level_--;
        mutex_.unlock();
    }
    // In the child of a fork by who has it: that thread has another identity there.
    void take_over()
    {
        new (&mutex_) std::recursive_mutex;
        for (unsigned i = 0; i < level_; i++)
            mutex_.lock();
    }
    // For who has it.
    unsigned level() const
    {
        return level_;
    }

  private:
    std::recursive_mutex mutex_;
    unsigned level_ = 0;
};

} // namespace kiln
