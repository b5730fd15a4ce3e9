// socket: what all socket types share: waiting, options, endpoints, the life of pipes. A type adds
// its routing policy (route, fetch and the hooks), from fair_queue, load_balancer and peer_table.
//
// Thread safety: one thread at a time. Other threads reach a socket through its inbox only.
//
// Results of the calls: 0 or more is success, a negative number is -errno.

#pragma once

#include <poll.h>
#include <serverlink/serverlink.h>

#include <climits>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/cache_line.hpp"
#include "base/copy_bytes.hpp"
#include "io/ready_set.hpp"
#include "io/wait.hpp"
#include "message/message.hpp"
#include "pipe/inbox.hpp"
#include "pipe/inproc_pipe.hpp"
#include "pipe/pipe.hpp"
#include "session/listener.hpp"
#include "session/monitor.hpp"
#include "session/session.hpp"
#include "socket/context.hpp"
#include "socket/fair_queue.hpp"
#include "socket/flush_policy.hpp"
#include "socket/load_balancer.hpp"
#include "socket/options.hpp"
#include "socket/short_way.hpp"
#include "socket/spin_budget.hpp"

namespace slk {

// On cache lines of its own: two sockets made one after the other are used by two threads, which
// write at each message (measured: 1.4 times the rate of 64 bytes over tcp between two ROUTERs).
class alignas(cache_line_bytes) socket {
 public:
  // nullptr and an errno: EINVAL (no such type), ETERM, EMFILE. Throws where descriptors are out.
  static std::unique_ptr<socket> create(context& home, int type, int& error);
  virtual ~socket();
  socket(const socket&) = delete;
  socket& operator=(const socket&) = delete;

  [[nodiscard]] long send(const void* data, std::size_t size_bytes, int flags) {
    const int error = send_frame(static_cast<const std::uint8_t*>(data), size_bytes, flags);
    if (error == 0) [[likely]] {
      return static_cast<long>(size_bytes);
    }
    return -error;
  }
  // -- the calls of small messages that flow, without a call in them: see short_way

  // REQUIRES: light_fence_is_free().
  template <std::size_t BytesMax>
  [[nodiscard]] short_way::outcome send_short(const void* data, std::size_t size_bytes,
                                              int flags) noexcept {
    if (inbox_->has_events()) [[unlikely]] {
      return short_way::outcome::refused;
    }
    return short_.send<BytesMax>(static_cast<const std::uint8_t*>(data), size_bytes,
                                 (flags & SLK_SNDMORE) != 0);
  }
  // What send_short() left `untold`.
  void tell_of_short() noexcept;
  // The frame's size; -1: refused, receive() it.
  template <std::size_t BytesMax>
  [[nodiscard]] int receive_short(void* buffer, std::size_t capacity_bytes) noexcept {
    frame_view frame;
    if (!fetch_short(frame, capacity_bytes < BytesMax ? capacity_bytes : BytesMax)) [[unlikely]] {
      return -1;
    }
    copy_at_most<BytesMax>(static_cast<std::uint8_t*>(buffer), frame.data, frame.size_bytes);
    return static_cast<int>(frame.size_bytes);
  }

