#pragma once

#include <memory>
#include <vector>

#include "io/io_thread.hpp"
#include "session/monitor.hpp"
#include "session/session.hpp"
#include "session/session_settings.hpp"
#include "transport/listen.hpp"

namespace slk {

// A bound endpoint: accepts connections and starts a session for each.
//
// Thread safety: made by any thread, then used on its I/O thread only.
class listener final : public event_handler, public std::enable_shared_from_this<listener> {
 public:
  listener(const session::place& at, session_settings settings, scheme kind, listening bound);
  ~listener() override;

  void start();

  // Stops listening and ends the connections accepted here, as session::close() does.
  void close(int linger_ms, bool notify) noexcept;

  void on_events(std::uint32_t epoll_events) noexcept override;

 private:
  void accept_one(unique_fd accepted);
  void report(int event, int value) noexcept {
    place_.monitor->emit(event, value, settings_.endpoint);
  }
  void look() noexcept;
  void pause() noexcept;
  void stop_listening() noexcept;

  session::place place_;
  activity::token counted_;
  const session_settings settings_;
  const slk::scheme scheme_;
  listening bound_;
  std::vector<std::weak_ptr<session>> sessions_;
  timer pause_timer_{place_.io.timers(), [this] { look(); }};
};

}  // namespace slk
