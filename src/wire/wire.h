/* wire.h - frames between libkiln and kiln-compiler.
 *
 * A pure codec over a connected Unix stream socket: it knows the frame and the descriptors attached
 * to it, not what is said. The messages are wire.proto's, packed by protobuf-c. Used by both sides;
 * no state but what the caller passes. */
#ifndef KILN_WIRE_H
#define KILN_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { kiln_wire_protocol = 1 };
enum { kiln_wire_max_fds = 240 };      /* of one frame; Linux allows 253 */
enum { kiln_wire_max_size = 1 << 30 }; /* of one frame's body */

typedef enum wire_type {
    WIRE_HELLO = 1,
    WIRE_JOB,
    WIRE_EXITED,
    WIRE_SETUP,
    WIRE_ATTACH, /* no body, only descriptors */
    WIRE_PLAN,
    WIRE_PLAN_REPLY,
    WIRE_COMPILE,
    WIRE_COMPILE_REPLY,
    WIRE_LINK,
    WIRE_LINK_REPLY,
    WIRE_TYPE_COUNT
} wire_type;

/* One received frame. Descriptors are close-on-exec. */
typedef struct wire_frame {
    wire_type type;
    uint8_t *body; /* malloc'd; NULL where size is 0 */
    size_t size;
    int fds[kiln_wire_max_fds];
    size_t fd_count;
} wire_frame;

typedef enum wire_status {
    WIRE_OK,
    WIRE_CLOSED, /* the peer has closed between frames */
    WIRE_BROKEN, /* it closed within a frame, or sent what is none */
    WIRE_NO_MEMORY,
    WIRE_IO /* errno tells */
} wire_status;

/* Send one frame; blocks until it is written. No SIGPIPE. fds are not closed. Thread: one sender at
 * a time. */
wire_status wire_send(int socket, wire_type type, const void *body, size_t size, const int *fds,
                      size_t fd_count);

/* Receive one frame; blocks. On WIRE_OK the caller owns the frame and calls wire_frame_destroy. */
wire_status wire_receive(int socket, wire_frame *frame);

/* Free the body and close the descriptors that the caller has not taken (set to -1). */
void wire_frame_destroy(wire_frame *frame);

/* What a status says, for messages. */
const char *wire_status_text(wire_status status);

#ifdef __cplusplus
}
#endif

#endif
