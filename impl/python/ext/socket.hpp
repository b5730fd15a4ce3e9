// A socket as Python sees it. Everything here runs with the GIL held; only the library call that
// has to wait runs without it.
//
// A call first tries not to wait, with the GIL; giving it up costs more than most sends and
// receives. Only when the library answers EAGAIN the GIL is released and the call is repeated with
// waiting allowed, for the time that SNDTIMEO or RCVTIMEO leaves.
#pragma once

#include <nanobind/nanobind.h>
#include <serverlink/serverlink.h>

#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "batch_shelf.hpp"
#include "context.hpp"
#include "error.hpp"
#include "interpreter.hpp"

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

  // One send or receive: `call(handle, flags)` at once if possible, else `waiting_call(handle)`
  // without the GIL if `flags` allow it, for at most timeout_ms (follow_option: as the option
  // says). One that is_long, too, is made without the GIL if `flags` allow it. Returns what the
  // last call returned; -1 leaves errno. Throws if the socket cannot be used, and what a signal
  // handler raised.
  static constexpr int follow_option = INT_MIN;
  template <typename Call, typename WaitingCall>
  int attempt(int flags, int timeout_option, bool is_long, Call call, WaitingCall waiting_call,
              int timeout_ms = follow_option);

  // Copying so much, in and out of the kernel, too, takes longer than to let other threads run
  // meanwhile.
  static constexpr size_t long_bytes = 32 * 1024;

  // One of the last parts was long: the next one may be, or is read together with one that is.
  bool expects_long() const noexcept { return shorts_to_expect_ > 0; }
  void note_received(int size_bytes) noexcept {
    if (size_bytes >= static_cast<int>(long_bytes)) [[unlikely]] {
      shorts_to_expect_ = 4;
    } else if (shorts_to_expect_ > 0) [[unlikely]] {
      --shorts_to_expect_;
    }
  }

  bool is_connected(nanobind::handle id);

  batch_shelf& shelf() noexcept { return shelf_; }

  // The handle for a call into the library; throws ENOTSOCK or EBUSY.
  void* usable() const {
    if (handle_ == nullptr || busy_ || generation_ != fork_generation()) [[unlikely]] {
      raise_unusable();
    }
    return handle_;
  }

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
  [[noreturn]] void raise_unusable() const;
  // Whether handlers of signals run before the call, too, or only if one ends its waiting: what
  // they raise must not come between the parts of a message.
  enum class signals { now, later };
  template <typename Call>
  int wait(int timeout_option, int timeout_ms, signals handled, Call call);
  void close_handle(int linger_ms) noexcept;

  std::shared_ptr<context_handle> context_;
  void* handle_;
  unsigned generation_;
  bool busy_ = false;
  int shorts_to_expect_ = 0;  // until the socket is one for short parts
  bool close_when_idle_ = false;
  int pending_linger_ms_ = 0;
  batch_shelf shelf_;
};

// Implementation details follow.

// Repeats `call` without the GIL until it ends otherwise than by a signal. While signals eat into
// the time allowed, the library's own time-out option carries what is left of it.
template <typename Call>
int socket::wait(int timeout_option, int timeout_ms, signals handled, Call call) {
  using clock = std::chrono::steady_clock;
  const int usual_ms = get_int(timeout_option);
  if (timeout_ms == follow_option) {
    timeout_ms = usual_ms;
  }
  if (timeout_ms == 0) {
    errno = EAGAIN;
    return -1;
  }
  const auto deadline = clock::now() + std::chrono::milliseconds(timeout_ms);
  bool borrowed = timeout_ms != usual_ms;
  for (;;) {
    if (handled == signals::now) {
      check_signals();
    }
    handled = signals::now;
    int result = -1;
    if (borrowed) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now());
      set_int(timeout_option,
              timeout_ms < 0 ? -1 : (left.count() > 0 ? static_cast<int>(left.count()) : 0));
    }
    {
      void* const handle = usable();
      const use in_use(*this);
      result = without_gil([&] { return call(handle); });
    }
    const int error = errno;
    if (borrowed && !closed()) {
      slk_setsockopt(handle_, timeout_option, &usual_ms, sizeof usual_ms);
    }
    errno = error;
    if (result >= 0 || error != EINTR) {
      return result;
    }
    borrowed = borrowed || timeout_ms > 0;
  }
}

template <typename Call, typename WaitingCall>
int socket::attempt(int flags, int timeout_option, bool is_long, Call call,
                    WaitingCall waiting_call, int timeout_ms) {
  if (is_long && (flags & SLK_DONTWAIT) == 0) [[unlikely]] {
    if ((timeout_ms == follow_option ? get_int(timeout_option) : timeout_ms) != 0) {
      return wait(timeout_option, timeout_ms, signals::later, waiting_call);
    }
  }
  const int result = call(usable(), flags | SLK_DONTWAIT);
  if (result >= 0 || (flags & SLK_DONTWAIT) != 0 || (errno != EAGAIN && errno != EINTR))
      [[likely]] {
    return result;
  }
  return wait(timeout_option, timeout_ms, signals::now, waiting_call);
}

}  // namespace slk::python
