// ROUTER: every message begins with a frame that names the peer, on its way in and out.

#include <serverlink/serverlink.h>

#include <cerrno>
#include <random>

#include "socket/peer_table.hpp"
#include "socket/socket.hpp"
#include "socket/socket_types.hpp"
#include "wire/frame.hpp"

namespace slk {

namespace {

class router_socket final : public socket {
 public:
  explicit router_socket(context& home) : socket(home, socket_type::router) {}

  int is_connected(std::string_view routing_id) override {
    const fd_kept kept(*this, true);
    if (const int outcome = ready_events(0); outcome < 0) {
      return outcome;
    }
    return peers_.find(routing_id) != nullptr ? 1 : 0;
  }

  void cancel_message() noexcept override {
    if (short_.message_open() && short_.target() != nullptr) {
      short_.target()->rollback();
    }
    short_.end_message();
  }

 private:
  int route(const std::uint8_t* data, std::size_t size_bytes, bool more) noexcept override {
    if (!short_.message_open()) {
      return route_id({reinterpret_cast<const char*>(data), size_bytes}, more);
    }
    if (pipe* const target = short_.target(); target != nullptr) [[likely]] {
      if (const int error = write_to(*target, data, size_bytes, more); error != 0) {
        return error;
      }
    }
    if (!more) {
      short_.end_message();
    }
    return 0;
  }

  int route_id(std::string_view routing_id, bool more) noexcept {
    if (!more) {
      return 0;  // a name without a message is no message
    }
    blocked_ = nullptr;
    const bool mandatory = options_.router_mandatory != 0;
    pipe* target = peers_.find(routing_id);
    if (target == nullptr && mandatory) {
      return EHOSTUNREACH;
    }
    if (target != nullptr && !target->has_room()) {
      if (mandatory) {
        blocked_ = target;
        return EAGAIN;
      }
      target = nullptr;  // dropped, as for an unknown peer
    }
    short_.begin_message(target);
    return 0;
  }

  int may_name_peer() const noexcept override { return short_.message_open() ? EFSM : 0; }

  int fetch(frame_view& frame, pipe*& from) noexcept override {
    if (short_.body_of() != nullptr) {
      from = short_.body_of();
      static_cast<void>(from->peek());  // it is there
      from->take(frame);
      short_.body_follows(nullptr);
      queue_.frame_taken(*from, frame);
      return 0;
    }
    from = queue_.find();
    if (from == nullptr) {
      return EAGAIN;
    }
    if (from->reading()) {
      from->take(frame);
      queue_.frame_taken(*from, frame);
      return 0;
    }
    frame.set(reinterpret_cast<const std::uint8_t*>(from->routing_id.data()),
              from->routing_id.size(), true);
    short_.body_follows(from);
    if (queue_.has_only_one()) {
      short_.leads_from_named(*from);
    } else {
      short_.leads_from_many_named();
    }
    return 0;
  }

  bool can_send() noexcept override {
    if (options_.router_mandatory == 0 || short_.message_open()) {
      return true;
    }
    bool any = false;
    peers_.each([&any](pipe& peer) { any = any || peer.has_room(); });
    return any;
  }

  // It is for one peer.
  bool can_resume_send() noexcept override {
    return blocked_ != nullptr ? blocked_->has_room() : can_send();
  }

  bool can_receive() noexcept override {
    return short_.body_of() != nullptr || queue_.find() != nullptr;
  }

  void pipe_added(pipe& fresh, bool known) override {
    if (known || !fresh.routing_id.empty()) {
      introduce(fresh);
    }
    // Else the peer's first words are awaited; peer_known() introduces it.
  }

  void peer_known(pipe& peer, std::string&& routing_id) override {
    if (!peer.routed) {
      peer.routing_id = std::move(routing_id);
      introduce(peer);
    }
    // Else it came back, or was named by CONNECT_ROUTING_ID: the name stays.
  }

  // Puts the peer under its name, or under one of our making. A name that is taken: the newcomer
  // is ignored, or with HANDOVER replaces the holder.
  void introduce(pipe& peer) {
    if (peer.routing_id.empty()) {
      peer.routing_id = next_name();
    } else if (pipe* holder = peers_.find(peer.routing_id); holder != nullptr) {
      if (options_.router_handover == 0) {
        return;
      }
      unroute(*holder);
      drop_connection(*holder);
    }
    if (!peer.readable) {  // else memory ran out behind it, the last time
      queue_.add(peer);
    }
    peers_.add(peer);
  }

  // Five bytes, 0 and a counter: no peer may choose a name that begins with 0.
  std::string next_name() {
    std::string name(5, '\0');
    store_be32(reinterpret_cast<std::uint8_t*>(name.data()) + 1, next_number_++);
    return name;
  }

  void pipe_ended(pipe& ended) noexcept override { unroute(ended); }
  void pipe_removed(pipe& gone) noexcept override {
    unroute(gone);
    if (short_.body_of() == &gone) {
      short_.body_follows(nullptr);
      message_cut();
    }
  }

  void unroute(pipe& gone) noexcept {
    peers_.remove(gone);
    if (short_.target() == &gone) {
      short_.lose_target();  // the rest of the message is dropped
    }
    if (blocked_ == &gone) {
      blocked_ = nullptr;
    }
  }

  void each_blocked_pipe() noexcept override {
    if (blocked_ != nullptr) {
      add_wait_fd(*blocked_);
    }
  }

  int connecting(std::string& routing_id) override {
    if (options_.connect_routing_id.empty()) {
      return 0;
    }
    if (peers_.find(options_.connect_routing_id) != nullptr) {
      return EINVAL;
    }
    routing_id = std::move(options_.connect_routing_id);
    options_.connect_routing_id.clear();
    return 0;
  }

  peer_table peers_;
  pipe* blocked_ = nullptr;  // whose room a MANDATORY send last found missing
  std::uint32_t next_number_ = std::random_device{}();
};

}  // namespace

std::unique_ptr<socket> make_router(context& home) {
  return std::make_unique<router_socket>(home);
}

}  // namespace slk
