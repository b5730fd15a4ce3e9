// A socket as Python sees it. Everything here runs with the GIL held; only the library call that
// has to wait runs without it.
//
// A call first tries not to wait, with the GIL; giving it up costs more than most sends and
// receives. Only when the library answers EAGAIN the GIL is released and the call is repeated with
// waiting allowed, for the time that SNDTIMEO or RCVTIMEO leaves.
#pragma once

#include <nanobind/nanobind.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "context.hpp"

namespace slk::python {

// Invariants
// 1. handle_ is null once closed. It is used by one thread at a time: while busy_, a thread is
//    inside a library call without the GIL, and every other use raises EBUSY.
// 2. A socket inherited through fork() counts as closed.
class socket {
 public:
  socket(context& owner, int type);
  ~socket();
  socket(const socket&) = delete;
  socket& operator=(const socket&) = delete;

  bool closed() const noexcept;

  // Closes; a linger of less than -1 leaves the option as it is. Idempotent.
  void close(int linger_ms);

  // close(), or, while another thread is inside a call, lets that thread close it on its way out.
  void close_soon(int linger_ms);

  void bind(const std::string& endpoint);
  void unbind(const std::string& endpoint);
  void connect(const std::string& endpoint);
  void disconnect(const std::string& endpoint);
  void monitor(const std::optional<std::string>& endpoint, int events);

  void set_int(int option, int value);
  void set_int64(int option, std::int64_t value);
  void set_bytes(int option, nanobind::handle value);
  int get_int(int option);
  std::int64_t get_int64(int option);
  nanobind::bytes get_bytes(int option);

  // Null with a Python error set on failure, as nanobind allows; see error.hpp.
  nanobind::object send(nanobind::handle data, int flags);
  nanobind::object send_multipart(nanobind::handle parts, int flags);
  nanobind::object recv(int flags);
  nanobind::object recv_multipart(int flags);

  bool is_connected(nanobind::handle id);

  // For poll: the handle for a call into the library; throws ENOTSOCK or EBUSY.
  void* usable() const;

  // Marks the socket as used by this thread while the GIL is released.
  class use {
   public:
    explicit use(socket& used) noexcept : socket_(used) { socket_.busy_ = true; }
    ~use();
    use(const use&) = delete;
    use& operator=(const use&) = delete;

   private:
    socket& socket_;
  };

 private:
  template <typename Call>
  int attempt(int flags, int timeout_option, Call call);
  template <typename Call>
  int wait(int timeout_option, Call call);
  void close_handle(int linger_ms) noexcept;

  std::shared_ptr<context_handle> context_;
  void* handle_;
  unsigned generation_;
  bool busy_ = false;
  bool close_when_idle_ = false;
  int pending_linger_ms_ = 0;
};

}  // namespace slk::python