  // A ROUTER's naming frame and the next frame, or neither. -ENOTSUP, -EFSM, as send().
  [[nodiscard]] long send_to(std::string_view routing_id, const void* data, std::size_t size_bytes,
                             int flags);
  // The parts of one message, at least one; how many. A failure leaves those in front as send().
  [[nodiscard]] long send(std::span<const slk_part_t> parts, int flags) {
    const std::size_t last = parts.size() - 1;
    for (std::size_t i = 0; i <= last; ++i) {
      const auto* data = static_cast<const std::uint8_t*>(parts[i].data);
      const int error = send_frame(data, parts[i].size, i < last ? flags | SLK_SNDMORE : flags);
      if (error != 0) [[unlikely]] {
        return -error;
      }
    }
    return static_cast<long>(parts.size());
  }
  // On success the message is empty, on failure untouched.
  [[nodiscard]] long send(message& from, int flags);
  // The frame's size, which may exceed the capacity: the rest is cut off.
  [[nodiscard]] long receive(void* buffer, std::size_t capacity_bytes, int flags) {
    frame_view frame;
    pipe* from = nullptr;
    if (const int error = fetch_or_wait(frame, from, flags); error != 0) {
      return -error;
    }
    copy_shared_bytes(static_cast<std::uint8_t*>(buffer), frame.data,
                      frame.size_bytes < capacity_bytes ? frame.size_bytes : capacity_bytes);
    return static_cast<long>(frame.size_bytes);
  }
  // Into memory of the frame's size that `allocate` gives. -ENOMEM: it gave none, the frame is
  // lost.
  [[nodiscard]] long receive(slk_alloc_fn* allocate, void* hint, int flags) {
    frame_view frame;
    pipe* from = nullptr;
    if (const int error = fetch_or_wait(frame, from, flags); error != 0) {
      return -error;
    }
    void* const into = allocate(frame.size_bytes, frame.more ? 1 : 0, hint);
    if (into == nullptr) {
      return -ENOMEM;
    }
    copy_shared_bytes(static_cast<std::uint8_t*>(into), frame.data, frame.size_bytes);
    return static_cast<long>(frame.size_bytes);
  }
  [[nodiscard]] long receive(message& into, int flags);
  // A part, and those behind it that are there, until `take` answers 0; how many.
  [[nodiscard]] long receive_each(slk_take_fn* take, void* hint, int flags) {
    frame_view frame;
    pipe* from = nullptr;
    if (const int error = fetch_or_wait(frame, from, flags); error != 0) {
      return -error;
    }
    int count = 1;
    while (take(frame.data, frame.size_bytes, frame.more ? 1 : 0, hint) != 0 && count < INT_MAX &&
           (fetch_short(frame, short_frame_body_bytes_max) || fetch_next(frame, from))) {
      ++count;
    }
    return count;
  }

  [[nodiscard]] int bind(std::string_view endpoint);
  [[nodiscard]] int unbind(std::string_view endpoint);
  [[nodiscard]] int connect(std::string_view endpoint);
  [[nodiscard]] int disconnect(std::string_view endpoint);

  [[nodiscard]] int set_option(int option, const void* value, std::size_t size_bytes);
  [[nodiscard]] int get_option(int option, void* value, std::size_t* size_bytes);

  // Tells the chosen events to a PAIR at an inproc endpoint from now on; nullptr: no more.
  [[nodiscard]] int monitor(const char* name, int events);

  // Takes back the frames of the message that is being sent.
  virtual void cancel_message() noexcept {}

  // A ROUTER knows a peer of this name; -ENOTSUP for other types.
  [[nodiscard]] virtual int is_connected(std::string_view routing_id);

  // Lets go of everything; what is unsent lingers in the background.
  void close() noexcept;
  // By any thread: the call under way on another one ends, with ENOTSOCK if it has to wait.
  void interrupt() noexcept { inbox_->stop(ENOTSOCK); }

  // -- for a poll over several sockets
  // --------------------------------------------------------------

  // SLK_POLLIN and SLK_POLLOUT as they hold now, of those asked for; -ETERM.
  [[nodiscard]] int ready_events(int wanted);
  // Announces that the caller will wait on wait_fd(), unless wait_is_over() says that something of
  // what is wanted has come already. Ended by the next call of any other kind.
  void prepare_wait() noexcept;
  [[nodiscard]] bool wait_is_over(int wanted) noexcept;
  // The poll is over, and has taken what wait_fd() told. Others may be waiting for that: see
  // fd_kept.
  void end_poll() noexcept {
    if (fd_given_out_) {
      settle_fd();
    }
  }
  // Only until the next call of another kind: one descriptor less to be woken through, where no
  // pipe has its own.
  [[nodiscard]] int wait_fd() const noexcept {
    return has_streams() ? ready_.fd() : inbox_->signal().fd();
  }

 protected:
  socket(context& home, socket_type type);

  // -- the type's policy
  // ------------------------------------------------------------------------------

