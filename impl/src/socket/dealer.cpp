// DEALER: deals its messages in turn, receives in turn; adds and removes nothing.

#include <cerrno>

#include "socket/load_balancer.hpp"
#include "socket/socket.hpp"
#include "socket/socket_types.hpp"

namespace slk {

namespace {

class dealer_socket final : public socket {
 public:
  explicit dealer_socket(context& home) : socket(home, socket_type::dealer) {}

 private:
  int route(const std::uint8_t* data, std::size_t size_bytes, bool more) noexcept override {
    return route_balanced(peers_, data, size_bytes, more);
  }
  int fetch(frame_view& frame, pipe*& from) noexcept override { return fetch_in_turn(frame, from); }
  bool can_send() noexcept override { return peers_.dropping() || peers_.find() != nullptr; }
  bool can_receive() noexcept override { return queue_.find() != nullptr; }
  void pipe_added(pipe& fresh, bool) override {
    peers_.add(fresh);
    queue_.add(fresh);
  }
  void pipe_ended(pipe& ended) noexcept override { peers_.remove(ended); }
  void pipe_removed(pipe& gone) noexcept override { peers_.remove(gone); }
  void each_blocked_pipe() noexcept override {
    for (pipe* blocked : peers_.pipes()) {
      add_wait_fd(*blocked);
    }
  }

  load_balancer peers_;
};

}  // namespace

std::unique_ptr<socket> make_dealer(context& home) {
  return std::make_unique<dealer_socket>(home);
}

}  // namespace slk
