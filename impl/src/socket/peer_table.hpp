#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/same_bytes.hpp"
#include "pipe/pipe.hpp"

namespace slk {

// A ROUTER's peers by routing id.
//
// Thread safety: of the socket's thread. Pipes are kept alive by the socket.
class peer_table {
 public:
  // False: the name is taken.
  bool add(pipe& peer);
  void remove(pipe& peer) noexcept;

  [[nodiscard]] pipe* find(std::string_view routing_id) noexcept {
    // Messages to one peer tend to follow each other.
    if (last_ != nullptr && same_bytes(last_->routing_id, routing_id)) [[likely]] {
      return last_;
    }
    const auto found = peers_.find(routing_id);
    return found == peers_.end() ? nullptr : last_ = found->second;
  }

  template <class Visit>
  void each(Visit visit) const {
    for (const auto& [name, peer] : peers_) {
      visit(*peer);
    }
  }

  [[nodiscard]] bool empty() const noexcept { return peers_.empty(); }

 private:
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };

  std::unordered_map<std::string, pipe*, text_hash, std::equal_to<>> peers_;
  pipe* last_ = nullptr;
};

inline bool peer_table::add(pipe& peer) {
  peer.routed = peers_.try_emplace(peer.routing_id, &peer).second;
  return peer.routed;
}

inline void peer_table::remove(pipe& peer) noexcept {
  if (peer.routed) {
    peer.routed = false;
    peers_.erase(peer.routing_id);
  }
  if (last_ == &peer) {
    last_ = nullptr;
  }
}

}  // namespace slk
