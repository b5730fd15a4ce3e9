#include "fan_link.hpp"

#include <sstream>

namespace slkbench {
namespace {

// Ports are chosen by the library; the other names are told apart by a number.
std::string endpoint_of(const std::string& endpoint, std::size_t number, transport_kind transport) {
  return transport == transport_kind::tcp || number == 0 ? endpoint
                                                         : endpoint + "-" + std::to_string(number);
}

}  // namespace

std::string fan_link::id_of(char kind, std::size_t number) {
  return {kind, static_cast<char>(number & 0xFF), static_cast<char>(number >> 8)};
}

std::string fan_link::own_id(std::size_t end) const {
  if (is_sender())
    return spec_.senders > 1 ? id_of('s', end) : std::string(sender_id);
  return spec_.receivers > 1 ? id_of('r', end) : std::string(receiver_id);
}

failure fan_link::open(std::string& endpoint) {
  const bool is_router = spec_.pattern == pattern_kind::router_router;
  const int type = is_router     ? socket_type::router
                   : is_sender() ? socket_type::push
                                 : socket_type::pull;
  ends_.resize(is_sender() ? spec_.senders : spec_.receivers);
  std::string bound;
  for (std::size_t end = 0; end < ends_.size(); ++end) {
    if (failure problem = make_socket(type, own_id(end), ends_[end]))
      return problem;
    if (is_sender()) {
      std::istringstream words(endpoint);
      for (std::string there; words >> there;) {
        if (failure problem = connect(ends_[end], there))
          return problem;
      }
      continue;
    }
    std::string here = endpoint_of(endpoint, end, spec_.transport);
    if (failure problem = bind(ends_[end], here))
      return problem;
    bound += (end > 0 ? " " : "") + here;
  }
  if (!is_sender())
    endpoint = bound;
  return {};
}

bool fan_link::wait() {
  const int ready = poll(items_, spec_.stall_ms);
  if (ready == 0)
    remark_ = "no progress for " + std::to_string(spec_.stall_ms) + " ms";
  return ready > 0;
}

fan_router_link::fan_router_link(const workload_spec& spec, role_kind role,
                                 std::shared_ptr<library_context> context)
    : fan_link(spec, role, std::move(context)) {
  const std::size_t count = is_sender() ? spec.receivers : spec.senders;
  if (count == 1) {
    peers_.emplace_back(is_sender() ? receiver_id : sender_id);
    return;
  }
  for (std::size_t number = 0; number < count; ++number)
    peers_.push_back(id_of(is_sender() ? 'r' : 's', number));
}

failure fan_router_link::handshake() {
  // Each pair of ends: the sender's word first, then the receiver's.
  if (is_sender()) {
    for (void* socket : ends_) {
      for (const std::string& peer : peers_) {
        if (failure problem = send_ready_to(socket, peer))
          return problem;
      }
    }
  }
  std::vector<std::pair<void*, std::string>> heard;
  for (void* socket : ends_) {
    for (std::size_t number = 0; number < peers_.size(); ++number) {
      std::string peer;
      if (failure problem = await_ready_at(socket, &peer))
        return problem;
      if (std::find(peers_.begin(), peers_.end(), peer) == peers_.end())
        return failed("READY has come from somebody else");
      heard.emplace_back(socket, std::move(peer));
    }
  }
  if (is_sender())
    return {};
  for (const auto& [socket, peer] : heard) {
    if (failure problem = send_ready_to(socket, peer))
      return problem;
  }
  return {};
}

failure fan_push_pull_link::handshake() {
  // One socket deals what it sends to its peers in turn, so that each of these gets one.
  if (is_sender()) {
    for (void* socket : ends_) {
      for (std::size_t number = 0; number < spec_.receivers; ++number) {
        if (failure problem = send_ready_to(socket, {}))
          return problem;
      }
    }
    return {};
  }
  for (void* socket : ends_) {
    for (std::size_t number = 0; number < spec_.senders; ++number) {
      if (failure problem = await_ready_at(socket, nullptr))
        return problem;
    }
  }
  return {};
}

}  // namespace slkbench
