// Models the credit of slk::stream_pipe: the counts of slk::stream_writer (publish_count,
// flush_locked: published_messages_, flushed_messages_), and an application that finds no room and
// sleeps until the I/O thread says that something has been sent (find_room, room_changed).
//
// The application does not wait for the descriptor, as where more pipes are full than it waits for:
// only the I/O thread can wake it. That thread flushes on patrol, when the kernel has room again,
// and, once, to answer a PING, of which it tells nobody.

#include "checks.hpp"
#include "signaler_steps.hpp"

namespace slk::model {
namespace {

constexpr word messages = 3;
constexpr word send_mark = 2;

enum variable : word {
  published,           // the ring
  published_messages,  // the count beside it
  flushed_messages,
  position,  // the ring's consumer's, guarded by lock
  lock,
  armed,
  sleeping,
  event,
  room,  // in the kernel's buffer
  sent,  // what the kernel has taken
  room_wanted,
};

enum local : word { due, done, at, covered, outcome, idle, pings, waiting };

constexpr signal_words signal{sleeping, event, due};

enum outcomes : word { complete, blocked };

// stream_writer::flush_locked() and the release of its lock.
program flush_locked() {
  return {
      {"look at the count",
       [](cpu& c) {
         c.local(outcome) = complete;
         c.local(idle) = 1;
         c.local(covered) = c.load(published_messages);
       }},
      {"take the position", [](cpu& c) { c.local(at) = c.load(position); }},
      {"look at the ring",
       [](cpu& c) {
         if (c.load(published) == c.local(at)) {
           c.go("count what is flushed");
         }
       }},
      {"send",
       [](cpu& c) {
         c.local(idle) = 0;
         if (c.direct(room) == 0) {
           c.local(outcome) = blocked;
           c.go("keep the position");
           return;
         }
         --c.direct(room);
         ++c.direct(sent);
         ++c.local(at);
         c.back("look at the ring");
       }},
      {"count what is flushed",
       [](cpu& c) { c.store(flushed_messages, c.local(covered), order::release); }},
      {"keep the position", [](cpu& c) { c.store(position, c.local(at), order::relaxed); }},
      {"unlock", [](cpu& c) { c.unlock(lock); }},
  };
}

// stream_pipe::find_room(): goes to `found` if there is some.
program find_room(std::string_view found) {
  return join({
      {{"look at the credit",
        [found](cpu& c) {
          if (c.local(done) < c.load(flushed_messages) + send_mark) {
            c.go(found);
          }
        }},
       {"try the lock",
        [](cpu& c) {
          if (c.exchange(lock, 1, order::acquire) != 0) {
            c.go("want room");
          }
        }}},
      flush_locked(),
      {{"look at the credit again",
        [found](cpu& c) {
          if (c.local(outcome) == complete &&
              c.local(done) < c.load(flushed_messages) + send_mark) {
            c.go(found);
          }
        }},
       {"want room", [](cpu& c) { c.store(room_wanted, 1, order::relaxed); }}},
  });
}

// socket::send_frame() and wait().
program application() {
  return join({
      {{"look for room",
        [](cpu& c) {
          if (c.local(done) == messages) {
            c.end();
          }
        }}},
      find_room("found room"),
      {{"arm", [](cpu& c) { c.exchange(armed, 1, order::acq_rel); }}},
      prepare_sleep(signal, fence_kind::seq_cst),
      find_room("finish sleep"),
      sleep(signal),
      {{"slept", [](cpu& c) { c.back("look for room"); }},
       {"found room", [](cpu& c) { c.store(room_wanted, 0, order::relaxed); }},
       {"publish", [](cpu& c) { c.store(published, ++c.local(done), order::release); }},
       {"count", [](cpu& c) { c.store(published_messages, c.local(done), order::release); }},
       {"next", [](cpu& c) { c.back("look for room"); }}},
  });
}

program wait_and_flush() {
  return join({{{"lock", [](cpu& c) { c.lock(lock); }}}, flush_locked()});
}

program room_changed() {
  return wake_if_sleeping(signal, fence_kind::seq_cst);
}

// io_thread::wait_and_dispatch(), the list of armed pipes reduced to the flag.
program wait_for_events() {
  return {
      {"wait",
       [](cpu& c) {
         const bool patrols = c.direct(armed) != 0 && c.local(waiting) == 0;
         const bool writable = c.local(waiting) != 0 && c.direct(room) != 0;
         switch (c.choose(3)) {
           case 0:
             return patrols ? c.go("patrol") : c.block();
           case 1:
             return writable ? c.go("writable") : c.block();
           default:
             return c.local(pings)++ == 0 ? c.go("ping") : c.block();
         }
       }},
  };
}

// stream_pipe::on_patrol().
program patrol() {
  return join({
      {{"patrol",
        [](cpu& c) {
          if (c.exchange(lock, 1, order::acquire) != 0) {
            c.back("wait");
          }
        }},
       {"anything in the ring: position", [](cpu& c) { c.local(at) = c.load(position); }},
       {"anything in the ring",
        [](cpu& c) {
          if (c.load(published) != c.local(at)) {
            c.go("look at the count");
          }
        }},
       {"unlock the idle ring", [](cpu& c) { c.unlock(lock); }},
       {"disarm", [](cpu& c) { c.go("disarm"); }}},
      flush_locked(),
      {{"flushed on patrol",
        [](cpu& c) {
          if (c.local(outcome) == blocked) {
            c.local(waiting) = 1;
            c.back("wait");
          }
        }}},
      room_changed(),
      {{"patrolled", [](cpu& c) { c.back("wait"); }},
       {"disarm", [](cpu& c) { c.exchange(armed, 0, order::acq_rel); }},
       {"heavy fence", [](cpu& c) { c.heavy_fence(); }},
       {"last lock", [](cpu& c) { c.lock(lock); }},
       {"last position", [](cpu& c) { c.local(at) = c.load(position); }},
       {"last look",
        [](cpu& c) { c.local(idle) = c.load(published) == c.local(at) ? word{1} : word{0}; }},
       {"last unlock", [](cpu& c) { c.unlock(lock); }},
       {"arm again",
        [](cpu& c) {
          if (c.local(idle) == 0) {
            c.exchange(armed, 1, order::acq_rel);
            c.back("wait");
          }
        }},
       {"is room wanted",
        [](cpu& c) {
          if (c.load(room_wanted) == 0) {
            c.back("wait");
          }
        }}},
      room_changed(),
      {{"disarmed", [](cpu& c) { c.back("wait"); }}},
  });
}

program io_thread() {
  return join({
      wait_for_events(),
      patrol(),
      {{"writable", {}}},
      wait_and_flush(),
      {{"flushed when writable", [](cpu& c) { c.local(waiting) = c.local(outcome); }}},
      room_changed(),
      {{"written", [](cpu& c) { c.back("wait"); }}, {"ping", {}}},
      wait_and_flush(),
      {{"answered",
        [](cpu& c) {
          if (c.local(outcome) == blocked) {
            c.local(waiting) = 1;
            c.exchange(armed, 1, order::acq_rel);
          }
        }},
       {"turn", [](cpu& c) { c.back("wait"); }}},
  });
}

model stream() {
  model made;
  made.variables = {"published",
                    "published_messages",
                    "flushed_messages",
                    "position",
                    "lock",
                    "armed",
                    "sleeping",
                    "event",
                    "room",
                    "sent",
                    "room_wanted"};
  made.threads = {
      {"application", application()},
      {"I/O thread", io_thread(), true},
      {"peer",
       {{"read",
         [](cpu& c) {
           if (c.direct(room) != 0) {
             c.block();
           }
           c.direct(room) = 1;
           c.again();
         }}},
       true},
  };
  made.initial[room] = 1;
  made.invariant = [](const state& now) -> std::string {
    return now.memory[flushed_messages] > now.memory[sent] ? "credit for what is not sent" : "";
  };
  return made;
}

constexpr std::string_view sleeps = "application waits for ever at: sleep";

}  // namespace

TEST_CASE("stream room: the application is woken when there is room, and not given too much") {
  check_holds(stream());
}

TEST_CASE("stream room: the count is read before the ring, and published behind it") {
  const model made = stream();
  check_breaks(
      made.with("application", "publish",
                [](cpu& c) { c.store(published_messages, ++c.local(done), order::release); })
          .with("application", "count",
                [](cpu& c) { c.store(published, c.local(done), order::release); }),
      machine::x86, "credit for");
  check_breaks(
      made.with("application", "publish",
                [](cpu& c) { c.store(published, ++c.local(done), order::relaxed); })
          .with("application", "count",
                [](cpu& c) { c.store(published_messages, c.local(done), order::relaxed); }),
      machine::weak, "credit for");
  check_breaks(made.with("I/O thread", "count what is flushed",
                         [](cpu& c) { c.store(flushed_messages, c.local(at), order::release); })
                   .with("I/O thread", "send",
                         [](cpu& c) {
                           ++c.local(at);
                           c.back("look at the ring");
                         }),
               machine::x86, "credit for");
}

TEST_CASE("stream room: the patrol tells of it where nobody else did") {
  const model made = stream();
  // The patrol that finds nothing to send may have held the lock that the application tried last.
  const model untold = made.with("I/O thread", "is room wanted", [](cpu& c) { c.back("wait"); });
  check_breaks(untold, machine::x86, sleeps);
  check_breaks(made.without("application", "arm"), machine::x86, sleeps);
  check_breaks(made.without("application", "fence"), machine::weak, sleeps);
}

}  // namespace slk::model
