#include "session/session.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <array>

#include "message/properties.hpp"
#include "transport/connect.hpp"
#include "transport/stream_io.hpp"

namespace slk {

namespace {

// Single sends over loopback, whose segments are about 64 KiB, must not exceed a segment by a
// little: a congestion control that paces (BBR) then holds the short rest back, at a quarter of
// the throughput. Real networks' segments are small, and offloaded.
constexpr int loopback_segment_bytes_min = 16 * 1024;
constexpr std::size_t piece_bytes_max = 48 * 1024;

// An application that has not read for this long is silent; from then on the I/O thread sees input
// come, and takes it over if the application leaves it for the grace period. Idle connections cost
// nothing, busy ones a timer.
constexpr std::uint64_t silence_ms = 500;
constexpr std::uint64_t grace_ms = 20;

constexpr std::uint64_t drain_limit_ms = 1000;
constexpr std::uint64_t drain_look_ms = 2;

std::size_t piece_limit(int fd, scheme kind) noexcept {
  return kind == scheme::ipc || max_segment_bytes(fd) > loopback_segment_bytes_min ? piece_bytes_max
                                                                                   : 0;
}

}  // namespace

session::session(const place& at, session_settings settings, address target,
                 std::shared_ptr<stream_pipe> pipe)
    : io_(at.io),
      counted_(at.counted),
      socket_(at.socket),
      settings_(std::move(settings)),
      target_(std::move(target)),
      scheme_(target_->scheme),
      pipe_(std::move(pipe)),
      backoff_(settings_.reconnect_interval_ms, settings_.reconnect_interval_max_ms) {
  io_.adjust_load(+1);
}

session::session(const place& at, session_settings settings, scheme kind, unique_fd accepted)
    : io_(at.io),
      counted_(at.counted),
      socket_(at.socket),
      settings_(std::move(settings)),
      scheme_(kind),
      fd_(std::move(accepted)),
      backoff_(-1, 0) {
  io_.adjust_load(+1);
}

session::~session() {
  io_.adjust_load(-1);
}

void session::start() {
  io_.adopt(shared_from_this());
  if (connects()) {
    connect();
  } else if (io_.watch(fd_.get(), EPOLLIN | EPOLLOUT, *this) == 0) {
    begin_handshake();
  } else {
    end();
  }
}

// -- connecting
// -------------------------------------------------------------------------------------

void session::connect() noexcept {
  retry_timer_ = 0;
  result<connecting> attempt = connect_to(*target_, settings_.transport);
  if (!attempt) {
    connection_failed();
    return;
  }
  const bool in_progress = attempt.value().in_progress;
  fd_ = std::move(attempt.value().fd);
  if (io_.watch(fd_.get(), EPOLLOUT, *this) != 0) {
    connection_failed();
    return;
  }
  state_ = state::connecting;
  if (!in_progress) {
    begin_handshake();
  }
}

// Refused, lost or timed out: try again later, if there is reason to.
void session::connection_failed() noexcept {
  drop_descriptor();
  cancel_timers();
  handshake_.reset();
  if (!connects()) {
    end();
    return;
  }
  if (closing_ && (pipe_ == nullptr || !pipe_->writer().has_unsent())) {
    end();
    return;
  }
  if (!backoff_.enabled()) {
    give_up();
    return;
  }
  state_ = state::waiting;
  retry_timer_ = io_.add_timer(backoff_.next_ms(), [this] { connect(); });
}

// -- handshake
// --------------------------------------------------------------------------------------

void session::begin_handshake() noexcept {
  state_ = state::shaking;
  early_.clear();
  handshake_.emplace(settings_.socket_type, settings_.routing_id, settings_.frame_bytes_max);
  if (settings_.handshake_interval_ms > 0) {
    handshake_timer_ =
        io_.add_timer(static_cast<std::uint64_t>(settings_.handshake_interval_ms), [this] {
          handshake_timer_ = 0;
          connection_failed();
        });
  }
  continue_handshake();
}

void session::continue_handshake() noexcept {
  try {
    const bool more_to_send = send_handshake();
    if (state_ != state::shaking) {
      return;
    }
    if (!receive_handshake()) {
      return;
    }
    // READY may have become due through what was received.
    const bool blocked = send_handshake() || more_to_send;
    if (state_ != state::shaking) {
      return;
    }
    if (handshake_->current() == handshake::state::done) {
      activate();
    } else {
      io_.rewatch(fd_.get(), EPOLLIN | (blocked ? EPOLLOUT : 0u), *this);
    }
  } catch (...) {
    // Out of memory: as if the peer had gone. The pipe may be using the connection already.
    if (state_ == state::active) {
      connection_lost();
    } else {
      connection_failed();
    }
  }
}

// True: the kernel did not take all.
bool session::send_handshake() noexcept {
  for (auto output = handshake_->output(); !output.empty(); output = handshake_->output()) {
    const io_outcome sent = send_some(fd_.get(), output.data(), output.size());
    if (sent.what == io_outcome::kind::ended) {
      connection_failed();
      return true;
    }
    if (sent.what == io_outcome::kind::blocked) {
      return true;
    }
    handshake_->sent(sent.bytes);
  }
  return false;
}

// False: the connection is no more.
bool session::receive_handshake() {
  std::array<std::uint8_t, 4096> buffer;
  while (early_.empty()) {
    const io_outcome got = receive_some(fd_.get(), buffer.data(), buffer.size());
    if (got.what == io_outcome::kind::blocked) {
      return true;
    }
    if (got.what == io_outcome::kind::ended) {
      connection_failed();
      return false;
    }
    std::size_t used = 0;
    while (used < got.bytes) {
      const std::size_t step = handshake_->receive(buffer.data() + used, got.bytes - used);
      if (handshake_->current() == handshake::state::failed) {
        peer_broke_protocol();
        return false;
      }
      if (step == 0) {
        break;  // behind READY
      }
      used += step;
      static_cast<void>(send_handshake());
      if (state_ != state::shaking) {
        return false;
      }
    }
    if (used < got.bytes) {
      early_.assign(buffer.data() + used, buffer.data() + got.bytes);
    }
    if (handshake_->current() == handshake::state::done) {
      return true;
    }
  }
  return true;
}

void session::activate() {
  io_.cancel_timer(handshake_timer_);
  handshake_timer_ = 0;
  backoff_.reset();
  state_ = state::active;
  const bool fresh = pipe_ == nullptr;
  if (fresh) {
    pipe_ = std::make_shared<stream_pipe>(
        io_, socket_,
        stream_pipe::settings{settings_.send_mark, settings_.frame_bytes_max,
                              settings_.application_reads});
  }
  awaiting_room_ = false;  // of an earlier connection
  io_.rewatch(fd_.get(), active_interest(), *this);
  pipe_->open(*this, fd_.get(), piece_limit(fd_.get(), scheme_), early_);
  tell(fresh ? socket_event::kind::attached : socket_event::kind::connected);
  handshake_.reset();
  early_ = {};
  if (settings_.application_reads) {
    reads_seen_ = pipe_->reader().reads() - 1;  // a first period of its own
    watch_silence();
  }
  if (closing_ && !pipe_->writer().has_unsent()) {
    drain();
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

void session::watch_silence() {
  const std::uint32_t reads = pipe_->reader().reads();
  if (reads == reads_seen_) {
    silence_timer_ = 0;
    watching_input_ = true;
    io_.rewatch(fd_.get(), active_interest(), *this);
    return;
  }
  reads_seen_ = reads;
  silence_timer_ = io_.add_timer(silence_ms, [this] { watch_silence(); });
}

// Input came to a silent application, and it has had time to read it.
void session::end_of_grace() {
  silence_timer_ = 0;
  if (pipe_->reader().reads() == reads_seen_) {
    pipe_->attend_silence();
  }
  if (state_ == state::active) {
    watch_silence();
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
        connection_failed();
      } else {
        begin_handshake();
      }
      break;
    case state::shaking:
      continue_handshake();
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
    watching_input_ = false;
    io_.rewatch(fd_.get(), active_interest(), *this);
    silence_timer_ = io_.add_timer(grace_ms, [this] { end_of_grace(); });
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
  try {
    pipe_->close(!closing_ || notify_);
    if (keeps_pipe()) {
      tell(socket_event::kind::disconnected);
    } else {
      tell(socket_event::kind::ended);
      pipe_.reset();
    }
  } catch (...) {
    // Out of memory while keeping what was received: it is lost, the connection's end is not.
  }
  connection_failed();
}

void session::peer_broke_protocol() noexcept {
  if (state_ == state::active) {
    pipe_->close(false);
  }
  give_up();
}

// The peer will not be a better one next time, or nobody wants to try again.
void session::give_up() noexcept {
  if (pipe_ != nullptr) {
    tell(socket_event::kind::ended);
  }
  end();
}

void session::tell(socket_event::kind what) {
  if (closing_ && !notify_) {
    return;
  }
  socket_event event{what, pipe_, {}, {}};
  if (handshake_) {
    event.routing_id = handshake_->peer().routing_id;
    event.properties = peer_properties();
  }
  socket_->post(std::move(event));
}

properties_ref session::peer_properties() const {
  message_properties::list list;
  for (const auto& [key, value] : handshake_->peer().properties) {
    list.emplace_back(key == "Identity" ? std::string("Routing-Id") : key, value);
  }
  list.emplace_back("Peer-Address", peer_address(fd_.get()));
  return properties_ref(message_properties::create(std::move(list)));
}

// -- the end
// ----------------------------------------------------------------------------------------

void session::close(int linger_ms, bool notify) {
  if (state_ == state::ended || closing_) {
    return;
  }
  if (pipe_ != nullptr && notify) {
    tell(socket_event::kind::ended);
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
    linger_timer_ = io_.add_timer(static_cast<std::uint64_t>(linger_ms), [this] {
      linger_timer_ = 0;
      end();
    });
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
  io_.cancel_timer(linger_timer_);
  linger_timer_ = io_.add_timer(drain_limit_ms, [this] {
    linger_timer_ = 0;
    end();
  });
  io_.rewatch(fd_.get(), EPOLLIN | EPOLLRDHUP, *this);
  discard_while_draining();
}

void session::discard_while_draining() noexcept {
  std::array<std::uint8_t, 16 * 1024> discarded;
  for (;;) {
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
  } else if (retry_timer_ == 0) {
    retry_timer_ = io_.add_timer(drain_look_ms, [this] {
      retry_timer_ = 0;
      discard_while_draining();
    });
  }
}

void session::end() noexcept {
  if (state_ == state::ended) {
    return;
  }
  if (pipe_ != nullptr && state_ == state::active) {
    try {
      pipe_->close(notify_);
    } catch (...) {
      // Out of memory: what was received last is lost.
    }
  }
  state_ = state::ended;
  cancel_timers();
  io_.cancel_timer(linger_timer_);
  drop_descriptor();
  pipe_.reset();
  io_.retire(*this);
}

void session::drop_descriptor() noexcept {
  if (fd_) {
    io_.unwatch(fd_.get());
    fd_.reset();
  }
}

void session::cancel_timers() noexcept {
  io_.cancel_timer(retry_timer_);
  io_.cancel_timer(handshake_timer_);
  io_.cancel_timer(silence_timer_);
  retry_timer_ = handshake_timer_ = silence_timer_ = 0;
  watching_input_ = false;
}

}  // namespace slk
