#include "session/heartbeat.hpp"

#include <utility>

#include "transport/stream_io.hpp"

namespace slk {

namespace {

constexpr int tenth_ms = 100;
// A peer's time to live is watched by looking so often: when it spoke last is known to the look.
constexpr int looks_per_ttl = 4;

}  // namespace

heartbeat::heartbeat(timer_queue& timers, const settings& with, std::function<void()> lost)
    : settings_(with),
      lost_(std::move(lost)),
      beat_timer_(timers, [this] { beat(); }),
      answer_timer_(timers, [this] { answer_overdue(); }),
      ttl_timer_(timers, [this] { look_for_life(); }) {}

void heartbeat::start(stream_pipe& pipe, int fd, bool application_reads) noexcept {
  pipe_ = &pipe;
  fd_ = fd;
  application_reads_ = application_reads;
  if (settings_.interval_ms > 0) {
    beat_timer_.start(static_cast<std::uint64_t>(settings_.interval_ms));
  }
}

void heartbeat::stop() noexcept {
  pipe_ = nullptr;
  beat_timer_.cancel();
  answer_timer_.cancel();
  ttl_timer_.cancel();
}

// Bytes that wait for a silent application are taken over, so that the next look sees new ones.
bool heartbeat::heard_since(std::uint32_t& arrivals) noexcept {
  bool heard = pipe_->reader().arrivals() != arrivals;
  if (!heard && unread_bytes(fd_) > 0) {
    heard = true;
    if (application_reads_) {
      pipe_->attend_silence();
    }
  }
  if (pipe_ != nullptr) {  // what was taken over may have ended the connection
    arrivals = pipe_->reader().arrivals();
  }
  return heard;
}

void heartbeat::beat() noexcept {
  const bool awaited = answer_timer_.running();
  if (!awaited) {
    arrivals_at_ping_ = pipe_->reader().arrivals();
  }
  const bool renew = !awaited || heard_since(arrivals_at_ping_);
  if (pipe_ == nullptr) {
    return;
  }
  const int timeout_ms = settings_.timeout_ms < 0 ? settings_.interval_ms : settings_.timeout_ms;
  if (renew && timeout_ms > 0) {
    answer_timer_.start(static_cast<std::uint64_t>(timeout_ms));
  }
  beat_timer_.start(static_cast<std::uint64_t>(settings_.interval_ms));
  pipe_->ping(static_cast<std::uint16_t>(settings_.ttl_ms / tenth_ms));
}

void heartbeat::answer_overdue() noexcept {
  if (!heard_since(arrivals_at_ping_)) {
    lost_();
  }
}

void heartbeat::watch_ttl() noexcept {
  if (pipe_ == nullptr) {
    return;
  }
  const int ttl_ms = pipe_->peer_ttl_tenths() * tenth_ms;
  if (ttl_ms == 0) {
    ttl_timer_.cancel();
    return;
  }
  silent_looks_ = 0;
  arrivals_at_look_ = pipe_->reader().arrivals();
  ttl_timer_.start(static_cast<std::uint64_t>(ttl_ms / looks_per_ttl));
}

void heartbeat::look_for_life() noexcept {
  silent_looks_ = heard_since(arrivals_at_look_) ? 0 : silent_looks_ + 1;
  if (pipe_ == nullptr) {
    return;
  }
  if (silent_looks_ >= looks_per_ttl) {
    lost_();
    return;
  }
  ttl_timer_.start(static_cast<std::uint64_t>(pipe_->peer_ttl_tenths() * tenth_ms / looks_per_ttl));
}

}  // namespace slk
