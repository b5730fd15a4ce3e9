// Links through a library under measurement: the copying send and recv of its C interface.
// fan_link.hpp has those with several sockets.
#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "library_context.hpp"
#include "link.hpp"
#include "workload_spec.hpp"

namespace slkbench {

enum class send_outcome { sent, no_room, failed };

// What all patterns share: sockets, options, idle peers, life.
class library_link : public link {
 public:
  library_link(const workload_spec& spec, role_kind role,
               std::shared_ptr<library_context> context) noexcept;
  ~library_link() override;

  [[nodiscard]] failure add_idle_peers(std::size_t count) override;
  // After a negative receive_now: nothing was there, or something is wrong.
  [[nodiscard]] bool is_empty() const noexcept {
    return remark_.empty() && table_.last_error() == EAGAIN;
  }
  [[nodiscard]] option_map options() const override;
  [[nodiscard]] std::string version() const override { return table_.version(); }
  [[nodiscard]] std::string error_text() const override;
  void close() override;
  void flush() noexcept {}

 protected:
  [[nodiscard]] bool is_sender() const noexcept { return role_ == role_kind::sender; }
  [[nodiscard]] failure make_socket(int type, std::string_view routing_id, void*& out);
  // `endpoint` is what to bind to, and is overwritten by what was bound.
  [[nodiscard]] failure bind(void* socket, std::string& endpoint);
  [[nodiscard]] failure connect(void* socket, const std::string& endpoint);
  [[nodiscard]] failure call_failed(const std::string& call) const;
  // Waits for a message at `in`, the timer, or, where `out` is not null, room there; false: see
  // error_text().
  bool wait_with_timer(void* in, void* out, int timer_fd);
  // Sends READY over a socket: a ROUTER's to `peer` as soon as that is known.
  [[nodiscard]] failure send_ready_to(void* socket, std::string_view peer);
  // Receives READY, after a ROUTER's routing id if `peer` is not null, which then gets it.
  [[nodiscard]] failure await_ready_at(void* socket, std::string* peer);

  // Once more if a signal came in between; the count or -1, like recv.
  std::ptrdiff_t receive_from(void* socket, std::byte* data, std::size_t capacity,
                              int flags) noexcept {
    int size = recv_(socket, data, capacity, flags);
    while (size < 0 && table_.last_error() == EINTR) [[unlikely]]
      size = recv_(socket, data, capacity, flags);
    return size;
  }
  bool send_to(void* socket, const void* data, std::size_t size, int flags) noexcept {
    int sent = send_(socket, data, size, flags);
    while (sent < 0 && table_.last_error() == EINTR) [[unlikely]]
      sent = send_(socket, data, size, flags);
    return sent >= 0;
  }
  // Why a send without waiting has failed.
  [[nodiscard]] send_outcome outcome_of_refusal() const noexcept {
    return table_.last_error() == EAGAIN ? send_outcome::no_room : send_outcome::failed;
  }
  // The number of items with events; 0 after `timeout_ms`, negative: error.
  int poll(std::span<poll_item> items, long timeout_ms) noexcept {
    const auto count = static_cast<int>(items.size());
    int ready = table_.poll(items.data(), count, timeout_ms);
    while (ready < 0 && table_.last_error() == EINTR) [[unlikely]]
      ready = table_.poll(items.data(), count, timeout_ms);
    return ready;
  }

  static constexpr std::string_view sender_id = "sender";
  static constexpr std::string_view receiver_id = "receiver";

  const workload_spec& spec_;
  const role_kind role_;
  std::shared_ptr<library_context> context_;
  const function_table& table_;
  // The table's; timed_link has others in their place for a message now and then.
  int (*send_)(void*, const void*, std::size_t, int);
  int (*recv_)(void*, void*, std::size_t, int);
  std::string remark_;  // why receive() failed where the library reported no error

 private:
  [[nodiscard]] failure set_options(void* socket, int type, std::string_view routing_id);
  [[nodiscard]] failure connect_idle_peers(std::size_t count);
  [[nodiscard]] bool is_router() const noexcept {
    return spec_.pattern == pattern_kind::router_router;
  }

  std::vector<void*> sockets_;
  void* bound_ = nullptr;    // the receiver's first socket
  std::string bound_there_;  // the endpoint that it has for the sender
  std::size_t idle_peers_ = 0;
};

// ROUTER-ROUTER: each message is the peer's routing id and the payload, and READY goes both ways
// first. ROUTER_MANDATORY stays on, so that a full queue blocks and never drops.
class router_link : public library_link {
 public:
  using library_link::library_link;

  [[nodiscard]] failure open(std::string& endpoint) override;
  [[nodiscard]] failure handshake() override;

  bool send(const std::byte* data, std::size_t size) noexcept {
    return send_to(socket_, peer_.data(), peer_.size(), message_flag::sndmore) &&
           send_to(socket_, data, size, 0);
  }
  send_outcome send_now(const std::byte* data, std::size_t size) noexcept {
    if (!send_to(socket_, peer_.data(), peer_.size(),
                 message_flag::sndmore | message_flag::dontwait))
      return outcome_of_refusal();
    return send_to(socket_, data, size, 0) ? send_outcome::sent : send_outcome::failed;
  }
  bool wait_for_reply(int timer_fd, bool or_room) {
    return wait_with_timer(socket_, or_room ? socket_ : nullptr, timer_fd);
  }
  std::ptrdiff_t receive(std::byte* data, std::size_t capacity) {
    return receive_message(data, capacity, 0);
  }
  std::ptrdiff_t receive_now(std::byte* data, std::size_t capacity) {
    return receive_message(data, capacity, message_flag::dontwait);
  }

 private:
  std::ptrdiff_t receive_message(std::byte* data, std::size_t capacity, int flags) {
    const std::ptrdiff_t id_size = receive_from(socket_, id_.data(), id_.size(), flags);
    if (id_size != static_cast<std::ptrdiff_t>(peer_.size()) ||
        std::memcmp(id_.data(), peer_.data(), peer_.size()) != 0) [[unlikely]] {
      if (id_size >= 0)
        remark_ = "the first frame is not the peer's routing id but " + std::to_string(id_size) +
                  " bytes of something else";
      return -1;
    }
    return receive_from(socket_, data, capacity, flags);
  }
  [[nodiscard]] failure await_ready();

  void* socket_ = nullptr;
  std::string_view peer_;
  std::array<std::byte, 256> id_{};
};

// PUSH-PULL: each message is one frame. Round trips use two pairs of sockets.
class push_pull_link : public library_link {
 public:
  using library_link::library_link;

  [[nodiscard]] failure open(std::string& endpoint) override;
  [[nodiscard]] failure handshake() override;

  bool send(const std::byte* data, std::size_t size) noexcept {
    return send_to(out_, data, size, 0);
  }
  send_outcome send_now(const std::byte* data, std::size_t size) noexcept {
    return send_to(out_, data, size, message_flag::dontwait) ? send_outcome::sent
                                                             : outcome_of_refusal();
  }
  bool wait_for_reply(int timer_fd, bool or_room) {
    return wait_with_timer(in_, or_room ? out_ : nullptr, timer_fd);
  }
  std::ptrdiff_t receive(std::byte* data, std::size_t capacity) noexcept {
    return receive_from(in_, data, capacity, 0);
  }
  std::ptrdiff_t receive_now(std::byte* data, std::size_t capacity) noexcept {
    return receive_from(in_, data, capacity, message_flag::dontwait);
  }

 private:
  void* out_ = nullptr;
  void* in_ = nullptr;
};

}  // namespace slkbench
