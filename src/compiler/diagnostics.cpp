// diagnostics.cpp - collection of messages. See diagnostics.h.
#include "compiler/diagnostics.h"

#include "clang/Basic/SourceManager.h"
#include "clang/Lex/Lexer.h"
#include "llvm/ADT/SmallString.h"

namespace kiln
{
namespace
{

Severity severity_of(clang::DiagnosticsEngine::Level level)
{
    switch (level) {
    case clang::DiagnosticsEngine::Ignored:
    case clang::DiagnosticsEngine::Note:
        return Severity::Note;
    case clang::DiagnosticsEngine::Remark:
        return Severity::Remark;
    case clang::DiagnosticsEngine::Warning:
        return Severity::Warning;
    case clang::DiagnosticsEngine::Error:
        return Severity::Error;
    case clang::DiagnosticsEngine::Fatal:
        return Severity::Fatal;
    }
    return Severity::Error;
}

const char *name_of(Severity severity)
{
    static const char *const names[] = {"note", "remark", "warning", "error", "fatal error"};
    return names[int(severity)];
}

// The range of characters that a token range stands for, or an invalid range.
clang::CharSourceRange characters(clang::CharSourceRange range, const clang::SourceManager &sources,
                                  const clang::LangOptions *language)
{
    static const clang::LangOptions default_language;
    return clang::Lexer::makeFileCharRange(range, sources, language ? *language : default_language);
}

} // namespace

bool DiagnosticList::has_errors() const
{
    for (const Message &message : messages) {
        if (message.severity >= Severity::Error)
            return true;
    }
    return false;
}

void DiagnosticList::add(Message &&message)
{
    if (message.severity != Severity::Note || messages.empty()) {
        messages.push_back(std::move(message));
        return;
    }
    Message &owner = messages.back();
    owner.rendered += message.rendered;
    owner.notes.push_back(std::move(message));
}

void DiagnosticList::add(Severity severity, llvm::StringRef text, llvm::StringRef prefix)
{
    Message message;
    message.severity = severity;
    message.text = text.str();
    if (!prefix.empty())
        message.rendered = prefix.str() + ": ";
    message.rendered += std::string(name_of(severity)) + ": " + message.text + "\n";
    messages.push_back(std::move(message));
}

std::string DiagnosticList::summary() const
{
    unsigned warnings = 0, errors = 0;
    for (const Message &message : messages) {
        warnings += message.severity == Severity::Warning;
        errors += message.severity >= Severity::Error;
    }
    std::string text;
    llvm::raw_string_ostream stream(text);
    if (warnings)
        stream << warnings << " warning" << (warnings == 1 ? "" : "s");
    if (warnings && errors)
        stream << " and ";
    if (errors)
        stream << errors << " error" << (errors == 1 ? "" : "s");
    if (warnings || errors)
        stream << " generated.\n";
    return text;
}

void DiagnosticList::append(DiagnosticList &&other)
{
    messages.insert(messages.end(), std::make_move_iterator(other.messages.begin()),
                    std::make_move_iterator(other.messages.end()));
}

DiagnosticCollector::DiagnosticCollector(DiagnosticList &list, clang::DiagnosticOptions &options,
                                         llvm::StringRef prefix)
    : list_(list), stream_(text_), printer_(stream_, options)
{
    if (!prefix.empty())
        printer_.setPrefix(prefix.str());
}

void DiagnosticCollector::BeginSourceFile(const clang::LangOptions &LangOpts,
                                          const clang::Preprocessor *PP)
{
    language_ = &LangOpts;
    printer_.BeginSourceFile(LangOpts, PP);
}

void DiagnosticCollector::EndSourceFile()
{
    printer_.EndSourceFile();
    language_ = nullptr;
}

void DiagnosticCollector::HandleDiagnostic(clang::DiagnosticsEngine::Level Level,
                                           const clang::Diagnostic &Info)
{
    DiagnosticConsumer::HandleDiagnostic(Level, Info);
    printer_.HandleDiagnostic(Level, Info);
    Message message = structured(Level, Info);
    message.rendered = std::move(text_);
    text_.clear();
    list_.add(std::move(message));
}

Message DiagnosticCollector::structured(clang::DiagnosticsEngine::Level level,
                                        const clang::Diagnostic &info) const
{
    Message message;
    message.severity = severity_of(level);
    llvm::SmallString<256> text;
    info.FormatDiagnostic(text);
    message.text = text.str().str();
    llvm::StringRef option =
        info.getDiags()->getDiagnosticIDs()->getWarningOptionForDiag(info.getID());
    if (!option.empty() && level != clang::DiagnosticsEngine::Note)
        message.option = (level == clang::DiagnosticsEngine::Remark ? "-R" : "-W") + option.str();
    if (info.hasSourceManager() && info.getLocation().isValid()) {
        add_position(info, message);
        add_fixits(info, message);
    }
    return message;
}

// File, line and column as clang prints them; the end is that of the first range in the same file
// that reaches past it.
void DiagnosticCollector::add_position(const clang::Diagnostic &info, Message &message) const
{
    const clang::SourceManager &sources = info.getSourceManager();
    clang::PresumedLoc presumed = sources.getPresumedLoc(sources.getFileLoc(info.getLocation()));
    if (presumed.isInvalid())
        return;
    message.file = presumed.getFilename();
    message.line = presumed.getLine();
    message.column = presumed.getColumn();
    for (const clang::CharSourceRange &range : info.getRanges()) {
        clang::CharSourceRange span = characters(range, sources, language_);
        if (span.isInvalid())
            continue;
        clang::PresumedLoc end = sources.getPresumedLoc(span.getEnd());
        if (end.isInvalid() || message.file != end.getFilename())
            continue;
        message.end_line = end.getLine();
        message.end_column = end.getColumn();
        return;
    }
}

void DiagnosticCollector::add_fixits(const clang::Diagnostic &info, Message &message) const
{
    const clang::SourceManager &sources = info.getSourceManager();
    for (const clang::FixItHint &hint : info.getFixItHints()) {
        if (hint.isNull())
            continue;
        clang::CharSourceRange span = characters(hint.RemoveRange, sources, language_);
        if (span.isInvalid())
            continue;
        clang::PresumedLoc begin = sources.getPresumedLoc(span.getBegin());
        clang::PresumedLoc end = sources.getPresumedLoc(span.getEnd());
        if (begin.isInvalid() || end.isInvalid())
            continue;
        std::string replacement = hint.CodeToInsert;
        if (replacement.empty() && hint.InsertFromRange.isValid()) {
            replacement =
                clang::Lexer::getSourceText(characters(hint.InsertFromRange, sources, language_),
                                            sources, language_ ? *language_ : clang::LangOptions())
                    .str();
        }
        message.fixits.push_back({begin.getFilename(), begin.getLine(), begin.getColumn(),
                                  end.getLine(), end.getColumn(), std::move(replacement)});
    }
}

} // namespace kiln
