#pragma once
// Outgoing connections of tcp and ipc, and what can be asked of a connected descriptor.

#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "transport/address.hpp"
#include "transport/socket_options.hpp"

namespace slk {

struct connecting {
  unique_fd fd;              // non-blocking, close-on-exec, tuned
  bool in_progress = false;  // wait until writable, then ask connect_finished()
};

// Starts a connection. Names are looked up here, each time; this may block. Where a name has
// several addresses, the first that doesn't fail at once is taken.
// ECONNREFUSED, ENETUNREACH, ENOENT (no such socket file), EAGAIN (ipc: the backlog is full),
// EMFILE; EHOSTUNREACH: the host name is unknown; EADDRINUSE, EADDRNOTAVAIL: the source address.
result<connecting> connect_to(const address& where, const transport_options& options);

// The outcome, once the descriptor is writable. A tcp socket that was connected to itself (which
// happens when the system picks the wanted port as the source) counts as ECONNREFUSED.
status connect_finished(int fd) noexcept;

// TCP_NODELAY, keepalive, type of service, buffer sizes. listen and connect have done it already.
void tune_connected(int fd, scheme kind, const transport_options& options) noexcept;

// The numeric address of a tcp peer, "127.0.0.1" or "::1"; empty for ipc and the unconnected.
std::string peer_address(int fd);

// TCP_MAXSEG in bytes, 0 where there is none.
int max_segment_bytes(int fd) noexcept;

}  // namespace slk