  // Takes a frame on its way: 0, EAGAIN (no room now), EHOSTUNREACH, ENOTSUP, ENOMEM.
  virtual int route(const std::uint8_t* data, std::size_t size_bytes, bool more) noexcept = 0;
  // The next frame, and the pipe it came from: 0, EAGAIN, ENOTSUP.
  virtual int fetch(frame_view& frame, pipe*& from) noexcept = 0;
  [[nodiscard]] virtual bool can_send() noexcept = 0;
  [[nodiscard]] virtual bool can_receive() noexcept = 0;
  // A send that found no room may find it now.
  [[nodiscard]] virtual bool can_resume_send() noexcept { return can_send(); }
  // Whether a message that names its peer may begin: 0, EFSM or ENOTSUP.
  [[nodiscard]] virtual int may_name_peer() const noexcept { return ENOTSUP; }
  // A pipe has come. known: the peer is there, and its routing id is pipe.routing_id; else
  // peer_known() follows, once or at every reconnect.
  virtual void pipe_added(pipe& fresh, bool known) = 0;
  virtual void peer_known(pipe&, std::string&& /*routing_id*/) {}
  // Nothing more can be sent on this pipe; what it holds may still be received.
  virtual void pipe_ended(pipe& ended) noexcept = 0;
  // The pipe goes now.
  virtual void pipe_removed(pipe& gone) noexcept = 0;
  // Calls add_wait_fd() for the pipes whose room a blocked send waits for.
  virtual void each_blocked_pipe() noexcept {}
  // Before the next connect() creates a pipe: 0 or an errno.
  [[nodiscard]] virtual int connecting(std::string& /*routing_id*/) { return 0; }

  // -- services for it
  // --------------------------------------------------------------------------------

  [[nodiscard]] int write_to(pipe& target, const std::uint8_t* data, std::size_t size_bytes,
                             bool more) noexcept {
    // Each kind by its name, so that neither write is a virtual call.
    int error = 0;
    if (target.is_stream()) {
      auto& stream = static_cast<stream_pipe&>(target);
      const bool large = size_bytes >= stream_pipe::direct_frame_bytes_min;
      const std::uint64_t came_ticks = large ? flush_.large_frame_comes(stream) : 0;
      error = stream.write(data, size_bytes, more);
      if (error == 0 && !more) [[likely]] {
        flush_.message_published(stream, came_ticks);
      }
    } else {
      error = static_cast<inproc_pipe&>(target).write(data, size_bytes, more);
    }
    if (error == 0 && !more && target.runs_ahead()) [[unlikely]] {
      running_ahead_ = &target;
    }
    return error;
  }
  // fetch() for a type that adds nothing.
  [[nodiscard]] int fetch_in_turn(frame_view& frame, pipe*& from) noexcept {
    from = queue_.take(frame);
    if (from == nullptr) {
      return EAGAIN;
    }
    if (frame.more) [[unlikely]] {
      short_.leads_from_nobody();
    } else if (queue_.has_only_one()) {
      short_.leads_from(*from);
    } else {
      short_.leads_from_many();
    }
    return 0;
  }
  // route() for a type that deals its messages in turn.
  [[nodiscard]] int route_balanced(load_balancer& peers, const std::uint8_t* data,
                                   std::size_t size_bytes, bool more) noexcept {
    if (peers.dropping()) [[unlikely]] {
      peers.frame_dropped(more);
      return 0;
    }
    pipe* target = peers.find();
    if (target == nullptr) [[unlikely]] {
      return EAGAIN;
    }
    const int error = write_to(*target, data, size_bytes, more);
    if (error == 0) [[likely]] {
      peers.frame_written(more);
      if (!more && peers.pipes().size() == 1) {
        short_.leads_to(*target);
      } else {
        short_.leads_nowhere();
      }
    }
    return error;
  }
  void add_wait_fd(pipe& blocked) noexcept;
  // The rest of the message that is being received is gone.
  void message_cut() noexcept { receive_more_ = false; }
  // Ends the connection of a pipe that another has taken the place of.
  void drop_connection(pipe& replaced);

