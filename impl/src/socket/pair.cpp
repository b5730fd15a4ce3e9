// PAIR: one peer. Further peers finish their handshake but are not attached: their messages are
// never read; when the peer leaves, a new connection is taken, none of those.

#include <cerrno>

#include "socket/socket.hpp"
#include "socket/socket_types.hpp"

namespace slk {

namespace {

class pair_socket final : public socket {
 public:
  explicit pair_socket(context& home) : socket(home, socket_type::pair) {}

  void cancel_message() noexcept override {
    if (peer_ != nullptr) {
      peer_->rollback();
    }
    open_ = dropping_ = false;
  }

 private:
  int route(const std::uint8_t* data, std::size_t size_bytes, bool more) noexcept override {
    if (dropping_) [[unlikely]] {
      dropping_ = more;
      return 0;
    }
    if (peer_ == nullptr || (!open_ && !peer_->has_room())) {
      return EAGAIN;
    }
    const int error = write_to(*peer_, data, size_bytes, more);
    if (error == 0) [[likely]] {
      open_ = more;
      if (!more) {
        short_.leads_to(*peer_);
      } else {
        short_.leads_nowhere();
      }
    }
    return error;
  }
  int fetch(frame_view& frame, pipe*& from) noexcept override { return fetch_in_turn(frame, from); }
  bool can_send() noexcept override {
    return dropping_ || (peer_ != nullptr && (open_ || peer_->has_room()));
  }
  bool can_receive() noexcept override { return queue_.find() != nullptr; }
  void pipe_added(pipe& fresh, bool) override {
    if (peer_ == nullptr) {
      peer_ = &fresh;
      queue_.add(fresh);
    }
  }
  void pipe_ended(pipe& ended) noexcept override { forget(ended); }
  void pipe_removed(pipe& gone) noexcept override { forget(gone); }
  void each_blocked_pipe() noexcept override {
    if (peer_ != nullptr) {
      add_wait_fd(*peer_);
    }
  }

  void forget(pipe& gone) noexcept {
    if (peer_ == &gone) {
      peer_ = nullptr;
      dropping_ = open_;
      open_ = false;
    }
  }

  pipe* peer_ = nullptr;
  bool open_ = false;      // in the middle of a message that is being sent
  bool dropping_ = false;  // the peer has left in the middle of one: drop the rest
};

}  // namespace

std::unique_ptr<socket> make_pair(context& home) {
  return std::make_unique<pair_socket>(home);
}

}  // namespace slk
