// How a session comes to a connection: connecting, and the handshake.

#include <sys/epoll.h>

#include <array>

#include "message/properties.hpp"
#include "session/session.hpp"
#include "transport/connect.hpp"
#include "transport/stream_io.hpp"

namespace slk {

namespace {

// Single sends over loopback, whose segments are about 64 KiB, must not exceed a segment by a
// little: a congestion control that paces (BBR) then holds the short rest back, at a quarter of
// the throughput. Real networks' segments are small, and offloaded.
constexpr int loopback_segment_bytes_min = 16 * 1024;
constexpr std::size_t piece_bytes_max = 48 * 1024;

std::size_t piece_limit(int fd, scheme kind) noexcept {
  return kind == scheme::ipc || max_segment_bytes(fd) > loopback_segment_bytes_min ? piece_bytes_max
                                                                                   : 0;
}

}  // namespace

// -- connecting
// -------------------------------------------------------------------------------------

void session::connect() noexcept {
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
  retry_timer_.start(backoff_.next_ms());
}

// -- handshake
// --------------------------------------------------------------------------------------

void session::begin_handshake() noexcept {
  state_ = state::shaking;
  early_.clear();
  handshake_.emplace(settings_.socket_type, settings_.routing_id, settings_.frame_bytes_max);
  if (settings_.handshake_interval_ms > 0) {
    handshake_timer_.start(static_cast<std::uint64_t>(settings_.handshake_interval_ms));
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
  handshake_timer_.cancel();
  backoff_.reset();
  state_ = state::active;
  const bool fresh = pipe_ == nullptr;
  if (fresh) {
    pipe_ = std::make_shared<stream_pipe>(
        io_, socket_,
        stream_pipe::settings{settings_.send_mark, settings_.frame_bytes_max,
                              settings_.application_reads});
  }
  io_.rewatch(fd_.get(), base_events(), *this);
  pipe_->open(*this, fd_.get(), piece_limit(fd_.get(), scheme_), early_);
  tell(fresh ? socket_event::kind::attached : socket_event::kind::connected);
  handshake_.reset();
  if (settings_.application_reads) {
    reads_seen_ = pipe_->reader().reads();  // silent until it reads
    watch_silence();
    if (!early_.empty()) {
      grace_timer_.start(grace_ms);  // no more input may come to look at these for
    }
  }
  early_ = {};
  heartbeat_.start(*pipe_, fd_.get(), settings_.application_reads);
  if (closing_ && !pipe_->writer().has_unsent()) {
    drain();
  }
}

}  // namespace slk
