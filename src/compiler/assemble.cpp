// assemble.cpp - the assembler. See assemble.h.
//
// Clang's own assembler front end is part of the clang program, not of its libraries. This one
// understands those options of -cc1as that mean something on x86-64 ELF.
#include "compiler/assemble.h"

#include "clang/Options/Options.h"
#include "llvm/MC/MCAsmBackend.h"
#include "llvm/MC/MCAsmInfo.h"
#include "llvm/MC/MCCodeEmitter.h"
#include "llvm/MC/MCContext.h"
#include "llvm/MC/MCInstPrinter.h"
#include "llvm/MC/MCInstrInfo.h"
#include "llvm/MC/MCObjectFileInfo.h"
#include "llvm/MC/MCObjectWriter.h"
#include "llvm/MC/MCParser/MCAsmParser.h"
#include "llvm/MC/MCParser/MCTargetAsmParser.h"
#include "llvm/MC/MCRegisterInfo.h"
#include "llvm/MC/MCStreamer.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Option/ArgList.h"
#include "llvm/Option/OptTable.h"
#include "llvm/Support/FormattedStream.h"
#include "llvm/Support/SourceMgr.h"

namespace kiln
{
namespace
{

using namespace clang::options;
using llvm::opt::InputArgList;

Severity severity_of(llvm::SourceMgr::DiagKind kind)
{
    switch (kind) {
    case llvm::SourceMgr::DK_Error:
        return Severity::Error;
    case llvm::SourceMgr::DK_Warning:
        return Severity::Warning;
    case llvm::SourceMgr::DK_Remark:
        return Severity::Remark;
    case llvm::SourceMgr::DK_Note:
        return Severity::Note;
    }
    return Severity::Error;
}

void take_message(const llvm::SMDiagnostic &diagnostic, DiagnosticList &list)
{
    Message message;
    message.severity = severity_of(diagnostic.getKind());
    message.file = diagnostic.getFilename().str();
    message.line = diagnostic.getLineNo() > 0 ? unsigned(diagnostic.getLineNo()) : 0;
    message.column = diagnostic.getColumnNo() >= 0 ? unsigned(diagnostic.getColumnNo()) + 1 : 0;
    message.text = diagnostic.getMessage().str();
    llvm::raw_string_ostream stream(message.rendered);
    diagnostic.print(nullptr, stream, /*ShowColors=*/false);
    list.add(std::move(message));
}

llvm::MCTargetOptions machine_options(const InputArgList &arguments)
{
    llvm::MCTargetOptions options;
    options.MCRelaxAll = arguments.hasArg(OPT_mrelax_all);
    options.MCNoExecStack = arguments.hasArg(OPT_mno_exec_stack);
    options.MCSaveTempLabels = arguments.hasArg(OPT_msave_temp_labels);
    options.MCFatalWarnings = arguments.hasArg(OPT_massembler_fatal_warnings);
    options.MCNoWarn = arguments.hasArg(OPT_massembler_no_warn);
    options.Crel = arguments.hasArg(OPT_crel);
    options.X86RelaxRelocations = !arguments.hasArg(OPT_mrelax_relocations_no);
    options.X86Sse2Avx = arguments.hasArg(OPT_msse2avx);
    options.ABIName = arguments.getLastArgValue(OPT_target_abi).str();
    llvm::StringRef compression = arguments.getLastArgValue(OPT_compress_debug_sections_EQ);
    if (compression == "zlib")
        options.CompressDebugSections = llvm::DebugCompressionType::Zlib;
    else if (compression == "zstd")
        options.CompressDebugSections = llvm::DebugCompressionType::Zstd;
    return options;
}

// One run of the assembler: what it needs from the target, in the order of dependence.
class Assembler
{
  public:
    Assembler(const InputArgList &arguments, AssemblyText source,
              llvm::IntrusiveRefCntPtr<llvm::vfs::FileSystem> files, DiagnosticList &list);

    bool set_up();
    bool run(OutputKind output, OutputBytes &bytes);

  private:
    void set_up_debug_info();
    std::unique_ptr<llvm::MCStreamer> object_streamer(llvm::raw_pwrite_stream &stream);
    std::unique_ptr<llvm::MCStreamer> text_streamer(llvm::raw_pwrite_stream &stream);
    bool define_symbols(llvm::MCAsmParser &parser);

