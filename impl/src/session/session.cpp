#include "session/session.hpp"

#include <serverlink/serverlink.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>

#include "message/properties.hpp"
#include "transport/connect.hpp"
#include "transport/stream_io.hpp"

namespace slk {

namespace {

// An application that has not read for this long is silent; from then on the I/O thread sees input
// come, and takes it over if the application leaves it for the grace period. Idle connections cost
// nothing, busy ones a timer.
constexpr std::uint64_t silence_max_ms = 500;
constexpr std::uint64_t silence_of_beating_ms = 100;  // where there are heartbeats of our own
constexpr std::uint64_t silence_of_pinged_ms = 20;    // of a peer that waits for PONGs

constexpr std::uint64_t drain_limit_ms = 1000;
constexpr std::uint64_t drain_look_ms = 2;
constexpr int discarding_reads_max = 16;

}  // namespace

session::session(const place& at, session_settings settings, address target,
                 std::shared_ptr<stream_pipe> pipe)
    : io_(at.io),
      counted_(at.counted),
      socket_(at.socket),
      monitor_(at.monitor),
      settings_(std::move(settings)),
      target_(std::move(target)),
      scheme_(target_->scheme),
      pipe_(std::move(pipe)),
      authenticator_(at.authenticator),
      backoff_(settings_.reconnect_interval_ms, settings_.reconnect_interval_max_ms) {
  prepare_to_tell();
  io_.adjust_load(+1);
}

session::session(const place& at, session_settings settings, scheme kind, unique_fd accepted)
    : io_(at.io),
      counted_(at.counted),
      socket_(at.socket),
      monitor_(at.monitor),
      settings_(std::move(settings)),
      scheme_(kind),
      fd_(std::move(accepted)),
      authenticator_(at.authenticator),
      backoff_(-1, 0) {
  io_.adjust_load(+1);
}

session::~session() {
  io_.adjust_load(-1);
}

void session::start() {
  if (closing_) {
    return;  // while the start was put off
  }
  io_.adopt(shared_from_this());
  if (connects()) {
    connect();
  } else if (io_.watch(fd_.get(), EPOLLIN | EPOLLOUT, *this) == 0) {
    begin_handshake();
  } else {
    end();
  }
}

// -- in use
// -----------------------------------------------------------------------------------------

std::uint32_t session::active_interest() const noexcept {
  const std::uint32_t output = awaiting_room_ ? std::uint32_t{EPOLLOUT} : 0u;
  // Where the application reads, only the end of the stream is ours to see, once.
  if (!settings_.application_reads) {
    return output | EPOLLIN | EPOLLRDHUP;
  }
  return output | EPOLLRDHUP | EPOLLET | (watching_input_ ? std::uint32_t{EPOLLIN} : 0u);
}

void session::watch_silence() noexcept {
  const std::uint32_t reads = pipe_->reader().reads();
  if (reads == reads_seen_) {
    watch_input(true);
    return;
  }
  reads_seen_ = reads;
  const std::uint64_t silence_ms =
      pipe_->peer_pings()
          ? silence_of_pinged_ms
          : std::min(silence_ms_,
                     settings_.heartbeat.interval_ms > 0 ? silence_of_beating_ms : silence_max_ms);
  silence_timer_.start(silence_ms);
  silence_ms_ = std::min(2 * silence_ms_, silence_max_ms);
}

// An application that reads faster than this thread gets to see its input ends the watch itself:
// this thread would be woken for each message, find it read, and sleep on, all of it within
// epoll_wait(2) (measured: a thousand times at the start of a conversation).
void session::watch_input(bool watching) noexcept {
  watching_input_ = watching;
  pipe_->reader().await_read(watching);
  io_.rewatch(fd_.get(), active_interest(), *this);
}

void session::application_reads() noexcept {
  if (state_ == state::active && watching_input_) {
    watch_input(false);
    watch_silence();
  }
}

// Input came to a silent application, and it has had time to read it.
void session::end_of_grace() noexcept {
  if (pipe_->reader().reads() == reads_seen_) {
    pipe_->attend_silence();
  }
  if (state_ == state::active) {
    watch_silence();
  }
}

void session::peer_pings_anew() noexcept {
  heartbeat_.watch_ttl();
  if (silence_timer_.running()) {
    silence_timer_.start(silence_of_pinged_ms);  // it was set before there was a PING
  }
}

void session::want_writable() noexcept {
  if (state_ == state::active) {
    awaiting_room_ = true;
    io_.rewatch(fd_.get(), active_interest(), *this);
  }
}

void session::on_events(std::uint32_t epoll_events) noexcept {
  switch (state_) {
    case state::connecting:
      if (!connect_finished(fd_.get())) {
        connection_failed(ECONNREFUSED);
      } else {
        report(SLK_EVENT_CONNECTED, fd_.get());
        begin_handshake();
      }
      break;
    case state::shaking:
      if (inquiry_ != nullptr && (epoll_events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        connection_failed(ECONNRESET);  // nobody reads while somebody is asked
      } else {
        continue_handshake();
      }
      break;
    case state::active:
      active_events(epoll_events);
      break;
    case state::draining:
      discard_while_draining();
      break;
    case state::idle:
    case state::waiting:
    case state::ended:
      break;
  }
}

void session::active_events(std::uint32_t epoll_events) noexcept {
  if (!settings_.application_reads && (epoll_events & EPOLLIN) != 0) {
    pipe_->discard_input();
  }
  if ((epoll_events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    connection_lost();
    return;
  }
  if (watching_input_ && (epoll_events & EPOLLIN) != 0) {
    watch_input(false);
    grace_timer_.start(grace_ms);
  }
  if ((epoll_events & EPOLLOUT) != 0 && pipe_->writable()) {
    awaiting_room_ = false;
    io_.rewatch(fd_.get(), active_interest(), *this);
    if (closing_ && !pipe_->writer().has_unsent()) {
      drain();
    }
  }
}

void session::connection_lost() noexcept {
  if (pipe_ != nullptr) {  // else memory ran out before there was one
    pipe_->close(!closing_ || notify_);
    if (keeps_pipe()) {
      tell_loss(socket_event::kind::disconnected);
    } else {
      tell_loss(socket_event::kind::ended);
      pipe_.reset();
    }
  }
  connection_failed(ECONNRESET);
}

void session::peer_broke_protocol() noexcept {
  if (state_ == state::active) {
    pipe_->close(false);
  } else {
    report_failed_handshake();
  }
  give_up();
}

// The peer will not be a better one next time, or nobody wants to try again.
void session::give_up() noexcept {
  if (pipe_ != nullptr) {
    tell_loss(socket_event::kind::ended);
  }
  end();
}

void session::tell_peer(socket_event::kind what) {
  if (closing_ && !notify_) {
    return;
  }
  prepare_to_tell();
  socket_->post(socket_event{what, pipe_, handshake_->peer().routing_id, peer_properties()});
}

// A loss, and the end after it.
void session::prepare_to_tell() {
  while (untold_losses_.size() < 2) {
    untold_losses_.push_back({socket_event::kind::ended, nullptr, {}, {}});
  }
}

void session::tell_loss(socket_event::kind what) noexcept {
  if ((closing_ && !notify_) || untold_losses_.empty()) {
    return;
  }
  socket_events one;
  one.splice(one.end(), untold_losses_, untold_losses_.begin());
  one.front().what = what;
  one.front().subject = pipe_;
  socket_->post(std::move(one));
}

properties_ref session::peer_properties() const {
  message_properties::list list;
  for (const auto& [key, value] : handshake_->peer().properties) {
    list.emplace_back(key == "Identity" ? std::string("Routing-Id") : key, value);
  }
  list.emplace_back("Peer-Address", peer_address(fd_.get()));
  list.insert(list.end(), verdict_.metadata.begin(), verdict_.metadata.end());
  return properties_ref(message_properties::create(std::move(list)));
}

// -- the end
// ----------------------------------------------------------------------------------------

void session::close(int linger_ms, bool notify) noexcept {
  if (state_ == state::ended || closing_) {
    return;
  }
  if (pipe_ != nullptr && notify) {
    tell_loss(socket_event::kind::ended);
  }
  closing_ = true;
  notify_ = notify;
  if (pipe_ == nullptr || linger_ms == 0) {
    end();
    return;
  }
  if (state_ == state::active) {
    static_cast<void>(pipe_->writer().flush_from_io());
  }
  if (!pipe_->writer().has_unsent()) {
    if (state_ == state::active) {
      drain();
    } else {
      end();
    }
    return;
  }
  if (linger_ms > 0) {
    linger_timer_.start(static_cast<std::uint64_t>(linger_ms));
  }
  if (state_ == state::active) {
    pipe_->wait_until_writable();
  }
}

// All is with the kernel. Closing now could still lose it: input that nobody reads any more turns
// into a reset, which discards what the peer has not acknowledged.
void session::drain() noexcept {
  pipe_->close(notify_);
  cancel_timers();
  end_sending(fd_.get());
  state_ = state::draining;
  linger_timer_.start(drain_limit_ms);
  io_.rewatch(fd_.get(), EPOLLIN | EPOLLRDHUP, *this);
  discard_while_draining();
}

void session::discard_while_draining() noexcept {
  std::array<std::uint8_t, 16 * 1024> discarded;
  // Not for as long as there is more: others have their turn, and the poller tells again.
  for (int reads = 0; reads < discarding_reads_max; ++reads) {
    const io_outcome got = receive_some(fd_.get(), discarded.data(), discarded.size());
    if (got.what == io_outcome::kind::ended) {
      end();
      return;
    }
    if (got.what == io_outcome::kind::blocked) {
      break;
    }
  }
  if (unacknowledged_bytes(fd_.get()) == 0) {
    end();
  } else if (!drain_timer_.running()) {
    drain_timer_.start(drain_look_ms);
  }
}

void session::end() noexcept {
  if (state_ == state::ended) {
    return;
  }
  if (pipe_ != nullptr && state_ == state::active) {
    pipe_->close(notify_);
  }
  cancel_timers();
  linger_timer_.cancel();
  drop_descriptor();
  state_ = state::ended;
  pipe_.reset();
  io_.retire(*this);
}

void session::drop_descriptor() noexcept {
  if (fd_) {
    const int fd = fd_.get();
    io_.unwatch(fd);
    fd_.reset();
    const bool was_connected =
        state_ == state::shaking || state_ == state::active || state_ == state::draining;
    report(was_connected ? SLK_EVENT_DISCONNECTED : SLK_EVENT_CLOSED, fd);
  }
}

void session::cancel_timers() noexcept {
  retry_timer_.cancel();
  handshake_timer_.cancel();
  drain_timer_.cancel();
  silence_timer_.cancel();
  grace_timer_.cancel();
  heartbeat_.stop();
  cancel_inquiry();
  watching_input_ = false;
}

}  // namespace slk
