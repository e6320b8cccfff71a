// messages.cpp - packing of replies, and a job's connection. See messages.h.
#include "compiler/messages.h"

#include <algorithm>
#include <unistd.h>

namespace kiln
{

ProtobufCBinaryData MessageArena::bytes(llvm::StringRef text)
{
    return {text.size(), reinterpret_cast<uint8_t *>(string(text))};
}

char *MessageArena::string(llvm::StringRef text)
{
    return const_cast<char *>(llvm::StringSaver(allocator_).save(text).data());
}

ProtobufCBinaryData *MessageArena::byte_list(const std::vector<std::string> &items, size_t *count)
{
    *count = items.size();
    auto *list = array<ProtobufCBinaryData>(items.size());
    for (size_t i = 0; i < items.size(); i++)
        list[i] = bytes(items[i]);
    return list;
}

char **MessageArena::string_list(const std::vector<std::string> &items, size_t *count)
{
    *count = items.size();
    auto *list = array<char *>(items.size());
    for (size_t i = 0; i < items.size(); i++)
        list[i] = string(items[i]);
    return list;
}

Kiln__Wire__Fixit *MessageArena::fixit(const Fixit &fixit)
{
    auto *message = make(kiln__wire__fixit__init);
    message->file = bytes(fixit.file);
    message->line = fixit.line;
    message->column = fixit.column;
    message->end_line = fixit.end_line;
    message->end_column = fixit.end_column;
    message->replacement = bytes(fixit.replacement);
    return message;
}

Kiln__Wire__Diagnostic *MessageArena::diagnostic(const Message &source)
{
    auto *message = make(kiln__wire__diagnostic__init);
    message->severity = uint32_t(source.severity);
    message->file = bytes(source.file);
    message->line = source.line;
    message->column = source.column;
    message->end_line = source.end_line;
    message->end_column = source.end_column;
    message->message = bytes(source.text);
    message->option = bytes(source.option);
    message->rendered = bytes(source.rendered);
    message->n_notes = source.notes.size();
    message->notes = array<Kiln__Wire__Diagnostic *>(source.notes.size());
    for (size_t i = 0; i < source.notes.size(); i++)
        message->notes[i] = diagnostic(source.notes[i]);
    message->n_fixits = source.fixits.size();
    message->fixits = array<Kiln__Wire__Fixit *>(source.fixits.size());
    for (size_t i = 0; i < source.fixits.size(); i++)
        message->fixits[i] = fixit(source.fixits[i]);
    return message;
}

Kiln__Wire__DiagnosticList *MessageArena::diagnostics(const DiagnosticList &list)
{
    auto *message = make(kiln__wire__diagnostic_list__init);
    message->n_diagnostics = list.messages.size();
    message->diagnostics = array<Kiln__Wire__Diagnostic *>(list.messages.size());
    for (size_t i = 0; i < list.messages.size(); i++)
        message->diagnostics[i] = diagnostic(list.messages[i]);
    message->summary = bytes(list.summary());
    return message;
}

void MessageArena::inputs(const std::vector<Input> &inputs, size_t *count,
                          Kiln__Wire__Input ***items)
{
    *count = inputs.size();
    *items = array<Kiln__Wire__Input *>(inputs.size());
    for (size_t i = 0; i < inputs.size(); i++) {
        auto *message = make(kiln__wire__input__init);
        message->path = bytes(inputs[i].path);
        message->kind = Kiln__Wire__Input__Kind(inputs[i].kind);
        if (inputs[i].kind != InputKind::Absent) {
            message->identity = make(kiln__wire__identity__init);
            message->identity->device = inputs[i].identity.device;
            message->identity->inode = inputs[i].identity.inode;
            message->identity->size = inputs[i].identity.size;
            message->identity->mtime_ns = inputs[i].identity.mtime_ns;
            message->identity->ctime_ns = inputs[i].identity.ctime_ns;
        }
        if (inputs[i].kind == InputKind::File) {
            const Digest &digest = inputs[i].digest;
            message->digest = bytes({reinterpret_cast<const char *>(digest.data()), digest.size()});
        }
        (*items)[i] = message;
    }
}

Message message_of(const Kiln__Wire__Diagnostic &diagnostic)
{
    Message message;
    message.severity = Severity(std::min<uint32_t>(diagnostic.severity, uint32_t(Severity::Fatal)));
    message.file = view(diagnostic.file).str();
    message.line = diagnostic.line;
    message.column = diagnostic.column;
    message.end_line = diagnostic.end_line;
    message.end_column = diagnostic.end_column;
    message.text = view(diagnostic.message).str();
    message.option = view(diagnostic.option).str();
    message.rendered = view(diagnostic.rendered).str();
    for (size_t i = 0; i < diagnostic.n_notes; i++)
        message.notes.push_back(message_of(*diagnostic.notes[i]));
    for (size_t i = 0; i < diagnostic.n_fixits; i++) {
        const Kiln__Wire__Fixit &fixit = *diagnostic.fixits[i];
        message.fixits.push_back({view(fixit.file).str(), fixit.line, fixit.column, fixit.end_line,
                                  fixit.end_column, view(fixit.replacement).str()});
    }
    return message;
}

Input input_of(const Kiln__Wire__Input &input)
{
    Input result{view(input.path).str(), InputKind(input.kind), {}, {}};
    if (const Kiln__Wire__Identity *identity = input.identity)
        result.identity = {identity->device, identity->inode, identity->size, identity->mtime_ns,
                           identity->ctime_ns};
    if (input.digest.len == result.digest.size())
        std::copy(input.digest.data, input.digest.data + input.digest.len, result.digest.begin());
    return result;
}

std::string printable(llvm::StringRef text)
{
    std::string result;
    for (char c : text)
        result += c == '\n' || (c >= ' ' && c <= '~') ? c : '?';
    return result;
}

std::vector<uint8_t> packed(const ProtobufCMessage *message)
{
    std::vector<uint8_t> body(protobuf_c_message_get_packed_size(message));
    protobuf_c_message_pack(message, body.data());
    return body;
}

Connection::~Connection()
{
    for (int fd : received_fds_)
        close(fd);
    close(socket_);
}

std::optional<wire_frame> Connection::receive(wire_status &status)
{
    for (;;) {
        wire_frame frame;
        status = wire_receive(socket_, &frame);
        if (status != WIRE_OK)
            return std::nullopt;
        received_fds_.insert(received_fds_.end(), frame.fds, frame.fds + frame.fd_count);
        frame.fd_count = 0;
        if (frame.type != WIRE_ATTACH)
            return frame;
        wire_frame_destroy(&frame);
    }
}

int Connection::fd(uint32_t number) const
{
    return number < received_fds_.size() ? received_fds_[number] : -1;
}

bool Connection::send(wire_type type, const ProtobufCMessage *message, llvm::ArrayRef<int> fds)
{
    std::vector<uint8_t> body = packed(message);
    sent_fds_ += uint32_t(fds.size());
    return wire_send(socket_, type, body.data(), body.size(), fds.data(), fds.size()) == WIRE_OK;
}

} // namespace kiln
