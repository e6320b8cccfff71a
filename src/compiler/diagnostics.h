// diagnostics.h - the compiler's messages, as structures and as the text that clang would have
// printed.
//
// DiagnosticList is what goes over the wire. DiagnosticCollector fills one from Clang; other
// sources of messages (LLD, LLVM's assembler, Kiln itself) add to it directly. Notes belong to the
// message before them. One thread.
#pragma once

#include "clang/Basic/Diagnostic.h"
#include "clang/Basic/DiagnosticOptions.h"
#include "clang/Frontend/TextDiagnosticPrinter.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <string>
#include <vector>

namespace kiln
{

// As kiln_severity of kiln.h.
enum class Severity { Note, Remark, Warning, Error, Fatal };

struct Fixit {
    std::string file;
    unsigned line = 0, column = 0, end_line = 0, end_column = 0;
    std::string replacement;
};

struct Message {
    Severity severity = Severity::Error;
    std::string file;
    unsigned line = 0, column = 0, end_line = 0, end_column = 0;
    std::string text;
    std::string option;   // "-Wunused-variable"
    std::string rendered; // notes included
    std::vector<Message> notes;
    std::vector<Fixit> fixits;
};

struct DiagnosticList {
    std::vector<Message> messages;

    bool has_errors() const;
    // A note goes to the message before it.
    void add(Message &&message);
    // Add an error or warning that has no position: "error: TEXT\n", after "PREFIX: " where that is
    // not empty.
    void add(Severity severity, llvm::StringRef text, llvm::StringRef prefix = "");
    // "1 warning and 2 errors generated.\n", or nothing.
    std::string summary() const;
    void append(DiagnosticList &&other);
};

// Collects what one DiagnosticsEngine reports.
class DiagnosticCollector : public clang::DiagnosticConsumer
{
  public:
    // prefix: of messages that have no position ("clang"), or empty.
    DiagnosticCollector(DiagnosticList &list, clang::DiagnosticOptions &options,
                        llvm::StringRef prefix);

    void BeginSourceFile(const clang::LangOptions &LangOpts,
                         const clang::Preprocessor *PP) override;
    void EndSourceFile() override;
    void HandleDiagnostic(clang::DiagnosticsEngine::Level Level,
                          const clang::Diagnostic &Info) override;

  private:
    Message structured(clang::DiagnosticsEngine::Level level, const clang::Diagnostic &info) const;
    void add_position(const clang::Diagnostic &info, Message &message) const;
    void add_fixits(const clang::Diagnostic &info, Message &message) const;

    DiagnosticList &list_;
    std::string text_; // what printer_ wrote since it was last emptied
    llvm::raw_string_ostream stream_;
    clang::TextDiagnosticPrinter printer_;
    const clang::LangOptions *language_ = nullptr;
};

} // namespace kiln
