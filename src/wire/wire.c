/* wire.c - frames on a Unix stream socket.
 *
 * A frame is a header of four 32-bit words in the byte order of the machine (both ends run on it),
 * then its body. Its descriptors ride on the header's first byte, so a receiver that asks for
 * exactly a header's bytes gets all of them and none of the next frame's. A header that could not
 * have been written by wire_send is refused before anything is allocated. Keeps no state. */
#include "wire/wire.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { frame_magic = 0x4e4c494b }; /* "KILN" */

typedef struct frame_header {
    uint32_t magic, type, size, fd_count;
} frame_header;

static_assert(sizeof(frame_header) == 16, "the header is part of the protocol");

typedef union fd_control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * kiln_wire_max_fds)];
} fd_control;

/* The status for a failed send or receive. A peer that went away is no error of this side. */
static wire_status status_of_errno(void)
{
    return errno == EPIPE || errno == ECONNRESET ? WIRE_CLOSED : WIRE_IO;
}

/* Send everything that the message describes; descriptors go with the first bytes. */
static wire_status send_fully(int socket, struct msghdr *message)
{
    while (message->msg_iovlen > 0) {
        ssize_t sent = sendmsg(socket, message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return status_of_errno();
        message->msg_control = NULL;
        message->msg_controllen = 0;
        while (message->msg_iovlen > 0 && (size_t)sent >= message->msg_iov->iov_len) {
            sent -= (ssize_t)message->msg_iov->iov_len;
            message->msg_iov++;
            message->msg_iovlen--;
        }
        if (message->msg_iovlen > 0) {
            message->msg_iov->iov_base = (char *)message->msg_iov->iov_base + sent;
            message->msg_iov->iov_len -= (size_t)sent;
        }
    }
    return WIRE_OK;
}

wire_status wire_send(int socket, wire_type type, const void *body, size_t size, const int *fds,
                      size_t fd_count)
{
    assert(type > 0 && type < WIRE_TYPE_COUNT);
    assert(fd_count <= kiln_wire_max_fds);
    if (size > kiln_wire_max_size) {
        errno = EMSGSIZE;
        return WIRE_IO;
    }
    frame_header header = {frame_magic, (uint32_t)type, (uint32_t)size, (uint32_t)fd_count};
    struct iovec parts[2] = {{&header, sizeof header}, {(void *)body, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = size > 0 ? 2 : 1};
    fd_control control;
    if (fd_count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(rights), fds, sizeof(int) * fd_count);
    }
    return send_fully(socket, &message);
}

/* Move the descriptors of one received message into the frame; those that have no place are closed.
 */
static void take_fds(struct msghdr *message, wire_frame *frame)
{
    for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item != NULL;
         item = CMSG_NXTHDR(message, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(item) + i * sizeof fd, sizeof fd);
            if (frame->fd_count < kiln_wire_max_fds)
                frame->fds[frame->fd_count++] = fd;
            else
                close(fd);
        }
    }
}

/* Read exactly `size` bytes. Where the peer closes before the first of them: CLOSED, else BROKEN.
 */
static wire_status receive_fully(int socket, void *bytes, size_t size, wire_frame *frame)
{
    size_t done = 0;
    while (done < size) {
        struct iovec part = {(char *)bytes + done, size - done};
        fd_control control;
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof control};
        ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return status_of_errno();
        take_fds(&message, frame);
        if (message.msg_flags & MSG_CTRUNC) {
            errno = EMFILE; /* what the kernel could not install is lost */
            return WIRE_IO;
        }
        if (got == 0)
            return done == 0 ? WIRE_CLOSED : WIRE_BROKEN;
        done += (size_t)got;
    }
    return WIRE_OK;
}

static bool header_is_sane(const frame_header *header, size_t fd_count)
{
    return header->magic == frame_magic && header->type > 0 && header->type < WIRE_TYPE_COUNT &&
           header->size <= kiln_wire_max_size && header->fd_count == fd_count;
}

wire_status wire_receive(int socket, wire_frame *frame)
{
    frame->body = NULL;
    frame->size = 0;
    frame->fd_count = 0;

    frame_header header;
    wire_status status = receive_fully(socket, &header, sizeof header, frame);
    if (status != WIRE_OK)
        goto cleanup;
    status = WIRE_BROKEN;
    if (!header_is_sane(&header, frame->fd_count))
        goto cleanup;
    frame->type = (wire_type)header.type;
    if (header.size > 0) {
        status = WIRE_NO_MEMORY;
        frame->body = malloc(header.size);
        if (frame->body == NULL)
            goto cleanup;
        status = receive_fully(socket, frame->body, header.size, frame);
        if (status == WIRE_CLOSED)
            status = WIRE_BROKEN;
        if (status != WIRE_OK)
            goto cleanup;
    }
    /* A body carries no descriptors of its own. */
    status = frame->fd_count == header.fd_count ? WIRE_OK : WIRE_BROKEN;
    frame->size = header.size;

cleanup:
    if (status != WIRE_OK) {
        int saved = errno;
        wire_frame_destroy(frame);
        errno = saved;
    }
    return status;
}

void wire_frame_destroy(wire_frame *frame)
{
    if (frame == NULL)
        return;
    for (size_t i = 0; i < frame->fd_count; i++) {
        if (frame->fds[i] >= 0)
            close(frame->fds[i]);
    }
    free(frame->body);
    frame->body = NULL;
    frame->size = 0;
    frame->fd_count = 0;
}

const char *wire_status_text(wire_status status)
{
    switch (status) {
    case WIRE_OK:
        return "success";
    case WIRE_CLOSED:
        return "the connection was closed";
    case WIRE_BROKEN:
        return "the connection was closed within a frame, or its bytes are none";
    case WIRE_NO_MEMORY:
        return "out of memory";
    case WIRE_IO:
        return "the connection failed";
    }
    return "unknown";
}
