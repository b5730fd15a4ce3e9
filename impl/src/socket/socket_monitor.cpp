// The monitor of a socket: its events as messages of a PAIR over inproc.

#include <serverlink/serverlink.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "socket/socket.hpp"
#include "transport/address.hpp"

namespace slk {

namespace {

// The PAIR is used by whoever has an event to tell, one at a time: the monitor's mutex sees to it.
class pair_sink final : public event_sink {
 public:
  pair_sink(std::unique_ptr<socket> pair, std::string name)
      : pair_(std::move(pair)), name_(std::move(name)) {}
  ~pair_sink() override { pair_->close(); }

  void put(int event, std::uint32_t value, std::string_view endpoint) noexcept override {
    std::array<std::uint8_t, 6> head;
    const auto number = static_cast<std::uint16_t>(event);
    std::memcpy(head.data(), &number, sizeof number);
    std::memcpy(head.data() + sizeof number, &value, sizeof value);
    try {
      if (pair_->send(head.data(), head.size(), SLK_DONTWAIT | SLK_SNDMORE) >= 0 &&
          pair_->send(endpoint.data(), endpoint.size(), SLK_DONTWAIT) < 0) {
        pair_->cancel_message();
      }
    } catch (...) {
      // Out of memory for a reader that has just come: it misses this event.
    }
  }

  void seal() noexcept override {
    try {
      static_cast<void>(pair_->unbind(name_));
    } catch (...) {
      // The name stays taken until the monitor goes.
    }
  }

 private:
  const std::unique_ptr<socket> pair_;
  const std::string name_;
};

}  // namespace

int socket::monitor(const char* name, int events) {
  const fd_kept kept(*this, true);
  if (const int error = enter(); error != 0) {
    return -error;
  }
  if (name == nullptr) {
    monitor_->attach(nullptr, 0);
    return 0;
  }
  const result<address> where = parse_address(name, true, false);
  if (!where) {
    return -where.error();
  }
  if (where.value().scheme != scheme::inproc) {
    return -EPROTONOSUPPORT;
  }
  monitor_->attach(nullptr, 0);  // it may have the same name
  int error = 0;
  auto pair = create(context_, SLK_PAIR, error);
  if (pair == nullptr) {
    return -error;
  }
  if (const int outcome = pair->bind(name); outcome != 0) {
    return outcome;
  }
  monitor_->attach(std::make_unique<pair_sink>(std::move(pair), name), events);
  return 0;
}

}  // namespace slk
