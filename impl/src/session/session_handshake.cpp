// How a session comes to a connection: connecting, and the handshake.

#include <serverlink/serverlink.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "base/secret.hpp"
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

// What an ERROR says when access was denied: "300", "400" or "500"; 0: something else.
int status_code(std::string_view reason) noexcept {
  return reason == "300" ? 300 : reason == "400" ? 400 : reason == "500" ? 500 : 0;
}

}  // namespace

// -- connecting
// -------------------------------------------------------------------------------------

void session::connect() noexcept {
  result<connecting> attempt = failure{ENOMEM};
  try {
    attempt = connect_to(*target_, settings_.transport);
  } catch (...) {
    // The attempt failed, then.
  }
  if (!attempt) {
    connection_failed(attempt.error());
    return;
  }
  const bool in_progress = attempt.value().in_progress;
  fd_ = std::move(attempt.value().fd);
  if (const int error = io_.watch(fd_.get(), EPOLLOUT, *this); error != 0) {
    connection_failed(error);
    return;
  }
  state_ = state::connecting;
  if (in_progress) {
    report(SLK_EVENT_CONNECT_DELAYED, EINPROGRESS);
  } else {
    report(SLK_EVENT_CONNECTED, fd_.get());
    begin_handshake();
  }
}

// Refused, lost or timed out: try again later, if there is reason to.
void session::connection_failed(int why) noexcept {
  if (state_ == state::shaking) {
    report(SLK_EVENT_HANDSHAKE_FAILED_NO_DETAIL, why);
  }
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
  const std::uint64_t wait_ms = backoff_.next_ms();
  report(SLK_EVENT_CONNECT_RETRIED, static_cast<int>(wait_ms));
  retry_timer_.start(wait_ms);
}

// -- handshake
// --------------------------------------------------------------------------------------

void session::begin_handshake() noexcept {
  state_ = state::shaking;
  early_.clear();
  try {
    handshake_.emplace(settings_.socket_type, settings_.routing_id, settings_.frame_bytes_max,
                       make_mechanism());
    verdict_ = {};
  } catch (...) {
    connection_failed(ENOMEM);
    return;
  }
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
    if (inquiry_ != nullptr) {
      io_.rewatch(fd_.get(), EPOLLRDHUP | (more_to_send ? EPOLLOUT : 0u), *this);
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
      const std::uint32_t input = inquiry_ == nullptr ? std::uint32_t{EPOLLIN} : EPOLLRDHUP;
      io_.rewatch(fd_.get(), input | (blocked ? EPOLLOUT : 0u), *this);
    }
  } catch (...) {
    // Out of memory: as if the peer had gone. The pipe may be using the connection already.
    if (state_ == state::active) {
      connection_lost();
    } else {
      connection_failed(ENOMEM);
    }
  }
}

// True: the kernel did not take all.
bool session::send_handshake() noexcept {
  for (auto output = handshake_->output(); !output.empty(); output = handshake_->output()) {
    const io_outcome sent = send_some(fd_.get(), output.data(), output.size());
    if (sent.what == io_outcome::kind::ended) {
      connection_failed(ECONNRESET);
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
      connection_failed(ECONNRESET);
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
      if (state_ == state::shaking) {
        inquire();
      }
      if (state_ != state::shaking) {
        return false;
      }
    }
    if (used < got.bytes) {
      early_.assign(buffer.data() + used, buffer.data() + got.bytes);
    }
    if (settings_.security != nullptr) {
      wipe(buffer.data(), got.bytes);  // there may be a password in it
    }
    if (handshake_->current() == handshake::state::done || inquiry_ != nullptr) {
      return true;
    }
  }
  return true;
}

// The numbers by which libzmq's monitors know the reasons.
void session::report_failed_handshake() noexcept {
  int reason = SLK_PROTOCOL_ERROR_ZMTP_UNSPECIFIED;
  switch (handshake_->reason()) {
    case failure_reason::mechanism:
      reason = SLK_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH;
      break;
    case failure_reason::unexpected_command:
      reason = SLK_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND;
      break;
    case failure_reason::malformed_metadata:
    case failure_reason::incompatible_socket_type:
      reason = SLK_PROTOCOL_ERROR_ZMTP_INVALID_METADATA;
      break;
    case failure_reason::oversize:
    case failure_reason::malformed_command:
      reason = SLK_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED;
      break;
    case failure_reason::peer_error:
      if (const int status = status_code(handshake_->peer().error_reason); status != 0) {
        report(SLK_EVENT_HANDSHAKE_FAILED_AUTH, status);
        return;
      }
      break;
    case failure_reason::cryptography:
      reason = SLK_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC;
      break;
    case failure_reason::none:
    case failure_reason::denied:
    case failure_reason::signature:
    case failure_reason::version:
      break;
  }
  report(SLK_EVENT_HANDSHAKE_FAILED_PROTOCOL, reason);
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
  awaiting_room_ = false;  // of an earlier connection
  io_.rewatch(fd_.get(), active_interest(), *this);
  pipe_->open(*this, fd_.get(), piece_limit(fd_.get(), scheme_), early_,
              handshake_->traffic_keys());
  report(SLK_EVENT_HANDSHAKE_SUCCEEDED, 0);
  tell_peer(fresh ? socket_event::kind::attached : socket_event::kind::connected);
  handshake_.reset();
  if (settings_.application_reads) {
    reads_seen_ = pipe_->reader().reads();  // silent until it reads
    silence_ms_ = grace_ms;
    // A peer that pings often does so from the start: an early look finds out, later ones are rare.
    grace_timer_.start(grace_ms);
  }
  early_ = {};
  heartbeat_.start(*pipe_, fd_.get(), settings_.application_reads);
  if (closing_ && !pipe_->writer().has_unsent()) {
    drain();
  }
}

}  // namespace slk
