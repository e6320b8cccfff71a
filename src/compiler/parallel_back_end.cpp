// parallel_back_end.cpp - children for pieces of a unit. See parallel_back_end.h.
#include "compiler/parallel_back_end.h"
#include "compiler/file_gate.h"
#include "compiler/linker.h"
#include "compiler/local_names.h"
#include "compiler/memory_file.h"
#include "compiler/messages.h"

#include "llvm/IR/PassManager.h"
#include "llvm/Passes/PassBuilder.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace kiln
{
namespace
{

// End as a child ended, so that the zygote reports that.
[[noreturn]] void end_like(int status)
{
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

} // namespace

// Runs before all other passes; in a child the pipeline then goes on with its piece.
class ParallelBackEnd::CutPass : public llvm::PassInfoMixin<CutPass>
{
  public:
    explicit CutPass(ParallelBackEnd &owner) : owner_(&owner) {}
    llvm::PreservedAnalyses run(llvm::Module &module, llvm::ModuleAnalysisManager &)
    {
        owner_->cut(module);
        return llvm::PreservedAnalyses::none();
    }
    static bool isRequired()
    {
        return true;
    }

  private:
    ParallelBackEnd *owner_;
};

bool ParallelBackEnd::is_possible(const clang::CodeGenOptions &options)
{
    bool is_instrumented = options.hasProfileClangInstr() || options.hasProfileIRInstr() ||
                           options.hasProfileCSIRInstr() || options.hasProfileIRUse() ||
                           options.hasProfileClangUse() || !options.SampleProfileFile.empty() ||
                           !options.CoverageDataFile.empty();
    bool embeds = options.getEmbedBitcode() != clang::CodeGenOptions::Embed_Off;
    return options.OptimizationLevel > 0 && !options.DisableLLVMPasses && !is_instrumented &&
           !embeds;
}

void ParallelBackEnd::install(clang::CodeGenOptions &options)
{
    options.PassBuilderCallbacks.push_back([this](llvm::PassBuilder &builder) {
        builder.registerPipelineStartEPCallback(
            [this](llvm::ModulePassManager &passes, llvm::OptimizationLevel) {
                passes.addPass(CutPass(*this));
            });
    });
}

void ParallelBackEnd::cut(llvm::Module &module)
{
    if (list_.has_errors())
        return;
    partition_ = Partition::plan(module, at_once_);
    if (!partition_)
        return;
    partition_->share(suffix_);
    messages_before_ = list_.messages.size();
    pieces_.resize(partition_->piece_count());
    for (size_t number = 0; number < pieces_.size(); number++) {
        while (running_ >= at_once_)
            wait_for_one();
        if (!start_piece(number))
            break;
        if (own_) {
            partition_->keep_only(number);
            return;
        }
    }
    while (running_ > 0)
        wait_for_one();
    partition_->keep_only(partition_->piece_count());
}

// true in the parent and, with own_ set, in the child.
bool ParallelBackEnd::start_piece(size_t number)
{
    Piece &piece = pieces_[number];
    piece.object_fd = memory_file_create("kiln-piece", /*executable=*/false);
    piece.report_fd = memory_file_create("kiln-report", /*executable=*/false);
    pid_t parent = getpid();
    if (piece.object_fd >= 0 && piece.report_fd >= 0)
        piece.pid = fork();
    if (piece.pid < 0) {
        list_.add(Severity::Error,
                  std::string("cannot start a process for a part of the unit: ") + strerror(errno));
        return false;
    }
    if (piece.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(0);
        own_ = &piece;
        return true;
    }
    running_++;
    return true;
}

void ParallelBackEnd::wait_for_one()
{
    int status;
    pid_t ended = waitpid(-1, &status, 0);
    if (ended < 0 && errno == EINTR)
        return;
    if (ended < 0 || status != 0)
        end_like(ended < 0 ? 0x100 : status);
    running_--;
}

void ParallelBackEnd::deliver(bool done, const OutputBytes &bytes)
{
    DiagnosticList news;
    for (size_t i = messages_before_; i < list_.messages.size(); i++)
        news.messages.push_back(list_.messages[i]);
    std::vector<std::string> changed;
    std::vector<Input> inputs = log_.finish(&changed);
    for (const std::string &path : changed)
        log_.changed(path);

    MessageArena arena;
    Kiln__Wire__CompileReply report = KILN__WIRE__COMPILE_REPLY__INIT;
    report.ok = done && changed.empty();
    report.diagnostics = arena.diagnostics(news);
    arena.inputs(inputs, &report.n_inputs, &report.inputs);
    std::vector<uint8_t> body = packed(&report.base);
    bool written =
        write_fully(own_->report_fd, {reinterpret_cast<const char *>(body.data()), body.size()}) &&
        write_fully(own_->object_fd, {bytes.data(), bytes.size()});
    _exit(written ? 0 : 1);
}

bool ParallelBackEnd::take_reports()
{
    bool all_done = true;
    for (const Piece &piece : pieces_) {
        FileView view(piece.report_fd);
        auto *report = kiln__wire__compile_reply__unpack(
            nullptr, view.bytes().size(), reinterpret_cast<const uint8_t *>(view.bytes().data()));
        if (!report)
            return false;
        all_done = all_done && report->ok;
        for (size_t i = 0; i < report->n_inputs; i++)
            log_.add(input_of(*report->inputs[i]));
        for (size_t i = 0; report->diagnostics && i < report->diagnostics->n_diagnostics; i++) {
            // A remark on an imported function comes from every piece that imports it.
            Message message = message_of(*report->diagnostics->diagnostics[i]);
            bool is_known = std::any_of(
                list_.messages.begin() + std::ptrdiff_t(messages_before_), list_.messages.end(),
                [&](const Message &earlier) { return earlier.rendered == message.rendered; });
            if (!is_known)
                list_.messages.push_back(std::move(message));
        }
        kiln__wire__compile_reply__free_unpacked(report, nullptr);
    }
    return all_done;
}

bool ParallelBackEnd::merge(OutputBytes &bytes)
{
    std::vector<std::string> names;
    for (size_t number = 0; number < pieces_.size(); number++) {
        names.push_back("part " + std::to_string(number + 1));
        gate_lend(names.back(), pieces_[number].object_fd);
    }
    int merged = merge_objects(names, list_);
    gate_return_all();
    if (merged < 0)
        return false;
    FileView view(merged);
    close(merged);
    return restore_local_names(view.bytes(), suffix_, bytes, list_);
}

bool ParallelBackEnd::finish(bool done, OutputBytes &bytes)
{
    if (own_)
        deliver(done, bytes);
    if (!done || !partition_)
        return done;
    bool merged = !list_.has_errors() && take_reports() && !list_.has_errors() && merge(bytes);
    if (!merged && !list_.has_errors())
        list_.add(Severity::Error, "a part of the unit could not be compiled");
    for (const Piece &piece : pieces_) {
        close(piece.object_fd);
        close(piece.report_fd);
    }
    return merged;
}

} // namespace kiln
