// PULL: receives only; takes turns over the peers that have messages.

#include <cerrno>

#include "socket/socket.hpp"
#include "socket/socket_types.hpp"

namespace slk {

namespace {

class pull_socket final : public socket {
 public:
  explicit pull_socket(context& home) : socket(home, socket_type::pull) {}

 private:
  int route(const std::uint8_t*, std::size_t, bool) noexcept override { return ENOTSUP; }
  int fetch(frame_view& frame, pipe*& from) noexcept override { return fetch_in_turn(frame, from); }
  bool can_send() noexcept override { return false; }
  bool can_receive() noexcept override { return queue_.find() != nullptr; }
  void pipe_added(pipe& fresh, bool) override { queue_.add(fresh); }
  void pipe_ended(pipe&) noexcept override {}
  void pipe_removed(pipe&) noexcept override {}
};

}  // namespace

std::unique_ptr<socket> make_pull(context& home) {
  return std::make_unique<pull_socket>(home);
}

}  // namespace slk
