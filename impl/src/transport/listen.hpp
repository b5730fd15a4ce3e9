#pragma once
// Listening sockets of tcp and ipc. All descriptors are non-blocking and close-on-exec.

#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "transport/address.hpp"
#include "transport/socket_options.hpp"

namespace slk {

struct listening {
  unique_fd fd;
  std::string endpoint;     // resolved: the real address and port, for LAST_ENDPOINT
  std::string unlink_path;  // for ipc://* the socket file to remove at the end, else empty
  std::string unlink_dir;   // and its directory, afterwards
};

// Binds and listens. Names are looked up here, interfaces first; this may block.
// A socket file that is in the way of ipc is removed, whoever made it; any other file is
// EADDRINUSE.
// EADDRINUSE, EADDRNOTAVAIL, EACCES, EMFILE; ENODEV: no such interface or host; ENOENT: the
// directory of the ipc path is missing; EINVAL: not an address to bind to.
result<listening> listen_on(const address& where, const transport_options& options);

// Removes what ipc://* left in the file system. Does nothing for other endpoints.
void remove_socket_file(const std::string& unlink_path, const std::string& unlink_dir) noexcept;

// Accepts one connection and tunes it. EAGAIN: none is waiting, or the peer vanished meanwhile;
// EMFILE, ENFILE, ENOBUFS, ENOMEM: out of resources, the connection stays in the backlog.
result<unique_fd> accept_from(int listen_fd, scheme kind, const transport_options& options);

}  // namespace slk
