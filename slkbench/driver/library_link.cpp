#include "library_link.hpp"

#include <sched.h>

#include <algorithm>
#include <map>
#include <utility>

#include "clock.hpp"

namespace slkbench {
namespace {

constexpr std::string_view ready = "READY";

struct named_option {
  const char* name;
  int number;
};

constexpr named_option reported_options[] = {
    {"TYPE", option::type},           {"SNDHWM", option::sndhwm},
    {"RCVHWM", option::rcvhwm},       {"LINGER", option::linger},
    {"SNDBUF", option::sndbuf},       {"RCVBUF", option::rcvbuf},
    {"SNDTIMEO", option::sndtimeo},   {"RCVTIMEO", option::rcvtimeo},
    {"IMMEDIATE", option::immediate}, {"ROUTER_MANDATORY", option::router_mandatory},
};

const char* type_name(int type) noexcept {
  switch (type) {
    case socket_type::router:
      return "ROUTER";
    case socket_type::push:
      return "PUSH";
    case socket_type::pull:
      return "PULL";
    default:
      return "socket";
  }
}

// Two endpoints travel as one text, divided by a space.
std::pair<std::string, std::string> divided(const std::string& endpoints) {
  const std::size_t space = endpoints.find(' ');
  if (space == std::string::npos)
    return {endpoints, {}};
  return {endpoints.substr(0, space), endpoints.substr(space + 1)};
}

// The way back of a round trip gets a name of its own; a wildcard port already is one.
std::string endpoint_of_return(const std::string& endpoint, transport_kind transport) {
  return transport == transport_kind::tcp ? endpoint : endpoint + "-back";
}

std::string idle_id(std::size_t number) {
  return "idle" + std::to_string(number);
}

}  // namespace

library_link::library_link(const workload_spec& spec, role_kind role,
                           std::shared_ptr<library_context> context) noexcept
    : spec_(spec),
      role_(role),
      context_(std::move(context)),
      table_(context_->table()),
      send_(table_.send),
      recv_(table_.recv) {}

library_link::~library_link() {
  // Not closed, so something went wrong: ending the context would wait for the sockets, perhaps
  // for ever. It is left to the end of the process.
  if (!sockets_.empty())
    new std::shared_ptr<library_context>(std::move(context_));
}

failure library_link::call_failed(const std::string& call) const {
  return failed(call + ": " + table_.last_error_text());
}

std::string library_link::error_text() const {
  if (!remark_.empty())
    return remark_;
  if (table_.last_error() == EAGAIN)
    return "no progress for " + std::to_string(spec_.stall_ms) + " ms";
  return table_.last_error_text();
}

failure library_link::make_socket(int type, std::string_view routing_id, void*& out) {
  void* socket = table_.socket_new(context_->get(), type);
  if (socket == nullptr) {
    if (table_.last_error() == EINVAL)
      return unsupported("the library has no " + std::string(type_name(type)) + " sockets");
    return call_failed("socket(" + std::string(type_name(type)) + ")");
  }
  sockets_.push_back(socket);
  out = socket;
  return set_options(socket, type, routing_id);
}

failure library_link::set_options(void* socket, int type, std::string_view routing_id) {
  auto set = [&](const char* name, int number, int value) -> failure {
    if (table_.setsockopt(socket, number, &value, sizeof value) == 0)
      return {};
    return call_failed("setsockopt(" + std::string(name) + ", " + std::to_string(value) + ")");
  };
  const std::pair<named_option, int> values[] = {
      {{"SNDHWM", option::sndhwm}, spec_.sndhwm},
      {{"RCVHWM", option::rcvhwm}, spec_.rcvhwm},
      {{"LINGER", option::linger}, 0},
      {{"SNDTIMEO", option::sndtimeo}, spec_.stall_ms},
      {{"RCVTIMEO", option::rcvtimeo}, spec_.stall_ms},
      {{"SNDBUF", option::sndbuf}, -1},
      {{"RCVBUF", option::rcvbuf}, -1},
      {{"IMMEDIATE", option::immediate}, 0},
  };
  for (const auto& [option, value] : values) {
    if (failure problem = set(option.name, option.number, value))
      return problem;
  }
  if (type != socket_type::router)
    return {};
  if (table_.setsockopt(socket, option::routing_id, routing_id.data(), routing_id.size()) != 0)
    return call_failed("setsockopt(ROUTING_ID)");
  return set("ROUTER_MANDATORY", option::router_mandatory, 1);
}

failure library_link::bind(void* socket, std::string& endpoint) {
  if (table_.bind(socket, endpoint.c_str()) != 0)
    return call_failed("bind(" + endpoint + ")");
  // Only a port is chosen by the library; the other names are known, and not every library gives
  // them back in a form that it takes itself.
  if (spec_.transport == transport_kind::tcp)
    endpoint = table_.get_text_option(socket, option::last_endpoint);
  if (endpoint.empty())
    return call_failed("getsockopt(LAST_ENDPOINT)");
  if (bound_ == nullptr)
    bound_ = socket;
  return {};
}

failure library_link::connect(void* socket, const std::string& endpoint) {
  if (table_.connect(socket, endpoint.c_str()) != 0)
    return call_failed("connect(" + endpoint + ")");
  if (bound_there_.empty())
    bound_there_ = endpoint;
  return {};
}

failure library_link::send_ready_to(void* socket, std::string_view peer) {
  // The peer is known once the handshake of the connection is over, and not before.
  const std::int64_t deadline_ns = now_ns() + std::int64_t{spec_.stall_ms} * 1'000'000;
  while (!((peer.empty() || send_to(socket, peer.data(), peer.size(), message_flag::sndmore)) &&
           send_to(socket, ready.data(), ready.size(), 0))) {
    if (table_.last_error() != EHOSTUNREACH)
      return failed("READY cannot be sent: " + error_text());
    if (now_ns() > deadline_ns)
      return failed("the peer's routing id is still unknown after " +
                    std::to_string(spec_.stall_ms) + " ms");
    sched_yield();
  }
  return {};
}

failure library_link::await_ready_at(void* socket, std::string* peer) {
  std::array<std::byte, 256> data{};
  if (peer != nullptr) {
    const std::ptrdiff_t size = receive_from(socket, data.data(), data.size(), 0);
    if (size < 0)
      return failed("READY has not come: " + error_text());
    const auto id_size = std::min(static_cast<std::size_t>(size), data.size());
    peer->assign(reinterpret_cast<const char*>(data.data()), id_size);
  }
  const std::ptrdiff_t size = receive_from(socket, data.data(), data.size(), 0);
  if (size < 0)
    return failed("READY has not come: " + error_text());
  if (size != static_cast<std::ptrdiff_t>(ready.size()) ||
      std::memcmp(data.data(), ready.data(), ready.size()) != 0)
    return failed("instead of READY something else has come");
  return {};
}

failure library_link::add_idle_peers(std::size_t count) {
  if (is_sender())
    return connect_idle_peers(count);
  for (std::size_t number = 0; number < count; ++number) {
    std::string peer;
    if (failure problem = await_ready_at(bound_, is_router() ? &peer : nullptr))
      return problem;
  }
  return {};
}

failure library_link::connect_idle_peers(std::size_t count) {
  const std::size_t first = sockets_.size();
  const int type = is_router() ? socket_type::router : socket_type::push;
  for (std::size_t number = 0; number < count; ++number) {
    void* socket = nullptr;
    if (failure problem = make_socket(type, idle_id(idle_peers_++), socket))
      return problem;
    if (failure problem = connect(socket, bound_there_))
      return problem;
  }
  // Only now, so that the handshakes of all of them go on at the same time.
  for (std::size_t number = first; number < sockets_.size(); ++number) {
    if (failure problem =
            send_ready_to(sockets_[number], is_router() ? receiver_id : std::string_view{}))
      return problem;
  }
  return {};
}

bool library_link::wait_with_timer(void* in, void* out, int timer_fd) {
  poll_item items[] = {
      {in, 0, poll_event::in, 0}, {nullptr, timer_fd, poll_event::in, 0}, {out, 0, 0, 0}};
  std::size_t count = 2;
  if (in == out)
    items[0].events |= poll_event::out;
  else if (out != nullptr)
    items[count++].events = poll_event::out;
  const int ready = poll({items, count}, spec_.stall_ms);
  if (ready == 0)
    remark_ = "no progress for " + std::to_string(spec_.stall_ms) + " ms";
  return ready > 0;
}

option_map library_link::options() const {
  // One socket of each type: the others were made alike.
  std::map<std::optional<int>, void*> kinds;
  for (void* socket : sockets_)
    kinds.emplace(table_.get_int_option(socket, option::type), socket);
  option_map found;
  for (const auto& [type, socket] : kinds) {
    const std::string prefix = kinds.size() > 1 && type ? std::string(type_name(*type)) + "." : "";
    for (const named_option& option : reported_options) {
      if (const std::optional<int> value = table_.get_int_option(socket, option.number))
        found[prefix + option.name] = std::to_string(*value);
    }
    found[prefix + "LAST_ENDPOINT"] = table_.get_text_option(socket, option::last_endpoint);
  }
  if (const auto threads = table_.get_context_option(context_->get(), context_option::io_threads))
    found["IO_THREADS"] = std::to_string(*threads);
  const bool is_crowd = spec_.senders + spec_.receivers + spec_.idle_peers > 2;
  const auto most = table_.get_context_option(context_->get(), context_option::max_sockets);
  if (is_crowd && most)
    found["MAX_SOCKETS"] = std::to_string(*most);
  return found;
}

void library_link::close() {
  for (void* socket : sockets_)
    table_.close(socket);
  sockets_.clear();
  context_.reset();
}

failure router_link::open(std::string& endpoint) {
  peer_ = is_sender() ? receiver_id : sender_id;
  const std::string_view own_id = is_sender() ? sender_id : receiver_id;
  if (failure problem = make_socket(socket_type::router, own_id, socket_))
    return problem;
  return is_sender() ? connect(socket_, endpoint) : bind(socket_, endpoint);
}

failure router_link::await_ready() {
  std::string peer;
  if (failure problem = await_ready_at(socket_, &peer))
    return problem;
  return peer == peer_ ? failure{} : failed("READY has come from " + peer);
}

failure router_link::handshake() {
  if (is_sender()) {
    if (failure problem = send_ready_to(socket_, peer_))
      return problem;
    return await_ready();
  }
  if (failure problem = await_ready())
    return problem;
  return send_ready_to(socket_, peer_);
}

failure push_pull_link::open(std::string& endpoint) {
  const bool is_both_ways = spec_.metric != metric_kind::throughput;
  if (is_sender()) {
    const auto [there, back] = divided(endpoint);
    if (failure problem = make_socket(socket_type::push, {}, out_))
      return problem;
    if (failure problem = connect(out_, there))
      return problem;
    if (!is_both_ways)
      return {};
    if (failure problem = make_socket(socket_type::pull, {}, in_))
      return problem;
    return connect(in_, back);
  }
  std::string back = endpoint_of_return(endpoint, spec_.transport);
  if (failure problem = make_socket(socket_type::pull, {}, in_))
    return problem;
  if (failure problem = bind(in_, endpoint))
    return problem;
  if (!is_both_ways)
    return {};
  if (failure problem = make_socket(socket_type::push, {}, out_))
    return problem;
  if (failure problem = bind(out_, back))
    return problem;
  endpoint += " " + back;
  return {};
}

failure push_pull_link::handshake() {
  if (out_ != nullptr && is_sender()) {
    if (failure problem = send_ready_to(out_, {}))
      return problem;
  }
  if (in_ != nullptr) {
    if (failure problem = await_ready_at(in_, nullptr))
      return problem;
  }
  if (out_ != nullptr && !is_sender())
    return send_ready_to(out_, {});
  return {};
}

}  // namespace slkbench