  // Stands in calls that neither send nor receive. Behind such a call the descriptor of FD, once it
  // was given out, is readable, or will be with the next event that EVENTS would tell: its holder
  // asks EVENTS when he is told to, and cannot know which calls have looked at the socket.
  //
  // What raised the descriptor stays until EVENTS is read. Only calls that find or fetch messages
  // take it back as well, since their caller looks for himself: a receive, and a send that is
  // answered EAGAIN. A send that succeeds leaves the descriptor alone.
  class fd_kept {
   public:
    // looks_only: the call changes nothing that EVENTS tells.
    explicit fd_kept(socket& of, bool looks_only) noexcept : of_(of), looks_only_(looks_only) {}
    ~fd_kept() {
      if (of_.fd_given_out_ && !(looks_only_ && of_.signal_armed_)) {
        of_.settle_fd();
      }
    }
    fd_kept(const fd_kept&) = delete;
    fd_kept& operator=(const fd_kept&) = delete;

   private:
    socket& of_;
    const bool looks_only_;
  };

  socket_options options_;
  // Each call that is not short forgets it where it changes pipes, or has others told of a sleep.
  short_way short_;
  const slk::socket_type type_;
  const std::shared_ptr<inbox> inbox_ = std::make_shared<inbox>();
  const std::shared_ptr<slk::monitor> monitor_ = std::make_shared<slk::monitor>();
  ready_set ready_{inbox_->signal().fd()};
  fair_queue queue_{ready_};

 private:
  // To close a listener or a session, without fail.
  struct close_request : io_command {
    int linger_ms = 0;
    bool notify = false;
  };
  template <class Target>
  static std::unique_ptr<close_request> request_to_close(std::shared_ptr<Target> target);

  struct endpoint {
    enum class kind : std::uint8_t { bound, connected, inproc_bound, inproc_connected };
    kind what;
    std::string name;
    io_thread* io = nullptr;
    std::unique_ptr<close_request> closing;  // of its listener or session; made with it
    std::weak_ptr<slk::pipe> pipe;
  };

  // Nothing is to be done before a call's own work.
  [[nodiscard]] bool quiet() const noexcept { return !signal_armed_ && !inbox_->has_events(); }
  // What a call begins with: 0, ETERM, or ENOTSOCK after interrupt().
  [[nodiscard]] int enter() {
    if (signal_armed_ && !fd_given_out_) [[unlikely]] {  // else see fd_kept
      disarm();
    }
    return inbox_->has_events() ? process_events() : 0;
  }
  // The inverse of prepare_wait().
  void disarm() noexcept {
    signal_armed_ = false;
    fd_due_ = inbox_->signal().finish_sleep() || fd_due_;
  }
  void disarm_to_receive() noexcept;
  // In an announced wait: can_send(), or whoever makes room ends the wait.
  [[nodiscard]] bool can_send_or_awaits_room() noexcept;
  void settle_fd() noexcept;
  [[nodiscard]] bool has_streams() const noexcept { return pipes_.size() > inproc_pipes_; }
  int process_events();
  void handle(socket_event& event);
  void attach(socket_event& event);
  void detach(pipe& gone) noexcept;
  void reap_ended() noexcept;
  void remove_pipe(pipe& gone) noexcept;
  void add_pipe(std::shared_ptr<pipe> fresh, bool known);

