// The endpoints of a socket: bind, connect and their opposites, and the close of the socket.

#include <serverlink/serverlink.h>

#include <algorithm>
#include <cerrno>

#include "socket/socket.hpp"
#include "transport/address.hpp"
#include "transport/listen.hpp"

namespace slk {

inproc_registry::party socket::as_party() const {
  return {inbox_, options_.routing_id, static_cast<std::uint64_t>(options_.sndhwm),
          static_cast<std::uint64_t>(options_.rcvhwm)};
}

// -- bind
// -------------------------------------------------------------------------------------------

int socket::bind(std::string_view name) {
  if (const int error = enter(); error != 0) {
    return -error;
  }
  const result<address> where = parse_address(name, true, options_.ipv6 != 0);
  if (!where) {
    return -where.error();
  }
  return where.value().scheme == scheme::inproc ? bind_inproc(where.value())
                                                : bind_stream(where.value());
}

int socket::bind_stream(const address& where) {
  io_thread* io = context_.least_loaded_io_thread();
  if (io == nullptr) {
    return -EMTHREAD;
  }
  session_settings settings = options_.for_session(type_);
  result<listening> bound = listen_on(where, settings.transport);
  if (!bound) {
    monitor_->emit(SLK_EVENT_BIND_FAILED, bound.error(), where.text);
    return -bound.error();
  }
  endpoint fresh;
  fresh.what = endpoint::kind::bound;
  fresh.name = last_endpoint_ = bound.value().endpoint;
  fresh.io = io;
  const int fd = bound.value().fd.get();
  fresh.listener =
      std::make_shared<listener>(place_on(*io), std::move(settings), where.scheme, bound.take());
  endpoints_.push_back(fresh);
  monitor_->emit(SLK_EVENT_LISTENING, fd, fresh.name);
  io->post([starting = fresh.listener] { starting->start(); });
  return 0;
}

int socket::bind_inproc(const address& where) {
  std::vector<inproc_registry::joined> waiting;
  if (const int error = context_.inproc().bind(where.path, as_party(), waiting); error != 0) {
    return -error;
  }
  last_endpoint_ = where.text;
  endpoints_.push_back({endpoint::kind::inproc_bound, where.text, nullptr, nullptr, nullptr, {}});
  for (inproc_registry::joined& end : waiting) {
    pipe& joined = *end.pipe;
    joined.routing_id = std::move(end.routing_id);
    add_pipe(std::move(end.pipe), true);
    if (end.peer_has_left) {
      inbox_->post({socket_event::kind::ended, joined.shared_from_this(), {}, {}});
    }
  }
  return 0;
}

// -- connect
// ----------------------------------------------------------------------------------------

int socket::connect(std::string_view name) {
  if (const int error = enter(); error != 0) {
    return -error;
  }
  result<address> where = parse_address(name, false, options_.ipv6 != 0);
  if (!where) {
    return -where.error();
  }
  return where.value().scheme == scheme::inproc ? connect_inproc(where.value())
                                                : connect_stream(where.take());
}

int socket::connect_stream(address where) {
  io_thread* io = context_.least_loaded_io_thread();
  if (io == nullptr) {
    return -EMTHREAD;
  }
  const auto same = [&where](const endpoint& one) {
    return one.what == endpoint::kind::connected && one.name == where.text;
  };
  if (type_ == socket_type::dealer && std::any_of(endpoints_.begin(), endpoints_.end(), same)) {
    last_endpoint_ = where.text;
    return 0;  // a DEALER gains nothing from a second connection to the same peer
  }
  std::string routing_id;
  if (const int error = connecting(routing_id); error != 0) {
    return -error;
  }
  session_settings settings = options_.for_session(type_);
  settings.endpoint = where.text;
  endpoint fresh;
  fresh.what = endpoint::kind::connected;
  fresh.name = last_endpoint_ = where.text;
  fresh.io = io;
  std::shared_ptr<stream_pipe> pipe;
  if (!settings.immediate) {
    pipe = std::make_shared<stream_pipe>(
        *io, inbox_,
        stream_pipe::settings{settings.send_mark, settings.frame_bytes_max,
                              settings.application_reads});
    pipe->routing_id = std::move(routing_id);
    fresh.pipe = pipe;
  }
  fresh.session =
      std::make_shared<session>(place_on(*io), std::move(settings), std::move(where), pipe);
  endpoints_.push_back(fresh);
  if (pipe != nullptr) {
    add_pipe(std::move(pipe), false);
  }
  io->post([starting = fresh.session] { starting->start(); });
  return 0;
}

int socket::connect_inproc(const address& where) {
  std::string routing_id;
  if (const int error = connecting(routing_id); error != 0) {
    return -error;
  }
  inproc_registry::joined end = context_.inproc().connect(where.path, as_party());
  last_endpoint_ = where.text;
  endpoints_.push_back(
      {endpoint::kind::inproc_connected, where.text, nullptr, nullptr, nullptr, end.pipe});
  pipe& fresh = *end.pipe;
  fresh.routing_id = routing_id.empty() ? end.routing_id : routing_id;
  const bool known = end.peer_known || !routing_id.empty();
  add_pipe(std::move(end.pipe), known);
  return 0;
}

// -- unbind, disconnect, close
// ------------------------------------------------------------------------

int socket::unbind(std::string_view name) {
  if (const int error = enter(); error != 0) {
    return -error;
  }
  const auto found = std::find_if(endpoints_.begin(), endpoints_.end(), [&](const endpoint& one) {
    return one.name == name &&
           (one.what == endpoint::kind::bound || one.what == endpoint::kind::inproc_bound);
  });
  if (found == endpoints_.end()) {
    const result<address> where = parse_address(name, true, true);
    return where ? -ENOENT : -where.error();
  }
  let_go(*found, true);
  endpoints_.erase(found);
  return 0;
}

int socket::disconnect(std::string_view name) {
  if (const int error = enter(); error != 0) {
    return -error;
  }
  const auto matches = [&](const endpoint& one) {
    return one.name == name &&
           (one.what == endpoint::kind::connected || one.what == endpoint::kind::inproc_connected);
  };
  if (std::none_of(endpoints_.begin(), endpoints_.end(), matches)) {
    const result<address> where = parse_address(name, false, true);
    return where ? -ENOENT : -where.error();
  }
  flush_.flush_all();
  for (endpoint& one : endpoints_) {
    if (matches(one)) {
      let_go(one, true);
    }
  }
  std::erase_if(endpoints_, matches);
  return 0;
}

// notify: the socket lives on, and accepted connections of a listener report their end.
void socket::let_go(endpoint& one, bool notify) {
  const int linger_ms = options_.linger_ms;
  switch (one.what) {
    case endpoint::kind::bound:
      one.io->post(
          [closing = one.listener, linger_ms, notify] { closing->close(linger_ms, notify); });
      break;
    case endpoint::kind::inproc_bound:
      // Only the name; connections stay. Not found: freed already.
      static_cast<void>(
          context_.inproc().unbind(one.name.substr(sizeof("inproc://") - 1), inbox_.get()));
      break;
    case endpoint::kind::connected:
      if (const auto pipe = one.pipe.lock(); pipe != nullptr && pipes_.contains(pipe.get())) {
        remove_pipe(*pipe);
        static_cast<stream_pipe&>(*pipe).abandon_input();
      }
      one.io->post(
          [closing = one.session, linger_ms, notify] { closing->close(linger_ms, notify); });
      break;
    case endpoint::kind::inproc_connected:
      if (const auto pipe = one.pipe.lock(); pipe != nullptr && pipes_.contains(pipe.get())) {
        remove_pipe(*pipe);
      }
      context_.inproc().forget_waiting(inbox_.get(), linger_ms == 0);
      break;
  }
}

void socket::close() {
  if (closed_) {
    return;
  }
  closed_ = true;
  flush_.flush_all();
  context_.inproc().forget(inbox_.get());
  for (endpoint& one : endpoints_) {
    let_go(one, false);
  }
  endpoints_.clear();
  while (!pipes_.empty()) {
    remove_pipe(*pipes_.begin()->second);
  }
  // Connections that were on their way to this socket.
  for (socket_event& event : inbox_->close()) {
    if (event.what == socket_event::kind::attached && !event.subject->is_stream()) {
      static_cast<inproc_pipe&>(*event.subject).leave();
    }
  }
  context_.remove_socket(inbox_);
  monitor_->seal();
}

// -- options
// ----------------------------------------------------------------------------------------

int socket::set_option(int option, const void* value, std::size_t size_bytes) {
  if (const int error = enter(); error != 0) {
    return -error;
  }
  if (const int error = options_.set(type_, option, value, size_bytes); error != 0) {
    return -error;
  }
  if (option == SLK_SNDHWM || option == SLK_RCVHWM) {
    for (auto& [key, pipe] : pipes_) {
      pipe->set_high_water_marks(static_cast<std::uint64_t>(options_.sndhwm),
                                 static_cast<std::uint64_t>(options_.rcvhwm));
    }
  }
  return 0;
}

int socket::get_option(int option, void* value, std::size_t* size_bytes) {
  if (const int error = enter(); error != 0) {
    return -error;
  }
  if (option == SLK_CONNECT_ROUTING_ID) {
    return -EINVAL;
  }
  const int special = get_special_option(option, value, size_bytes);
  return special >= 0 ? -special : -options_.get(type_, option, value, size_bytes);
}

// 0, EINVAL, or -1: not one of these.
int socket::get_special_option(int option, void* value, std::size_t* size_bytes) {
  const auto put = [&](int number) {
    return copy_option(&number, sizeof number, value, size_bytes);
  };
  switch (option) {
    case SLK_TYPE:
      return put(static_cast<int>(type_));
    case SLK_RCVMORE:
      return put(receive_more_ ? 1 : 0);
    case SLK_FD:
      fd_given_out_ = true;
      if (!signal_armed_) {
        about_to_wait_elsewhere();
      }
      return put(wait_fd());
    case SLK_EVENTS: {
      int events = ready_events(SLK_POLLIN | SLK_POLLOUT);
      if (fd_given_out_ && events != (SLK_POLLIN | SLK_POLLOUT)) {
        prepare_wait();
        events = (can_receive() ? SLK_POLLIN : 0) | (can_send() ? SLK_POLLOUT : 0);
      }
      return put(events);
    }
    case SLK_LAST_ENDPOINT:
      return copy_option(last_endpoint_.c_str(), last_endpoint_.size() + 1, value, size_bytes);
    default:
      return -1;
  }
}

}  // namespace slk
