// job.cpp - a job's conversation with the host. See job.h.
//
// Setup comes first and shapes the process (directory, environment, umask, memory files); then
// requests are answered in order. A frame that cannot be understood ends the job: the host is of
// another version, or not the host.
#include "compiler/job.h"
#include "compiler/compile.h"
#include "compiler/hot_table.h"
#include "compiler/job_process.h"
#include "compiler/link.h"
#include "compiler/memory_file.h"
#include "compiler/messages.h"
#include "compiler/plan.h"

#include "llvm/Demangle/Demangle.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

namespace kiln
{
namespace
{

enum { exit_done = 0, exit_protocol = 2 };

std::vector<std::string> strings_of(size_t count, const ProtobufCBinaryData *items)
{
    std::vector<std::string> strings;
    for (size_t i = 0; i < count; i++)
        strings.push_back(view(items[i]).str());
    return strings;
}

// A received message, freed with its scope.
template <class T> class Received
{
  public:
    using Unpack = T *(*)(ProtobufCAllocator *, size_t, const uint8_t *);
    using Free = void (*)(T *, ProtobufCAllocator *);
    Received(const wire_frame &frame, Unpack unpack, Free free)
        : message_(unpack(nullptr, frame.size, frame.body)), free_(free)
    {
    }
    ~Received()
    {
        if (message_)
            free_(message_, nullptr);
    }
    Received(const Received &) = delete;
    Received &operator=(const Received &) = delete;
    explicit operator bool() const
    {
        return message_ != nullptr;
    }
    const T *operator->() const
    {
        return message_;
    }
    const T &operator*() const
    {
        return *message_;
    }

  private:
    T *message_;
    Free free_;
};

#define RECEIVED(name, type, frame)                                                                \
    Received<Kiln__Wire__##type> name(frame, kiln__wire__##name##__unpack,                         \
                                      kiln__wire__##name##__free_unpacked)

class Job
{
  public:
    explicit Job(int socket) : connection_(socket) {}
    int serve();

  private:
    bool handle(const wire_frame &frame);
    bool set_up(const wire_frame &frame);
    bool plan(const wire_frame &frame);
    bool compile(const wire_frame &frame);
    bool link(const wire_frame &frame);

    void add_memory_file(const Kiln__Wire__MemoryFile &file);
    bool refuse_if_not_set_up(DiagnosticList &list) const;
    bool hot_work(const Kiln__Wire__HotRequest &message, HotWork &work) const;
    std::optional<LinkRequest> link_request(const Kiln__Wire__Link &message) const;

