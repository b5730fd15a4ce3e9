// session: the life of one connection: connect or accept, handshake, use by a pipe, loss,
// reconnect, linger.
//
//   waiting -> connecting -> shaking -> active -> (lost) -> waiting ...        connecting side
//                            shaking -> active -> (lost) -> ended              accepting side
//   any of them -> close() -> lingering -> draining -> ended
//
// Thread safety: made by any thread, then used on its I/O thread only.

#pragma once

#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/unique_fd.hpp"
#include "io/io_thread.hpp"
#include "pipe/stream_pipe.hpp"
#include "session/activity.hpp"
#include "session/authenticator.hpp"
#include "session/heartbeat.hpp"
#include "session/monitor.hpp"
#include "session/reconnect_backoff.hpp"
#include "session/session_settings.hpp"
#include "transport/address.hpp"
#include "wire/handshake.hpp"

namespace slk {

class session final : public event_handler,
                      public stream_owner,
                      public std::enable_shared_from_this<session> {
 public:
  // Where a session lives, and whom it serves.
  struct place {
    io_thread& io;
    slk::activity& counted;
    std::shared_ptr<inbox> socket;
    std::shared_ptr<slk::monitor> monitor;
    slk::authenticator& authenticator;
  };

  // Connects, and reconnects. pipe is the one that exists since connect(); null with `immediate`.
  session(const place& at, session_settings settings, address target,
          std::shared_ptr<stream_pipe> pipe);
  // Serves an accepted connection.
  session(const place& at, session_settings settings, scheme kind, unique_fd accepted);
  ~session() override;

  void start();

  // The socket lets go of the connection: what is unsent may take linger_ms (-1: for ever), then
  // it ends. notify: the socket lives on, and is told that the pipe has ended.
  void close(int linger_ms, bool notify) noexcept;

  [[nodiscard]] bool ended() const noexcept { return state_ == state::ended; }

  void on_events(std::uint32_t epoll_events) noexcept override;
  void want_writable() noexcept override;
  void peer_broke_protocol() noexcept override;
  void replaced() noexcept override { give_up(); }
  void peer_pings_anew() noexcept override;
  void application_reads() noexcept override;

 private:
  // For which input is left to a silent application.
  static constexpr std::uint64_t grace_ms = 20;

  enum class state : std::uint8_t {
    idle,
    waiting,
    connecting,
    shaking,
    active,
    draining,
    ended,
  };

  void connect() noexcept;
  void connection_failed(int why) noexcept;  // an errno
  void begin_handshake() noexcept;
  void continue_handshake() noexcept;
  bool send_handshake() noexcept;
  bool receive_handshake();
  [[nodiscard]] std::unique_ptr<mechanism> make_mechanism() const;
  void inquire();
  void take_verdict(const verdict& answer) noexcept;
  void refuse(std::string_view status, int value) noexcept;
  void cancel_inquiry() noexcept;
  void activate();
  void active_events(std::uint32_t epoll_events) noexcept;
  void connection_lost() noexcept;
  void watch_silence() noexcept;
  void watch_input(bool watching) noexcept;
  void end_of_grace() noexcept;
  void give_up() noexcept;
  void drain() noexcept;
  void discard_while_draining() noexcept;
  void end() noexcept;
  void drop_descriptor() noexcept;
  void cancel_timers() noexcept;
  [[nodiscard]] bool connects() const noexcept { return target_.has_value(); }
  [[nodiscard]] bool keeps_pipe() const noexcept { return connects() && !settings_.immediate; }
  [[nodiscard]] std::uint32_t active_interest() const noexcept;
  [[nodiscard]] properties_ref peer_properties() const;
  void tell_peer(socket_event::kind what);
  void tell_loss(socket_event::kind what) noexcept;
  void prepare_to_tell();
  void report(int event, int value) noexcept { monitor_->emit(event, value, settings_.endpoint); }
  void report_failed_handshake() noexcept;

  io_thread& io_;
  activity::token counted_;
  std::shared_ptr<inbox> socket_;
  std::shared_ptr<slk::monitor> monitor_;
  const session_settings settings_;
  std::optional<address> target_;  // what to connect to; none on the accepting side
  const slk::scheme scheme_;

  state state_ = state::idle;
  unique_fd fd_;
  std::shared_ptr<stream_pipe> pipe_;
  std::optional<handshake> handshake_;
  authenticator& authenticator_;
  std::shared_ptr<inquiry> inquiry_;  // under way
  verdict verdict_;                   // on this connection's peer
  socket_events untold_losses_;       // made beforehand: losses are told without fail
  std::vector<std::uint8_t> early_;   // bytes behind the peer's READY
  reconnect_backoff backoff_;
  timer retry_timer_{io_.timers(), [this] { connect(); }};
  timer handshake_timer_{io_.timers(), [this] { connection_failed(ETIMEDOUT); }};
  timer linger_timer_{io_.timers(), [this] { end(); }};
  timer drain_timer_{io_.timers(), [this] { discard_while_draining(); }};
  timer silence_timer_{io_.timers(), [this] { watch_silence(); }};
  timer grace_timer_{io_.timers(), [this] { end_of_grace(); }};
  heartbeat heartbeat_{io_.timers(), settings_.heartbeat, [this] { connection_lost(); }};
  std::uint32_t reads_seen_ = 0;  // of the application, when it was last looked at
  std::uint64_t silence_ms_ = 0;  // how long until it is looked at again
  bool watching_input_ = false;   // the application is silent: EPOLLIN is ours to see, once
  bool awaiting_room_ = false;    // the pipe waits for EPOLLOUT
  bool closing_ = false;
  bool notify_ = false;
};

}  // namespace slk
