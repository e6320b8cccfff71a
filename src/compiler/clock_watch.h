// clock_watch.h - notices what the preprocessor takes from the clock.
//
// __DATE__ and __TIME__ make the time of day an input, __TIMESTAMP__ the time of a file's last
// change. Lives as long as the preprocessor; one thread.
#pragma once

#include "compiler/inputs.h"

#include "clang/Frontend/Utils.h"

namespace kiln
{

class ClockWatch : public clang::DependencyCollector
{
  public:
    explicit ClockWatch(InputLog &log) : log_(log) {}
    void attachToPreprocessor(clang::Preprocessor &PP) override;

  private:
    InputLog &log_;
};

} // namespace kiln
