// counted_mutex.h - a recursive mutex that knows how often its owner has locked it.
#pragma once

#include <mutex>

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
