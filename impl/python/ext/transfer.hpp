// The calls that send and receive one message or one part of it.
#pragma once

#include <nanobind/nanobind.h>

#include "message.hpp"
#include "socket.hpp"

namespace slk::python {

// Adds send, recv, send_multipart, recv_multipart, recv_into, and the forms of the first four that
// answer at once, to the class.
void define_transfers(nanobind::handle type);

// What follows is for other calls of this kind.

// The socket behind `self`; throws if __init__ was never run.
socket& socket_of(PyObject* self);

// One part; -1 leaves errno. Throws as socket::attempt().
int send_part(socket& target, const buffer_view& part, int flags);

// All parts; -1 leaves errno. An empty message is EINVAL.
int send_parts(socket& target, const part_views& parts, int flags);

// Receives one part, waiting for timeout_ms at most where it may wait; -1 leaves errno. Throws as
// socket::attempt().
int receive_part(socket& source, received_part& part, int flags,
                 int timeout_ms = socket::follow_option);

// The same into memory; answers the part's size, which may exceed the room.
int receive_into(socket& source, char* into, size_t room_bytes, int flags,
                 int timeout_ms = socket::follow_option);

// Receives the parts that follow on `head`, which it steals, one at least, and returns the list of
// all of them; null with an error set.
PyObject* message_of(socket& source, PyObject* head, int flags);

}  // namespace slk::python