    const InputArgList &arguments_;
    DiagnosticList &list_;
    std::string name_;
    llvm::Triple triple_;
    llvm::MCTargetOptions options_;
    llvm::SourceMgr sources_;
    const llvm::Target *target_ = nullptr;
    std::unique_ptr<llvm::MCRegisterInfo> registers_;
    std::unique_ptr<llvm::MCAsmInfo> syntax_;
    std::unique_ptr<llvm::MCSubtargetInfo> processor_;
    std::unique_ptr<llvm::MCInstrInfo> instructions_;
    std::unique_ptr<llvm::MCContext> context_;
    std::unique_ptr<llvm::MCObjectFileInfo> sections_;
};

Assembler::Assembler(const InputArgList &arguments, AssemblyText source,
                     llvm::IntrusiveRefCntPtr<llvm::vfs::FileSystem> files, DiagnosticList &list)
    : arguments_(arguments), list_(list), name_(std::move(source.name)),
      triple_(llvm::Triple::normalize(arguments.getLastArgValue(OPT_triple))),
      options_(machine_options(arguments))
{
    sources_.setVirtualFileSystem(std::move(files));
    sources_.setIncludeDirs(arguments.getAllArgValues(OPT_I));
    sources_.AddNewSourceBuffer(std::move(source.text), llvm::SMLoc());
}

bool Assembler::set_up()
{
    std::string problem;
    target_ = llvm::TargetRegistry::lookupTarget(triple_, problem);
    if (!target_) {
        list_.add(Severity::Error,
                  "cannot assemble for '" + triple_.str() + "': only x86-64 is supported");
        return false;
    }
    registers_.reset(target_->createMCRegInfo(triple_));
    syntax_.reset(target_->createMCAsmInfo(*registers_, triple_, options_));
    std::string features = llvm::join(arguments_.getAllArgValues(OPT_target_feature), ",");
    processor_.reset(target_->createMCSubtargetInfo(
        triple_, arguments_.getLastArgValue(OPT_target_cpu), features));
    instructions_.reset(target_->createMCInstrInfo());
    if (!registers_ || !syntax_ || !processor_ || !instructions_) {
        list_.add(Severity::Error, "LLVM has no assembler for '" + triple_.str() + "'");
        return false;
    }
    context_ = std::make_unique<llvm::MCContext>(triple_, syntax_.get(), registers_.get(),
                                                 processor_.get(), &sources_, &options_);
    // Here, and not at the SourceMgr: only what arrives here has been mapped to the lines that line
    // markers name.
    context_->setDiagnosticHandler(
        [this](const llvm::SMDiagnostic &diagnostic, bool, const llvm::SourceMgr &,
               std::vector<const llvm::MDNode *> &) { take_message(diagnostic, list_); });
    bool pic = arguments_.getLastArgValue(OPT_mrelocation_model, "pic") != "static";
    sections_.reset(target_->createMCObjectFileInfo(*context_, pic));
    context_->setObjectFileInfo(sections_.get());
    set_up_debug_info();
    return true;
}

void Assembler::set_up_debug_info()
{
    context_->setMainFileName(arguments_.getLastArgValue(OPT_main_file_name));
    context_->setDwarfDebugFlags(arguments_.getLastArgValue(OPT_dwarf_debug_flags));
    context_->setDwarfDebugProducer(arguments_.getLastArgValue(OPT_dwarf_debug_producer));
    const llvm::opt::Arg *directory =
        arguments_.getLastArg(OPT_ffile_compilation_dir_EQ, OPT_fdebug_compilation_dir_EQ);
    if (directory)
        context_->setCompilationDir(directory->getValue());
    for (const std::string &mapping : arguments_.getAllArgValues(OPT_fdebug_prefix_map_EQ)) {
        auto [from, to] = llvm::StringRef(mapping).split('=');
        context_->addDebugPrefixMapEntry(from.str(), to.str());
    }
    const llvm::opt::Arg *format = arguments_.getLastArg(OPT_gdwarf64, OPT_gdwarf32);
    if (format && format->getOption().matches(OPT_gdwarf64))
        context_->setDwarfFormat(llvm::dwarf::DWARF64);
    unsigned version = 5;
    arguments_.getLastArgValue(OPT_dwarf_version_EQ, "5").getAsInteger(10, version);
    context_->setDwarfVersion(uint16_t(version));
    if (!arguments_.hasArg(OPT_debug_info_kind_EQ))
        return;
    context_->setGenDwarfForAssembly(true);
    context_->setGenDwarfRootFile(name_,
                                  sources_.getMemoryBuffer(sources_.getMainFileID())->getBuffer());
}

std::unique_ptr<llvm::MCStreamer> Assembler::object_streamer(llvm::raw_pwrite_stream &stream)
{
    std::unique_ptr<llvm::MCCodeEmitter> emitter(
        target_->createMCCodeEmitter(*instructions_, *context_));
    std::unique_ptr<llvm::MCAsmBackend> back_end(
        target_->createMCAsmBackend(*processor_, *registers_, options_));
    std::unique_ptr<llvm::MCObjectWriter> writer = back_end->createObjectWriter(stream);
    return std::unique_ptr<llvm::MCStreamer>(
        target_->createMCObjectStreamer(triple_, *context_, std::move(back_end), std::move(writer),
                                        std::move(emitter), *processor_));
}

std::unique_ptr<llvm::MCStreamer> Assembler::text_streamer(llvm::raw_pwrite_stream &stream)
{
    std::unique_ptr<llvm::MCInstPrinter> printer(target_->createMCInstPrinter(
        triple_, /*SyntaxVariant=*/0, *syntax_, *instructions_, *registers_));
    return std::unique_ptr<llvm::MCStreamer>(
        target_->createAsmStreamer(*context_, std::make_unique<llvm::formatted_raw_ostream>(stream),
                                   std::move(printer), nullptr, nullptr));
}

// -Wa,-defsym,NAME=NUMBER
bool Assembler::define_symbols(llvm::MCAsmParser &parser)
{
    for (const std::string &definition : arguments_.getAllArgValues(OPT_defsym)) {
        auto [name, text] = llvm::StringRef(definition).split('=');
        int64_t value;
        if (name.empty() || text.getAsInteger(0, value)) {
            list_.add(Severity::Error,
                      "-defsym must have the form NAME=NUMBER, not '" + definition + "'", "clang");
            return false;
        }
        parser.getContext().setSymbolValue(parser.getStreamer(), name, uint64_t(value));
    }
    return true;
}

bool Assembler::run(OutputKind output, OutputBytes &bytes)
{
    llvm::raw_svector_ostream stream(bytes);
    std::unique_ptr<llvm::MCStreamer> streamer =
        output == OutputKind::Object ? object_streamer(stream) : text_streamer(stream);
    streamer->setUseAssemblerInfoForParsing(output == OutputKind::Object);
    bool starts_bare = arguments_.hasArg(OPT_n);
    if (!starts_bare)
        streamer->initSections(options_.MCNoExecStack, *processor_);

    std::unique_ptr<llvm::MCAsmParser> parser(
        llvm::createMCAsmParser(sources_, *context_, *streamer, *syntax_));
    std::unique_ptr<llvm::MCTargetAsmParser> dialect(
        target_->createMCAsmParser(*processor_, *parser, *instructions_, options_));
    parser->setTargetParser(*dialect);
    return define_symbols(*parser) && !parser->Run(starts_bare) && !context_->hadError();
}

} // namespace

bool assemble(const DriverJob &job, AssemblyText source,
              llvm::IntrusiveRefCntPtr<llvm::vfs::FileSystem> files, OutputKind output,
              OutputBytes &bytes, DiagnosticList &list)
{
    unsigned missing_index = 0, missing_count = 0;
    std::vector<const char *> argv = c_strings(job.arguments);
    InputArgList arguments = clang::getDriverOptTable().ParseArgs(
        argv, missing_index, missing_count, llvm::opt::Visibility(CC1AsOption));
    Assembler assembler(arguments, std::move(source), std::move(files), list);
    bool done = assembler.set_up() && assembler.run(output, bytes);
    if (!done && !list.has_errors())
        list.add(Severity::Error, "the source cannot be assembled");
    return done && !list.has_errors();
}

} // namespace kiln
