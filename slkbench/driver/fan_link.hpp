// Links with several sockets, all of one application thread: many senders to one receiver, or one
// sender to many receivers.
//
// The receivers bind, each at an endpoint of its own, and every sender connects to all of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "library_link.hpp"
#include "peer_accounts.hpp"

namespace slkbench {

// An end is one of the role's own sockets.
class fan_link : public library_link {
 public:
  using library_link::library_link;

  [[nodiscard]] failure open(std::string& endpoint) override;

  [[nodiscard]] std::size_t ends() const noexcept { return ends_.size(); }

  // Waits until an end for which `is_wanted` has room; false: see error_text().
  template <class Predicate>
  bool wait_for_room(Predicate is_wanted) {
    items_.clear();
    for (std::size_t end = 0; end < ends_.size(); ++end) {
      if (is_wanted(end))
        items_.push_back({ends_[end], 0, poll_event::out, 0});
    }
    return wait();
  }
  // Waits until an end has a message; has_message says which.
  bool wait_for_message() {
    items_.clear();
    for (void* socket : ends_)
      items_.push_back({socket, 0, poll_event::in, 0});
    return wait();
  }
  [[nodiscard]] bool has_message(std::size_t end) const noexcept {
    return (items_[end].revents & poll_event::in) != 0;
  }
  // Goes on after a wait in vain.
  void forget_stall() noexcept { remark_.clear(); }

 protected:
  // The routing ids of those that are many; the sole peer of them has the usual one.
  static std::string id_of(char kind, std::size_t number);
  [[nodiscard]] std::string own_id(std::size_t end) const;

  std::vector<void*> ends_;

 private:
  bool wait();

  std::vector<poll_item> items_;
};

class fan_router_link final : public fan_link {
 public:
  static constexpr bool is_dealt = true;

  fan_router_link(const workload_spec& spec, role_kind role,
                  std::shared_ptr<library_context> context);

  [[nodiscard]] failure handshake() override;

  // Several senders: from one of them, without waiting.
  send_outcome send_now(std::size_t end, const std::byte* data, std::size_t size) noexcept {
    if (!send_to(ends_[end], receiver_id.data(), receiver_id.size(),
                 message_flag::sndmore | message_flag::dontwait))
      return outcome_of_refusal();
    return send_to(ends_[end], data, size, 0) ? send_outcome::sent : send_outcome::failed;
  }
  // Several receivers: to the one whose turn it is.
  bool send(const std::byte* data, std::size_t size) noexcept {
    const std::string& peer = peers_[turn_];
    turn_ = turn_ + 1 < peers_.size() ? turn_ + 1 : 0;
    return send_to(ends_[0], peer.data(), peer.size(), message_flag::sndmore) &&
           send_to(ends_[0], data, size, 0);
  }

  // Several senders: the next message of any, and who sent it.
  std::ptrdiff_t receive(std::byte* data, std::size_t capacity, std::size_t& peer) {
    return receive_message(ends_[0], data, capacity, 0, peer);
  }
  std::ptrdiff_t receive_now(std::size_t end, std::byte* data, std::size_t capacity) {
    std::size_t peer = 0;
    return receive_message(ends_[end], data, capacity, message_flag::dontwait, peer);
  }

 private:
  std::ptrdiff_t receive_message(void* socket, std::byte* data, std::size_t capacity, int flags,
                                 std::size_t& peer) {
    const std::ptrdiff_t id_size = receive_from(socket, id_.data(), id_.size(), flags);
    if (id_size < 0) [[unlikely]]
      return -1;
    peer = peer_of(id_size);
    if (peer == unknown_peer) [[unlikely]] {
      remark_ = "the first frame is no peer's routing id but " + std::to_string(id_size) +
                " bytes of something else";
      return -1;
    }
    return receive_from(socket, data, capacity, flags);
  }
  [[nodiscard]] std::size_t peer_of(std::ptrdiff_t id_size) const noexcept {
    if (peers_.size() == 1)
      return id_size == static_cast<std::ptrdiff_t>(peers_[0].size()) &&
                     std::memcmp(id_.data(), peers_[0].data(), peers_[0].size()) == 0
                 ? 0
                 : unknown_peer;
    if (id_size != 3)
      return unknown_peer;
    const std::size_t number =
        std::to_integer<std::size_t>(id_[1]) | std::to_integer<std::size_t>(id_[2]) << 8;
    return number < peers_.size() && id_[0] == static_cast<std::byte>(peers_[0][0]) ? number
                                                                                    : unknown_peer;
  }

  std::vector<std::string> peers_;  // their routing ids
  std::size_t turn_ = 0;
  std::array<std::byte, 256> id_{};
};

class fan_push_pull_link final : public fan_link {
 public:
  static constexpr bool is_dealt = false;

  using fan_link::fan_link;

  [[nodiscard]] failure handshake() override;

  send_outcome send_now(std::size_t end, const std::byte* data, std::size_t size) noexcept {
    return send_to(ends_[end], data, size, message_flag::dontwait) ? send_outcome::sent
                                                                   : outcome_of_refusal();
  }
  bool send(const std::byte* data, std::size_t size) noexcept {
    return send_to(ends_[0], data, size, 0);
  }
  std::ptrdiff_t receive(std::byte* data, std::size_t capacity, std::size_t& peer) noexcept {
    peer = unknown_peer;
    return receive_from(ends_[0], data, capacity, 0);
  }
  std::ptrdiff_t receive_now(std::size_t end, std::byte* data, std::size_t capacity) noexcept {
    return receive_from(ends_[end], data, capacity, message_flag::dontwait);
  }
};

}  // namespace slkbench
