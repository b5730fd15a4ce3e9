// The endpoints of a socket: bind, connect and their opposites, and the close of the socket.

#include <serverlink/serverlink.h>

#include <algorithm>
#include <cerrno>

#include "socket/socket.hpp"
#include "transport/address.hpp"
#include "transport/listen.hpp"

namespace slk {

namespace {

// start() may throw, and is run again then.
template <class Target>
std::unique_ptr<io_command> request_to_start(std::shared_ptr<Target> target) {
  class start_request final : public io_command {
   public:
    explicit start_request(std::shared_ptr<Target> whom) : whom_(std::move(whom)) {}
    void run() override { whom_->start(); }

   private:
    const std::shared_ptr<Target> whom_;
  };
  return std::make_unique<start_request>(std::move(target));
}

}  // namespace

template <class Target>
std::unique_ptr<socket::close_request> socket::request_to_close(std::shared_ptr<Target> target) {
  class request final : public close_request {
   public:
    explicit request(std::shared_ptr<Target> whom) : whom_(std::move(whom)) {}
    void run() override { whom_->close(linger_ms, notify); }

   private:
    const std::shared_ptr<Target> whom_;
  };
  return std::make_unique<request>(std::move(target));
}

inproc_registry::party socket::as_party() const {
  return {inbox_, options_.routing_id, static_cast<std::uint64_t>(options_.sndhwm),
          static_cast<std::uint64_t>(options_.rcvhwm)};
}

// -- bind
// -------------------------------------------------------------------------------------------

int socket::bind(std::string_view name) {
  const fd_kept kept(*this, false);
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
  if (const int error = options_.security.check(); error != 0) {
    return -error;
  }
  session_settings settings = options_.for_session(type_);
  result<listening> bound = listen_on(where, settings.transport);
  if (!bound) {
    monitor_->emit(SLK_EVENT_BIND_FAILED, bound.error(), where.text);
    return -bound.error();
  }
  endpoint fresh;
  fresh.what = endpoint::kind::bound;
  fresh.name = bound.value().endpoint;
  fresh.io = io;
  std::string last = fresh.name;
  const int fd = bound.value().fd.get();
  const auto bound_here =
      std::make_shared<listener>(place_on(*io), std::move(settings), where.scheme, bound.take());
  fresh.closing = request_to_close(bound_here);
  auto start = request_to_start(bound_here);
  endpoints_.push_back(std::move(fresh));
  last_endpoint_.swap(last);
  monitor_->emit(SLK_EVENT_LISTENING, fd, last_endpoint_);
  io->post(std::move(start));
  return 0;
}

int socket::bind_inproc(const address& where) {
  socket_events waiting;
  std::string last = where.text;
  endpoints_.push_back({endpoint::kind::inproc_bound, where.text, nullptr, nullptr, {}});
  int error = ENOMEM;
  try {
    error = context_.inproc().bind(where.path, as_party(), waiting);
  } catch (...) {
    // As it stands.
  }
  if (error != 0) {
    endpoints_.pop_back();
    return -error;
  }
  last_endpoint_.swap(last);
  inbox_->put_back(std::move(waiting));
  try {
    static_cast<void>(process_events());
  } catch (...) {
    // The name is bound; the next call attends to those that waited for it.
  }
  return 0;
}

// -- connect
// ----------------------------------------------------------------------------------------

int socket::connect(std::string_view name) {
  const fd_kept kept(*this, false);
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
  if (const int error = options_.security.check(); error != 0) {
    return -error;
  }
  std::string routing_id;
  if (const int error = connecting(routing_id); error != 0) {
    return -error;
  }
  session_settings settings = options_.for_session(type_);
  settings.endpoint = where.text;
  endpoint fresh;
  fresh.what = endpoint::kind::connected;
  fresh.name = where.text;
  fresh.io = io;
  std::string last = where.text;
  std::shared_ptr<stream_pipe> pipe;
  if (!settings.immediate) {
    pipe = std::make_shared<stream_pipe>(
        *io, inbox_,
        stream_pipe::settings{settings.send_mark, settings.frame_bytes_max,
                              settings.application_reads});
    pipe->routing_id = std::move(routing_id);
    fresh.pipe = pipe;
  }
  const auto connecting_here =
      std::make_shared<session>(place_on(*io), std::move(settings), std::move(where), pipe);
  fresh.closing = request_to_close(connecting_here);
  auto start = request_to_start(connecting_here);
  endpoints_.push_back(std::move(fresh));
  try {
    if (pipe != nullptr) {
      add_pipe(pipe, false);
    }
  } catch (...) {
    if (pipes_.contains(pipe.get())) {
      remove_pipe(*pipe);
    }
    endpoints_.pop_back();
    throw;
  }
  last_endpoint_.swap(last);
  io->post(std::move(start));
  return 0;
}

int socket::connect_inproc(const address& where) {
  std::string routing_id;
  if (const int error = connecting(routing_id); error != 0) {
    return -error;
  }
  std::string last = where.text;
  endpoints_.push_back({endpoint::kind::inproc_connected, where.text, nullptr, nullptr, {}});
  std::shared_ptr<pipe> added;
  try {
    inproc_registry::joined end = context_.inproc().connect(where.path, as_party());
    added = end.pipe;
    endpoints_.back().pipe = added;
    added->routing_id = routing_id.empty() ? end.routing_id : routing_id;
    add_pipe(added, end.peer_known || !routing_id.empty());
  } catch (...) {
    if (pipes_.contains(added.get())) {
      remove_pipe(*added);
    } else if (added != nullptr) {
      static_cast<inproc_pipe&>(*added).leave();
    }
    endpoints_.pop_back();
    throw;
  }
  last_endpoint_.swap(last);
  return 0;
}

// -- unbind, disconnect, close
// ------------------------------------------------------------------------

int socket::unbind(std::string_view name) {
  const fd_kept kept(*this, false);
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
  if (found->what == endpoint::kind::inproc_bound) {
    // Only the name; connections stay. Not found: freed already.
    static_cast<void>(
        context_.inproc().unbind(found->name.substr(sizeof("inproc://") - 1), inbox_.get()));
  }
  let_go(*found, true);
  endpoints_.erase(found);
  return 0;
}

int socket::disconnect(std::string_view name) {
  const fd_kept kept(*this, false);
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
void socket::let_go(endpoint& one, bool notify) noexcept {
  const int linger_ms = options_.linger_ms;
  const auto post_closing = [&] {
    one.closing->linger_ms = linger_ms;
    one.closing->notify = notify;
    one.io->post(std::move(one.closing));
  };
  switch (one.what) {
    case endpoint::kind::bound:
      post_closing();
      break;
    case endpoint::kind::inproc_bound:
      break;
    case endpoint::kind::connected:
      if (const auto pipe = one.pipe.lock(); pipe != nullptr && pipes_.contains(pipe.get())) {
        remove_pipe(*pipe);
        static_cast<stream_pipe&>(*pipe).abandon_input();
      }
      post_closing();
      break;
    case endpoint::kind::inproc_connected:
      if (const auto pipe = one.pipe.lock(); pipe != nullptr && pipes_.contains(pipe.get())) {
        remove_pipe(*pipe);
      }
      context_.inproc().forget_waiting(inbox_.get(), linger_ms == 0);
      break;
  }
}

void socket::close() noexcept {
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
  const fd_kept kept(*this, false);
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
  const fd_kept kept(*this, true);  // EVENTS leaves it armed
  if (const int error = enter(); error != 0) {
    return -error;
  }
  if (option == SLK_CONNECT_ROUTING_ID) {
    return -EINVAL;
  }
  const int special = get_special_option(option, value, size_bytes);
  return special >= 0 ? -special : -options_.get(type_, option, value, size_bytes);
}

// 0, EINVAL, ETERM, or -1: not one of these.
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
      flush_.flush_all();
      queue_.give_credit();
      fd_given_out_ = true;
      return put(ready_.fd());
    case SLK_EVENTS: {
      const int events = ready_events(SLK_POLLIN | SLK_POLLOUT);
      if (events < 0) {
        return -events;
      }
      return put(fd_given_out_ ? events_for_fd() : events);
    }
    case SLK_LAST_ENDPOINT:
      return copy_option(last_endpoint_.c_str(), last_endpoint_.size() + 1, value, size_bytes);
    default:
      return -1;
  }
}

}  // namespace slk
