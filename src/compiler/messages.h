// messages.h - wire.proto's messages from C++.
//
// Connection owns a job's end of its socket and every descriptor received on it. MessageArena owns
// what a reply under construction points to; protobuf-c's structs are filled by hand and packed.
// One thread.
#pragma once

#include "compiler/diagnostics.h"
#include "compiler/inputs.h"

#include "wire.pb-c.h"
#include "wire/wire.h"

#include "llvm/Support/Allocator.h"
#include "llvm/Support/StringSaver.h"

#include <memory>
#include <optional>
#include <vector>

namespace kiln
{

inline llvm::StringRef view(const ProtobufCBinaryData &data)
{
    return {reinterpret_cast<const char *>(data.data), data.len};
}

// What a reply points to lives here until it is sent.
class MessageArena
{
  public:
    ProtobufCBinaryData bytes(llvm::StringRef text);
    char *string(llvm::StringRef text);

    template <class T> T *make(void (*initialize)(T *))
    {
        T *message = new (allocator_.Allocate(sizeof(T), alignof(T))) T;
        initialize(message);
        return message;
    }

    template <class T> T *array(size_t count)
    {
        return static_cast<T *>(allocator_.Allocate(sizeof(T) * (count ? count : 1), alignof(T)));
    }

    ProtobufCBinaryData *byte_list(const std::vector<std::string> &items, size_t *count);
    char **string_list(const std::vector<std::string> &items, size_t *count);
    Kiln__Wire__DiagnosticList *diagnostics(const DiagnosticList &list);
    void inputs(const std::vector<Input> &inputs, size_t *count, Kiln__Wire__Input ***items);

  private:
    Kiln__Wire__Diagnostic *diagnostic(const Message &message);
    Kiln__Wire__Fixit *fixit(const Fixit &fixit);

    llvm::BumpPtrAllocator allocator_;
};

// The same from received messages.
Message message_of(const Kiln__Wire__Diagnostic &diagnostic);
Input input_of(const Kiln__Wire__Input &input);

// Text that may hold any bytes, made fit for a protobuf string.
std::string printable(llvm::StringRef text);

std::vector<uint8_t> packed(const ProtobufCMessage *message);

class Connection
{
  public:
    explicit Connection(int socket) : socket_(socket) {}
    ~Connection();
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    // The next frame that has a body of its own; frames that only bring descriptors are consumed.
    // nullopt: the peer is gone or talks nonsense; the status tells, with errno. The caller destroys
    // the frame.
    std::optional<wire_frame> receive(wire_status &status);
    // A descriptor that the peer has sent, by its number; -1 where there is none. Owned by the
    // connection.
    int fd(uint32_t number) const;
    // false: the peer is gone.
    bool send(wire_type type, const ProtobufCMessage *message, llvm::ArrayRef<int> fds = {});
    // The number that the peer will know the next descriptor by that is sent to it.
    uint32_t next_sent_fd() const
    {
        return sent_fds_;
    }

  private:
    int socket_;
    std::vector<int> received_fds_;
    uint32_t sent_fds_ = 0;
};

} // namespace kiln
