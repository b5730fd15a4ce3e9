// What every contract test needs: owners for the C handles, fresh endpoints per transport, and
// waiting for a condition with a deadline.
//
// The suite knows the library through serverlink.h only. Tests of properties that no transport
// changes are templates over tcp, ipc and inproc. "[strict]" in a name marks what this library
// promises beyond what libzmq does.
#pragma once

#include <doctest/doctest.h>
#include <serverlink/serverlink.h>

#include <chrono>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace contract {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

// How long a thing that must happen may take; generous, since only failures wait for it.
inline constexpr std::chrono::milliseconds deadline = 10s;

// How long a thing that must not happen is waited for.
inline constexpr std::chrono::milliseconds patience = 150ms;

// Asks until it is true or the deadline is over.
template <typename Condition>
bool eventually(Condition condition, std::chrono::milliseconds limit = deadline) {
  const auto end = clock::now() + limit;
  while (!condition()) {
    if (clock::now() > end) {
      return false;
    }
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

// Asks for as long as patience lasts; false as soon as it is not true.
template <typename Condition>
bool remains(Condition condition) {
  return !eventually([&] { return !condition(); }, patience);
}

using parts = std::vector<std::string>;

class context {
 public:
  context() : raw_(slk_ctx_new()) { REQUIRE(raw_ != nullptr); }
  ~context() { slk_ctx_destroy(raw_); }
  context(const context&) = delete;
  context& operator=(const context&) = delete;

  void* raw() const { return raw_; }

  // slk_ctx_term(), after which nothing is left for the destructor.
  int term() {
    const int result = slk_ctx_term(raw_);
    if (result == 0) {
      raw_ = nullptr;
    }
    return result;
  }

 private:
  void* raw_;
};

// A socket that lingers 0 and gives up waiting at the deadline, unless a test sets it otherwise.
class socket {
 public:
  socket(context& owner, int type);
  ~socket() { close(); }
  socket(socket&& other) noexcept : raw_(other.raw_) { other.raw_ = nullptr; }
  socket(const socket&) = delete;
  socket& operator=(const socket&) = delete;
  socket& operator=(socket&&) = delete;

  void* raw() const { return raw_; }
  void close();

  socket& set(int option, int value);
  socket& set(int option, std::string_view bytes);
  int get(int option) const;
  std::string last_endpoint() const;

  // Binds and returns the endpoint to connect to.
  std::string bind(const std::string& endpoint);
  void connect(const std::string& endpoint);

  // One part; the library's result and errno.
  int send(std::string_view part, int flags = 0);
  std::optional<std::string> recv(int flags = 0);

  // One message, waiting; send fails the test if it cannot, recv returns no parts if none came.
  void send_message(std::initializer_list<std::string_view> message);
  parts recv_message();

  // Without waiting; false and nullopt only for EAGAIN, any other error fails the test.
  bool try_send(std::string_view part);
  std::optional<std::string> try_recv();

  // try_send() until it is refused, at most `limit` times; how often it was not.
  int fill(std::string_view part, int limit = 100000);

  // fill() until it stays full: a kernel's buffer takes more after a moment.
  int fill_for_good(std::string_view part, int limit = 100000);

  // try_recv() until there is nothing; how often there was something.
  int drain();

  bool can_send() const { return (get(SLK_EVENTS) & SLK_POLLOUT) != 0; }
  bool can_recv() const { return (get(SLK_EVENTS) & SLK_POLLIN) != 0; }

  // Waits until the event is there.
  bool wait(short events, std::chrono::milliseconds limit = deadline) const;

 private:
  void* raw_;
};

// A descriptor is readable, or becomes it.
bool is_readable(int fd, std::chrono::milliseconds limit = deadline);

// A path in a directory that is removed when the process ends.
std::string fresh_path();

// Transports. wildcard() can be bound; unbound() can be bound too, and names a place where nobody
// listens yet.
struct tcp {
  static constexpr bool is_stream = true;
  static std::string wildcard() { return "tcp://127.0.0.1:*"; }
  static std::string unbound();
};
struct ipc {
  static constexpr bool is_stream = true;
  static std::string wildcard() { return unbound(); }
  static std::string unbound() { return "ipc://" + fresh_path(); }
};
struct inproc {
  static constexpr bool is_stream = false;
  static std::string wildcard() { return unbound(); }
  static std::string unbound();
};

}  // namespace contract

TYPE_TO_STRING(contract::tcp);
TYPE_TO_STRING(contract::ipc);
TYPE_TO_STRING(contract::inproc);

#define CONTRACT_OVER_ALL(name) \
  TEST_CASE_TEMPLATE(name, Transport, contract::tcp, contract::ipc, contract::inproc)
#define CONTRACT_OVER_STREAMS(name) \
  TEST_CASE_TEMPLATE(name, Transport, contract::tcp, contract::ipc)