  enum class direction : std::uint8_t { input, output };
  // What a call that found nothing does: 0: look again; EAGAIN, EINTR.
  int wait(direction what, int flags, int timeout_ms, deadline& until, bool& waited) noexcept;
  [[nodiscard]] bool spin(direction what) noexcept;
  [[nodiscard]] bool ready(direction what) noexcept {
    return inbox_->has_events() || (what == direction::input ? can_receive() : can_resume_send());
  }
  // The usual case here, all that may take time behind a call: it runs once per message.
  [[nodiscard]] int fetch_or_wait(frame_view& frame, pipe*& from, int flags) {
    if (quiet()) [[likely]] {
      const int error = fetch(frame, from);
      if (error == 0) [[likely]] {
        receive_more_ = frame.more;
        return 0;
      }
      return error == EAGAIN ? wait_to_fetch(frame, from, flags) : error;
    }
    return enter_to_fetch(frame, from, flags);
  }
  // The next frame, if it is a short one on a short way.
  [[nodiscard]] bool fetch_short(frame_view& frame, std::size_t bytes_max) noexcept {
    if (inbox_->has_events() || !(short_.receive(frame, bytes_max) ||
                                  short_.receive_in_turn(queue_, frame, bytes_max))) [[unlikely]] {
      return false;
    }
    receive_more_ = frame.more;
    return true;
  }
  // The frame behind one that was fetched, if it is there. What is wrong is told by the next call.
  [[nodiscard]] bool fetch_next(frame_view& frame, pipe*& from) noexcept {
    if (frame.more && fetch(frame, from) == 0) {  // nothing comes between the parts of a message
      receive_more_ = frame.more;
      return true;
    }
    try {
      return fetch_or_wait(frame, from, SLK_DONTWAIT) == 0;
    } catch (...) {
      return false;
    }
  }
  [[nodiscard]] int enter_to_fetch(frame_view& frame, pipe*& from, int flags);
  [[nodiscard]] int wait_to_fetch(frame_view& frame, pipe*& from, int flags);
  [[nodiscard]] int send_frame(const std::uint8_t* data, std::size_t size_bytes, int flags) {
    if (quiet()) [[likely]] {
      const int error = route(data, size_bytes, (flags & SLK_SNDMORE) != 0);
      if (running_ahead_ != nullptr) [[unlikely]] {
        pause_for(*running_ahead_, flags);
      }
      return error == EAGAIN ? wait_to_send(data, size_bytes, flags) : error;
    }
    return enter_to_send(data, size_bytes, flags);
  }
  [[nodiscard]] int enter_to_send(const std::uint8_t* data, std::size_t size_bytes, int flags);
  // The message is on its way; lets a reader that is far behind catch up for a moment.
  void pause_for(pipe& ahead, int flags) noexcept;
  [[nodiscard]] int wait_to_send(const std::uint8_t* data, std::size_t size_bytes, int flags);
  [[nodiscard]] bool found_after_all(direction what) noexcept;

  [[nodiscard]] int bind_stream(const address& where);
  [[nodiscard]] int bind_inproc(const address& where);
  [[nodiscard]] int connect_stream(address where);
  [[nodiscard]] int connect_inproc(const address& where);
  [[nodiscard]] inproc_registry::party as_party() const;
  [[nodiscard]] session::place place_on(io_thread& io) const {
    return {io, context_.counted(), inbox_, monitor_, context_.authenticator()};
  }
  void let_go(endpoint& one, bool notify) noexcept;
  [[nodiscard]] int get_special_option(int option, void* value, std::size_t* size_bytes);
  [[nodiscard]] int events_for_fd() noexcept;

  static constexpr std::size_t wait_fds_max = 8;

  context& context_;
  activity::token counted_;
  flush_policy flush_;
  spin_budget spin_;
  std::unordered_map<pipe*, std::shared_ptr<pipe>> pipes_;
  std::size_t inproc_pipes_ = 0;  // of these; their peers wake this socket with every message
  std::vector<endpoint> endpoints_;
  std::string last_endpoint_;
  std::vector<pollfd> wait_fds_;
  pipe* running_ahead_ = nullptr;  // since the last message; see pause_for()
  bool receive_more_ = false;
  bool closed_ = false;
  bool fd_given_out_ = false;
  bool signal_armed_ = false;
  bool fd_due_ = false;  // it was raised, and lowered by another call than its holder's EVENTS
  // A send of the descriptor's holder was: he is told of room, even where EVENTS always says that
  // there is some (ROUTER).
  bool room_was_refused_ = false;
  // What the holder of the descriptor knows of, by EVENTS or since it was raised for it.
  bool told_of_input_ = false;
  bool told_of_output_ = false;
};

}  // namespace slk
