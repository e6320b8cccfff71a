// clock_watch.cpp - the watch on __DATE__, __TIME__ and __TIMESTAMP__. See clock_watch.h.
#include "compiler/clock_watch.h"

#include "clang/Basic/SourceManager.h"
#include "clang/Lex/MacroInfo.h"
#include "clang/Lex/PPCallbacks.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Lex/PreprocessorOptions.h"

#include <ctime>

namespace kiln
{
namespace
{

constexpr int64_t second_ns = 1'000'000'000;

// The local midnight `days` after the last one.
int64_t midnight_ns(time_t now, int days)
{
    tm local;
    localtime_r(&now, &local);
    local.tm_hour = local.tm_min = local.tm_sec = 0;
    local.tm_mday += days;
    local.tm_isdst = -1;
    return int64_t(mktime(&local)) * second_ns;
}

class Watch : public clang::PPCallbacks
{
  public:
    Watch(clang::Preprocessor &preprocessor, InputLog &log) : preprocessor_(preprocessor), log_(log)
    {
    }

    void MacroExpands(const clang::Token &MacroNameTok, const clang::MacroDefinition &MD,
                      clang::SourceRange, const clang::MacroArgs *) override
    {
        const clang::MacroInfo *macro = MD.getMacroInfo();
        if (!macro || !macro->isBuiltinMacro())
            return;
        llvm::StringRef name = MacroNameTok.getIdentifierInfo()->getName();
        bool is_frozen = preprocessor_.getPreprocessorOpts().SourceDateEpoch.has_value();
        time_t now = time(nullptr);
        if (name == "__DATE__" && !is_frozen)
            log_.clock(midnight_ns(now, 0), midnight_ns(now, 1));
        else if (name == "__TIME__" && !is_frozen)
            log_.clock(int64_t(now) * second_ns, int64_t(now + 1) * second_ns);
        else if (name == "__TIMESTAMP__")
            note_timestamp();
    }

  private:
    void note_timestamp()
    {
        clang::PreprocessorLexer *lexer = preprocessor_.getCurrentFileLexer();
        if (!lexer)
            return;
        if (clang::OptionalFileEntryRef file = lexer->getFileEntry())
            log_.timestamp(file->getName());
    }

    clang::Preprocessor &preprocessor_;
    InputLog &log_;
};

} // namespace

void ClockWatch::attachToPreprocessor(clang::Preprocessor &PP)
{
    PP.addPPCallbacks(std::make_unique<Watch>(PP, log_));
}

} // namespace kiln
