// clock_watch.h - notices what the preprocessor takes from the clock.
//
// __DATE__ and __TIME__ make the time of day an input, __TIMESTAMP__ the time of a file's last change. It also notes
// when the main file has been parsed. Lives as long as the preprocessor; one thread.
#pragma once

#include "compiler/inputs.h"

#include "clang/Frontend/Utils.h"

namespace kiln
{

class ClockWatch : public clang::DependencyCollector
{
public:
    ClockWatch(InputLog &log, double &main_file_end) : log_(log), main_file_end_(main_file_end)
    {
    }
    void attachToPreprocessor(clang::Preprocessor &PP) override;

private:
    InputLog &log_;
    double &main_file_end_;
};

} // namespace kiln
