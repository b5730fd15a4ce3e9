#include "session/listener.hpp"

#include <serverlink/serverlink.h>
#include <sys/epoll.h>

#include <cerrno>

namespace slk {

namespace {

constexpr int accepts_per_event = 64;
// Descriptors or memory are out: listening sockets stay readable, so look away for a while.
constexpr std::uint64_t exhausted_pause_ms = 100;

session_settings with_endpoint(session_settings settings, const std::string& endpoint) {
  settings.endpoint = endpoint;
  return settings;
}

}  // namespace

listener::listener(const session::place& at, session_settings settings, scheme kind,
                   listening bound)
    : place_(at),
      counted_(at.counted),
      settings_(with_endpoint(std::move(settings), bound.endpoint)),
      scheme_(kind),
      bound_(std::move(bound)) {}

listener::~listener() {
  stop_listening();
}

void listener::start() {
  if (!bound_.fd) {
    return;  // closed while the start was put off
  }
  place_.io.adopt(shared_from_this());
  look();
}

void listener::look() noexcept {
  if (place_.io.watch(bound_.fd.get(), EPOLLIN, *this) != 0) {
    pause();  // the poller is out of memory or at its limit
  }
}

void listener::on_events(std::uint32_t) noexcept {
  for (int i = 0; i < accepts_per_event; ++i) {
    result<unique_fd> accepted = accept_from(bound_.fd.get(), scheme_, settings_.transport);
    if (!accepted) {
      if (accepted.error() != EAGAIN) {
        report(SLK_EVENT_ACCEPT_FAILED, accepted.error());
        pause();
      }
      return;
    }
    try {
      accept_one(accepted.take());
    } catch (...) {
      report(SLK_EVENT_ACCEPT_FAILED, ENOMEM);  // dropped; its peer may try again
    }
  }
}

void listener::accept_one(unique_fd accepted) {
  std::erase_if(sessions_, [](const std::weak_ptr<session>& weak) { return weak.expired(); });
  const int fd = accepted.get();
  auto fresh = std::make_shared<session>(place_, settings_, scheme_, std::move(accepted));
  sessions_.push_back(fresh);
  report(SLK_EVENT_ACCEPTED, fd);
  fresh->start();
}

void listener::pause() noexcept {
  place_.io.unwatch(bound_.fd.get());
  pause_timer_.start(exhausted_pause_ms);
}

void listener::close(int linger_ms, bool notify) noexcept {
  stop_listening();
  for (const auto& weak : sessions_) {
    if (const auto accepted = weak.lock()) {
      accepted->close(linger_ms, notify);
    }
  }
  sessions_.clear();
  place_.io.retire(*this);
}

void listener::stop_listening() noexcept {
  if (bound_.fd) {
    pause_timer_.cancel();
    place_.io.unwatch(bound_.fd.get());
    const int fd = bound_.fd.get();
    bound_.fd.reset();
    report(SLK_EVENT_CLOSED, fd);
    remove_socket_file(bound_.unlink_path, bound_.unlink_dir);
  }
}

}  // namespace slk
