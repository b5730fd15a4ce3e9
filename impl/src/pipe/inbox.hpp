// inbox: what other threads tell a socket. One per socket, shared with its sessions and with the
// inproc peers; it outlives the socket for as long as somebody may still write to it.
//
// Thread safety: post() and the signaler by any thread; take() and close() by the socket's thread.

#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "base/cache_line.hpp"
#include "io/signaler.hpp"

namespace slk {

class pipe;
class message_properties;

// A property map's reference, given up with the object.
struct properties_release {
  void operator()(message_properties* properties) const noexcept;
};
using properties_ref = std::unique_ptr<message_properties, properties_release>;

struct socket_event {
  enum class kind {
    attached,      // a new pipe, ready for use
    connected,     // a pipe that exists since connect() has got its peer
    disconnected,  // such a pipe has lost its peer; it waits for the next
    received,      // bytes were taken off a connection while the application was silent
    ended,         // the pipe takes no more messages, and delivers only what it holds
  };
  kind what;
  std::shared_ptr<slk::pipe> subject;
  std::string routing_id;     // attached, connected: what the peer calls itself; may be empty
  properties_ref properties;  // attached, connected: what recv'd messages say of the peer
};

using socket_events = std::list<socket_event>;

class alignas(cache_line_bytes) inbox {
 public:
  // Throws std::system_error when descriptors are out.
  inbox() = default;

  slk::signaler& signal() noexcept { return signal_; }

  void post(socket_event event);
  // The same for one that was made beforehand: this cannot fail.
  void post(socket_events event) noexcept;

  // Calls on the socket are to fail with this error from now on; the first one counts. has_events()
  // stays true.
  void stop(int error) noexcept;
  // 0: they are not. As of the last take().
  [[nodiscard]] int stop_error() const noexcept { return taken_stop_error_; }

  // One load, for every call of the application. pairs with: post()
  [[nodiscard]] bool has_events() const noexcept {
    return pending_.load(std::memory_order_acquire);
  }

  [[nodiscard]] socket_events take() noexcept;
  // What was taken and could not be dealt with, for another attempt.
  void put_back(socket_events events) noexcept;

  // The socket goes: gives out what is left, and forgets what is posted from now on. An event that
  // stayed would keep its pipe, and the pipe this inbox.
  [[nodiscard]] socket_events close() noexcept;

 private:
  slk::signaler signal_;
  std::atomic<bool> pending_{false};
  std::mutex mutex_;
  socket_events events_;      // guarded by mutex_
  bool closed_ = false;       // guarded by mutex_
  int stop_error_ = 0;        // guarded by mutex_
  int taken_stop_error_ = 0;  // of the socket's thread
};

}  // namespace slk