    Connection connection_;
    Surroundings surroundings_;
    std::string setup_error_; // told with every reply
    bool is_set_up_ = false;
    int last_output_fd_ = -1; // of the last Compile, for LinkInput.from_compile
    bool last_is_cxx_ = false;
};

// The status of a job that cannot read on. Its words reach the host by way of the zygote.
int end_without_frame(wire_status status)
{
    if (status == WIRE_CLOSED)
        return exit_done;
    if (status == WIRE_NO_MEMORY)
        return exit_out_of_memory;
    std::string words = "cannot take what the host sends: ";
    words += status == WIRE_IO ? strerror(errno) : wire_status_text(status);
    (void)!write(STDERR_FILENO, words.data(), words.size());
    return exit_fatal_error;
}

int Job::serve()
{
    for (;;) {
        wire_status status;
        std::optional<wire_frame> frame = connection_.receive(status);
        if (!frame)
            return end_without_frame(status);
        bool understood = handle(*frame);
        wire_frame_destroy(&*frame);
        if (!understood)
            return exit_protocol;
    }
}

bool Job::handle(const wire_frame &frame)
{
    switch (frame.type) {
    case WIRE_SETUP:
        return !is_set_up_ && set_up(frame);
    case WIRE_PLAN:
        return is_set_up_ && plan(frame);
    case WIRE_COMPILE:
        return is_set_up_ && compile(frame);
    case WIRE_LINK:
        return is_set_up_ && link(frame);
    default:
        return false;
    }
}

bool Job::set_up(const wire_frame &frame)
{
    RECEIVED(setup, Setup, frame);
    if (!setup)
        return false;
    surroundings_.memory_files = llvm::makeIntrusiveRefCnt<llvm::vfs::InMemoryFileSystem>();
    surroundings_.virtual_directory = view(setup->virtual_directory).rtrim('/').str();
    clearenv();
    for (size_t i = 0; i < setup->n_environment; i++)
        putenv(strdup(view(setup->environment[i]).str().c_str()));
    umask(mode_t(setup->umask));
    std::string directory = view(setup->working_directory).str();
    if (chdir(directory.c_str()) != 0)
        setup_error_ = "cannot enter the directory '" + directory + "': " + strerror(errno);
    surroundings_.directory = directory;
    for (size_t i = 0; i < setup->n_memory_files; i++)
        add_memory_file(*setup->memory_files[i]);
    is_set_up_ = true;
    return true;
}

void Job::add_memory_file(const Kiln__Wire__MemoryFile &file)
{
    std::string path = view(file.path).str();
    std::unique_ptr<llvm::MemoryBuffer> content;
    if (file.has_fd) {
        FileView mapped(connection_.fd(file.content_fd));
        if (!mapped.is_open()) {
            setup_error_ = "cannot read the memory file '" + path + "': " + strerror(errno);
            return;
        }
        content = llvm::MemoryBuffer::getMemBufferCopy(mapped.bytes(), path);
    } else {
        content = llvm::MemoryBuffer::getMemBufferCopy(view(file.content), path);
    }
    surroundings_.memory_files->addFile(path, /*ModificationTime=*/0, std::move(content));
}

bool Job::refuse_if_not_set_up(DiagnosticList &list) const
{
    if (setup_error_.empty())
        return false;
    list.add(Severity::Error, setup_error_);
    return true;
}

bool Job::plan(const wire_frame &frame)
{
    RECEIVED(plan, Plan, frame);
    if (!plan)
        return false;
    PlanRequest request;
    request.lock_fd = plan->has_lock ? connection_.fd(plan->lock_fd) : -1;
    request.packages.assign(plan->packages, plan->packages + plan->n_packages);
    request.scan_sources = strings_of(plan->n_scan_sources, plan->scan_sources);
    PlanResult result;
    if (!refuse_if_not_set_up(result.diagnostics))
        result = kiln::plan(request, surroundings_);

    MessageArena arena;
    Kiln__Wire__PlanReply reply = KILN__WIRE__PLAN_REPLY__INIT;
    reply.ok = !result.diagnostics.has_errors();
    reply.diagnostics = arena.diagnostics(result.diagnostics);
    arena.inputs(result.inputs, &reply.n_inputs, &reply.inputs);
    reply.package_compile_arguments =
        arena.byte_list(result.compile_arguments, &reply.n_package_compile_arguments);
    reply.package_link_arguments =
        arena.byte_list(result.link_arguments, &reply.n_package_link_arguments);
    reply.n_sources = result.sources.size();
    reply.sources = arena.array<Kiln__Wire__SourceArguments *>(result.sources.size());
    for (size_t i = 0; i < result.sources.size(); i++) {
        auto *source = arena.make(kiln__wire__source_arguments__init);
        source->arguments = arena.byte_list(result.sources[i].arguments, &source->n_arguments);
        source->packages = arena.string_list(result.sources[i].packages, &source->n_packages);
        reply.sources[i] = source;
    }
    reply.waited = result.waited;
    return connection_.send(WIRE_PLAN_REPLY, &reply.base);
}

// false: a descriptor is missing, or what is in it is no baseline.
bool Job::hot_work(const Kiln__Wire__HotRequest &message, HotWork &work) const
{
    work.generation = message.generation;
    work.whole = message.whole;
    work.only_source = message.only_source;
    work.follow_up = message.follow_up;
    work.unit_name = view(message.unit).str();
    if (!message.has_baseline)
        return true;
    FileView baseline(connection_.fd(message.baseline_fd));
    return baseline.is_open() && work.baseline.read(baseline.bytes());
}

bool Job::compile(const wire_frame &frame)
{
    RECEIVED(compile, Compile, frame);
    HotWork hot;
    if (!compile || (compile->hot && !hot_work(*compile->hot, hot)))
        return false;
    CompileRequest request;
    request.source = view(compile->source).str();
    request.language = view(compile->language).str();
    request.arguments = strings_of(compile->n_arguments, compile->arguments);
    request.output = OutputKind(compile->output);
    request.codegen_units = compile->codegen_units;
    request.hot = compile->hot ? &hot : nullptr;
    CompileResult result;
    if (hot.follow_up)
        lower_priority();
    if (!refuse_if_not_set_up(result.diagnostics)) {
        TimeLimit limit;
        result = kiln::compile(request, surroundings_);
    }

    MessageArena arena;
    Kiln__Wire__CompileReply reply = KILN__WIRE__COMPILE_REPLY__INIT;
    if (last_output_fd_ >= 0)
        close(last_output_fd_);
    last_output_fd_ = -1;
    if (result.output) {
        llvm::StringRef bytes(result.output->data(), result.output->size());
        last_output_fd_ = memory_file_with("kiln-output", bytes, /*executable=*/false);
        if (last_output_fd_ < 0)
            result.diagnostics.add(Severity::Error,
                                   std::string("cannot make a memory file: ") + strerror(errno));
        Digest digest = digest_of(bytes);
        reply.output_size = bytes.size();
        reply.output_digest =
            arena.bytes({reinterpret_cast<const char *>(digest.data()), digest.size()});
    }
    reply.ok = !result.diagnostics.has_errors() && last_output_fd_ >= 0;
    reply.diagnostics = arena.diagnostics(result.diagnostics);
    arena.inputs(result.inputs, &reply.n_inputs, &reply.inputs);
    reply.cxx = last_is_cxx_ = result.cxx;
    reply.frontend_seconds = result.frontend_seconds;
    reply.backend_seconds = result.backend_seconds;
    std::vector<int> fds;
    int hot_fd = -1;
    if (reply.ok) {
        reply.has_output = true;
        reply.output_fd = connection_.next_sent_fd();
        fds.push_back(last_output_fd_);
    }
    if (reply.ok && compile->hot) {
        std::vector<uint8_t> table = hot_unit_pack(hot.unit);
        hot_fd = memory_file_with(
            "kiln-hot", {reinterpret_cast<const char *>(table.data()), table.size()}, false);
        reply.has_hot = hot_fd >= 0;
        reply.hot_fd = connection_.next_sent_fd() + 1;
        reply.hot_size = table.size();
        if (hot_fd >= 0)
            fds.push_back(hot_fd);
    }
    bool sent = connection_.send(WIRE_COMPILE_REPLY, &reply.base, fds);
    if (hot_fd >= 0)
        close(hot_fd);
    return sent;
}

// nullopt: a descriptor is missing, or there is no compile to take the output of.
std::optional<LinkRequest> Job::link_request(const Kiln__Wire__Link &message) const
{
    LinkRequest request;
    request.output = OutputKind(message.output);
    request.arguments = strings_of(message.n_arguments, message.arguments);
    request.host_symbols = strings_of(message.n_host_symbols, message.host_symbols);
    request.image_id = view(message.image_id).str();
    for (size_t i = 0; i < message.n_inputs; i++) {
        const Kiln__Wire__LinkInput &item = *message.inputs[i];
        LinkInput input{view(item.name).str(), view(item.path).str(), -1, bool(item.cxx)};
        if (item.from_compile) {
            input.fd = last_output_fd_;
            input.cxx |= last_is_cxx_;
        } else if (item.has_fd) {
            input.fd = connection_.fd(item.content_fd);
        }
        if (input.fd < 0 && (item.from_compile || item.has_fd || input.path.empty()))
            return std::nullopt;
        request.inputs.push_back(std::move(input));
    }
    for (size_t i = 0; i < message.n_dependencies; i++) {
        const Kiln__Wire__LinkDependency &item = *message.dependencies[i];
        LinkDependency dependency{view(item.image_id).str(), view(item.path).str(), -1};
        if (item.has_fd)
            dependency.fd = connection_.fd(item.content_fd);
        if (dependency.fd < 0 && (item.has_fd || dependency.path.empty()))
            return std::nullopt;
        request.dependencies.push_back(std::move(dependency));
    }
    return request;
}

// The symbols of an image as a packed SymbolTable: the host stores it as it is.
std::vector<uint8_t> packed_symbols(MessageArena &arena, const std::vector<ImageSymbol> &symbols)
{
    Kiln__Wire__SymbolTable table = KILN__WIRE__SYMBOL_TABLE__INIT;
    table.n_symbols = symbols.size();
    table.symbols = arena.array<Kiln__Wire__Symbol *>(symbols.size());
    for (size_t i = 0; i < symbols.size(); i++) {
        auto *symbol = arena.make(kiln__wire__symbol__init);
        symbol->name = arena.bytes(symbols[i].name);
        std::string demangled = llvm::demangle(symbols[i].name);
        if (demangled != symbols[i].name)
            symbol->demangled = arena.bytes(demangled);
        symbol->kind = symbols[i].kind;
        symbol->size = symbols[i].size;
        symbol->weak = symbols[i].weak;
        table.symbols[i] = symbol;
    }
    return packed(&table.base);
}

bool Job::link(const wire_frame &frame)
{
    RECEIVED(link, Link, frame);
    if (!link)
        return false;
    std::optional<LinkRequest> request = link_request(*link);
    if (!request)
        return false;
    LinkResult result;
    if (!refuse_if_not_set_up(result.diagnostics)) {
        TimeLimit limit;
        result = kiln::link(*request, surroundings_);
    }

    MessageArena arena;
    Kiln__Wire__LinkReply reply = KILN__WIRE__LINK_REPLY__INIT;
    reply.ok = result.output_fd >= 0;
    reply.diagnostics = arena.diagnostics(result.diagnostics);
    arena.inputs(result.inputs, &reply.n_inputs, &reply.inputs);
    std::vector<uint8_t> symbols = packed_symbols(arena, result.symbols);
    if (reply.ok) {
        reply.has_output = true;
        reply.output_fd = connection_.next_sent_fd();
        reply.output_size = result.output_size;
        reply.output_digest =
            arena.bytes({reinterpret_cast<const char *>(result.output_digest.data()),
                         result.output_digest.size()});
        reply.symbol_table = {symbols.size(), symbols.data()};
        reply.symbol_count = uint32_t(result.symbols.size());
        reply.used_host_symbols =
            arena.byte_list(result.used_host_symbols, &reply.n_used_host_symbols);
    }
    reply.seconds = result.seconds;
    bool sent =
        connection_.send(WIRE_LINK_REPLY, &reply.base,
                         reply.ok ? llvm::ArrayRef<int>(result.output_fd) : llvm::ArrayRef<int>());
    if (result.output_fd >= 0)
        close(result.output_fd);
    return sent;
}

} // namespace

int run_job(int socket)
{
    return Job(socket).serve();
}

} // namespace kiln
