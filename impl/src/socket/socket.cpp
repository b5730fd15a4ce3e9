#include "socket/socket.hpp"

#include <serverlink/serverlink.h>

#include <cerrno>

#include "base/affinity.hpp"
#include "base/cache_line.hpp"
#include "base/clock.hpp"
#include "socket/socket_types.hpp"

namespace slk {

namespace {

constexpr int pauses_per_look = 8;
constexpr std::uint64_t pause_us = 200;

}  // namespace

std::unique_ptr<socket> socket::create(context& home, int type, int& error) {
  std::unique_ptr<socket> fresh;
  switch (type) {
    case SLK_PAIR:
      fresh = make_pair(home);
      break;
    case SLK_DEALER:
      fresh = make_dealer(home);
      break;
    case SLK_ROUTER:
      fresh = make_router(home);
      break;
    case SLK_PULL:
      fresh = make_pull(home);
      break;
    case SLK_PUSH:
      fresh = make_push(home);
      break;
    default:
      error = EINVAL;
      return nullptr;
  }
  error = home.add_socket(fresh->inbox_);
  if (error != 0) {
    fresh->closed_ = true;
    return nullptr;
  }
  return fresh;
}

socket::socket(context& home, socket_type type)
    : type_(type), context_(home), counted_(home.counted()), spin_(several_cpus()) {
  options_.ipv6 = home.default_ipv6() ? 1 : 0;
  options_.linger_ms = home.default_blocky() ? -1 : 0;
  options_.maxmsgsize_bytes = home.default_max_message_bytes();
  wait_fds_.reserve(wait_fds_max + 1);
}

socket::~socket() {
  close();
}

// -- sending
// ----------------------------------------------------------------------------------------

int socket::enter_to_send(const std::uint8_t* data, std::size_t size_bytes, int flags) {
  if (const int error = enter(); error != 0) {
    return error;
  }
  const int error = route(data, size_bytes, (flags & SLK_SNDMORE) != 0);
  if (running_ahead_ != nullptr) [[unlikely]] {
    pause_for(*running_ahead_, flags);
  }
  return error == EAGAIN ? wait_to_send(data, size_bytes, flags) : error;
}

int socket::wait_to_send(const std::uint8_t* data, std::size_t size_bytes, int flags) {
  const fd_kept kept(*this, true);
  deadline until = deadline::in_ms(-1);
  bool waited = false;
  for (;;) {
    int error = wait(direction::output, flags, options_.sndtimeo_ms, until, waited);
    error = error != 0 ? error : enter();
    if (error != 0) {
      return error;
    }
    error = route(data, size_bytes, (flags & SLK_SNDMORE) != 0);
    if (error != EAGAIN) {
      return error;
    }
  }
}

void socket::tell_of_short() noexcept {
  pipe& written = short_.untold();
  if (written.is_stream()) {
    flush_.message_published(static_cast<stream_pipe&>(written));
  } else {
    static_cast<inproc_pipe&>(written).tell_reader();
  }
}

long socket::send_to(std::string_view routing_id, const void* data, std::size_t size_bytes,
                     int flags) {
  if (const int error = may_name_peer(); error != 0) {
    return -error;
  }
  const auto* name = reinterpret_cast<const std::uint8_t*>(routing_id.data());
  const int error = send_frame(name, routing_id.size(), (flags & SLK_DONTWAIT) | SLK_SNDMORE);
  if (error != 0) {
    return -error;
  }
  const long outcome = send(data, size_bytes, flags);
  if (outcome < 0) {
    cancel_message();
  }
  return outcome;
}

long socket::send(message& from, int flags) {
  const std::size_t size_bytes = from.size();
  const int error = send_frame(from.data(), size_bytes, flags);
  if (error != 0) {
    return -error;
  }
  from.close();
  from.init();
  return static_cast<long>(size_bytes);
}

// A sender that runs far ahead writes to memory that has left the caches, and so does its reader:
// half of the throughput of large messages. So a call that may wait does, for at most the time in
// which a reader that is awake would have read what is there; after waits in vain ever more rarely.
void socket::pause_for(pipe& ahead, int flags) noexcept {
  running_ahead_ = nullptr;
  if ((flags & SLK_DONTWAIT) != 0 || options_.sndtimeo_ms == 0 || !timed_waits() ||
      !ahead.worth_waiting()) {
    return;
  }
  if (ahead.is_stream()) {
    auto& stream = static_cast<stream_pipe&>(ahead);
    const int fd = stream.writer().fd();
    if (fd >= 0) {
      wait_fds_.assign(1, pollfd{fd, POLLOUT, 0});
      static_cast<void>(wait_for(wait_fds_, deadline::in_us(pause_us)));
      flush_.flush_now(stream);
    }
  } else if (ahead.reader_is_here()) {
    if (!ahead.owes_turn()) {
      return;
    }
    signaler& signal = inbox_->signal();
    signal.prepare_sleep(false, signaler::place::word);
    signal.await_room();
    if (ahead.still_ahead()) {
      static_cast<void>(signal.wait(deadline::in_us(pause_us)));  // the reader gives credit at last
    }
    signal.finish_sleep();
  } else {
    const std::uint64_t start = ticks();
    while (ahead.still_ahead() && ticks() - start < ticks_from_us(pause_us)) {
      for (int i = 0; i < pauses_per_look; ++i) {
        cpu_pause();
      }
    }
  }
  ahead.waited();
}

// -- receiving
// --------------------------------------------------------------------------------------

int socket::enter_to_fetch(frame_view& frame, pipe*& from, int flags) {
  if (signal_armed_) {
    disarm_to_receive();
  }
  if (const int error = enter(); error != 0) {
    return error;
  }
  const int error = fetch(frame, from);
  if (error == EAGAIN) {
    return wait_to_fetch(frame, from, flags);
  }
  receive_more_ = frame.more;
  return error;
}

int socket::wait_to_fetch(frame_view& frame, pipe*& from, int flags) {
  deadline until = deadline::in_ms(-1);
  bool waited = false;
  for (;;) {
    if (queue_.has_ended()) [[unlikely]] {
      reap_ended();
    }
    int error = wait(direction::input, flags, options_.rcvtimeo_ms, until, waited);
    error = error != 0 ? error : enter();
    if (error != 0) {
      // Not behind a frame that was fetched: a look at the next would end it.
      const fd_kept kept(*this, true);
      return error;
    }
    error = fetch(frame, from);
    if (error != EAGAIN) {
      receive_more_ = frame.more;
      return error;
    }
  }
}

long socket::receive(message& into, int flags) {
  frame_view frame;
  pipe* from = nullptr;
  if (const int error = fetch_or_wait(frame, from, flags); error != 0) {
    return -error;
  }
  message received;
  if (frame.whole != nullptr) {
    received.move_from(*frame.whole);
  } else if (const status made = received.init_size(frame.size_bytes); !made) {
    return -made.error();
  } else {
    copy_shared_bytes(received.data(), frame.data, frame.size_bytes);
  }
  received.set_more(frame.more);
  if (from->properties != nullptr) {
    received.set_properties(from->properties.get());
  }
  into.move_from(received);
  return static_cast<long>(into.size());
}

// -- waiting
// ----------------------------------------------------------------------------------------

int socket::wait(direction what, int flags, int timeout_ms, deadline& until,
                 bool& waited) noexcept {
  if ((flags & SLK_DONTWAIT) != 0 || timeout_ms == 0) {
    return fd_given_out_ && found_after_all(what) ? 0 : EAGAIN;
  }
  if (signal_armed_) {
    disarm();  // of a descriptor that was given out: this sleep is another one
  }
  if (!waited) {
    until = deadline::in_ms(timeout_ms);
    waited = true;
  } else if (until.passed()) {
    fd_due_ = false;  // as in found_after_all()
    return EAGAIN;
  }
  flush_.flush_all();
  queue_.give_credit();
  signaler& signal = inbox_->signal();
  wait_fds_.clear();
  if (what == direction::input && has_streams()) {
    wait_fds_.push_back({ready_.fd(), POLLIN, 0});
  } else if (what == direction::input) {
    // What is not there yet comes with an event. One descriptor less to be woken through.
    wait_fds_.push_back({signal.fd(), POLLIN, 0});
  } else {
    wait_fds_.push_back({signal.fd(), POLLIN, 0});
    each_blocked_pipe();
  }
  // A full kernel buffer takes long to make room, and asking it meanwhile holds up the very work
  // that makes it; so only input, and room in other threads' rings, is worth spinning for.
  const bool kernel_full = what == direction::output && wait_fds_.size() > 1;
  if (!kernel_full && timed_waits() && spin_.should_spin() && spin(what)) {
    return 0;
  }
  // Room is told of once in many messages, with a full fence; messages are not.
  const bool awaits_inproc = what == direction::input && inproc_pipes_ > 0;
  const bool on_word = wait_fds_.size() == 1 && wait_fds_.front().fd == signal.fd();
  signal.prepare_sleep(awaits_inproc,
                       on_word ? signaler::place::word : signaler::place::descriptor);
  if (what == direction::output) {
    signal.await_room();
  }
  if (!on_word) {
    queue_.collect_edges();
  }
  int error = 0;
  if (!ready(what)) {
    error = on_word ? signal.wait(until) : wait_for(wait_fds_, until);
  }
  signal.finish_sleep();
  return error;
}

// True: something to look at has come.
bool socket::spin(direction what) noexcept {
  const std::uint64_t start = ticks();
  bool in_time = true;
  bool found = false;
  while (in_time && !found) {
    cpu_pause();
    found = ready(what);
    in_time = ticks() - start < ticks_from_us(spin_budget::spin_us);
  }
  // What is found late came while this thread was off its processor: whoever brought it may have
  // waited for just that one.
  spin_.spun(found && in_time);
  return found;
}

void socket::add_wait_fd(pipe& blocked) noexcept {
  if (!blocked.is_stream()) {
    return;
  }
  auto& stream = static_cast<stream_pipe&>(blocked);
  const int fd = wait_fds_.size() <= wait_fds_max ? stream.writer().fd() : -1;
  if (fd >= 0) {
    wait_fds_.push_back({fd, POLLOUT, 0});
  } else {
    stream.arm();  // the I/O thread waits for it, and signals
  }
}

// The application goes on to poll SLK_FD, having looked at the socket in vain.
bool socket::found_after_all(direction what) noexcept {
  if (signal_armed_) {
    disarm();
  }
  // What the descriptor was raised for it has looked for. Else who only ever tries to send or to
  // receive, without EVENTS, would be told the same for ever.
  fd_due_ = false;
  flush_.flush_all();
  queue_.give_credit();
  if (what == direction::output) {
    room_was_refused_ = true;
    settle_fd();
    const bool found = can_resume_send();
    if (found) {
      // Its holder could not see it raised: the send goes on, and may look in vain once more.
      told_of_input_ = false;
    }
    return found;
  }
  settle_fd();
  const bool found = can_receive();
  if (found) {
    disarm_to_receive();
  }
  return found;
}

void socket::disarm_to_receive() noexcept {
  disarm();
  told_of_input_ = false;  // it was this message; whether there is another is for EVENTS to tell
}

// What an fd_kept does. A bit of EVENTS raises the descriptor once; should it go and come back, it
// does so again.
void socket::settle_fd() noexcept {
  if (signal_armed_) {
    if (!inbox_->signal().armed()) {
      return;  // somebody raises it
    }
    disarm();  // prepared anew: inproc pipes, whose peers need more of a sleeper, may have come
  }
  prepare_wait();
  const bool input = can_receive();
  const bool output = can_send_or_awaits_room();
  if (ready_.took_edges()) {
    told_of_input_ = false;  // another message may have taken the place of the one he knows of
  }
  if (fd_due_ || (input && !told_of_input_) || (output && !told_of_output_)) {
    inbox_->signal().wake_if_sleeping();
  }
  fd_due_ = false;
  told_of_input_ = input;
  told_of_output_ = output;
}

// EVENTS as they are told to a holder of the descriptor, which tells of others from now on.
int socket::events_for_fd() noexcept {
  prepare_wait();
  told_of_input_ = can_receive();
  told_of_output_ = can_send_or_awaits_room();
  fd_due_ = false;
  static_cast<void>(ready_.took_edges());
  return (told_of_input_ ? SLK_POLLIN : 0) | (told_of_output_ ? SLK_POLLOUT : 0);
}

void socket::prepare_wait() noexcept {
  short_.forget();       // the next receive has to disarm
  if (!signal_armed_) {  // a poll may name a socket twice
    signal_armed_ = true;
    inbox_->signal().prepare_sleep(inproc_pipes_ > 0);
    if (inbox_->has_events()) {
      inbox_->signal().wake_if_sleeping();  // they came when nobody was to be woken
    }
  }
  if (room_was_refused_) {
    inbox_->signal().await_room();
  }
  if (has_streams()) {
    queue_.collect_edges();
  }
}

bool socket::wait_is_over(int wanted) noexcept {
  return inbox_->has_events() || ((wanted & SLK_POLLIN) != 0 && can_receive()) ||
         ((wanted & SLK_POLLOUT) != 0 && can_send_or_awaits_room());
}

bool socket::can_send_or_awaits_room() noexcept {
  if (can_send()) {
    return true;
  }
  inbox_->signal().await_room();
  return can_send();
}

int socket::ready_events(int wanted) {
  if (signal_armed_) {
    disarm();
  }
  if (const int error = enter(); error != 0) {
    return -error;
  }
  int events = 0;
  if ((wanted & SLK_POLLIN) != 0 && can_receive()) {
    events |= SLK_POLLIN;
  }
  if ((wanted & SLK_POLLOUT) != 0 && can_send()) {
    events |= SLK_POLLOUT;
  }
  if (queue_.has_ended()) {
    reap_ended();
  }
  if (events != wanted) {
    flush_.flush_all();
    queue_.give_credit();
  }
  return events;
}

int socket::is_connected(std::string_view) {
  return -ENOTSUP;
}

}  // namespace slk
