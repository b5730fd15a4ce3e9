// PUSH: sends only; strict turns over the peers with room, in the order they came.

#include <cerrno>

#include "socket/load_balancer.hpp"
#include "socket/socket.hpp"
#include "socket/socket_types.hpp"

namespace slk {

namespace {

class push_socket final : public socket {
 public:
  explicit push_socket(context& home) : socket(home, socket_type::push) {}

 private:
  int route(const std::uint8_t* data, std::size_t size_bytes, bool more) noexcept override {
    return route_balanced(peers_, data, size_bytes, more);
  }
  int fetch(frame_view&, pipe*&) noexcept override { return ENOTSUP; }
  bool can_send() noexcept override { return peers_.dropping() || peers_.find() != nullptr; }
  bool can_receive() noexcept override { return false; }
  void pipe_added(pipe& fresh, bool) override { peers_.add(fresh); }
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

std::unique_ptr<socket> make_push(context& home) {
  return std::make_unique<push_socket>(home);
}

}  // namespace slk
