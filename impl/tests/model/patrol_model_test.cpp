// Models the patrol of slk::stream_pipe (impl/src/pipe/stream_pipe*.cpp: arm, patrol_watches,
// on_patrol, wait_until_writable, end_waiting, open, close), with the list of slk::io_thread
// (impl/src/io/io_thread.cpp: arm, patrol, wait_and_dispatch) and the lock of slk::stream_writer.
//
// An application publishes two messages, and never comes back. Whatever it has left to the patrol
// goes out: through a kernel that takes one message at a time, over a connection that is not there
// yet, and one that dies once.

#include "checks.hpp"

namespace slk::model {
namespace {

constexpr word messages = 2;

enum variable : word {
  published,    // the ring
  position,     // its consumer's, guarded by lock
  is_open,      // fd_ >= 0, guarded by lock
  lock,         // stream_writer's
  armed,        // armed_
  stack,        // armed_stack_ has the pipe
  io_sleeping,  // io_thread::sleeping_
  event,        // io_thread::wakeup_
  room,         // in the kernel's buffer
  sent,         // what the kernel has taken
};

enum local : word {
  count,
  at,        // the position while the lock is held
  outcome,   // of the last flush
  idle,      // it found nothing
  listed,    // on the patrol's list
  waiting,   // waiting_writable_
  parked,    // parked_
  interest,  // the session watches EPOLLOUT
  opened,    // the session has a connection
  deaths,    // that are still to come
  left,      // the last look saw something
};

enum outcomes : word { complete, blocked, no_stream };

// stream_writer::flush_locked() and the release of its lock.
program flush_locked() {
  return {
      {"is it open",
       [](cpu& c) {
         c.local(outcome) = complete;
         c.local(idle) = 1;
         if (c.load(is_open) == 0) {
           c.local(outcome) = no_stream;
           c.go("unlock");
         }
       }},
      {"take the position", [](cpu& c) { c.local(at) = c.load(position); }},
      {"look at the ring",
       [](cpu& c) {
         if (c.load(published) == c.local(at)) {
           c.go("keep the position");
         }
       }},
      {"send",
       [](cpu& c) {
         c.local(idle) = 0;
         if (c.direct(room) == 0) {
           c.local(outcome) = blocked;
           return;
         }
         --c.direct(room);
         ++c.direct(sent);
         ++c.local(at);
         c.back("look at the ring");
       }},
      {"keep the position", [](cpu& c) { c.store(position, c.local(at), order::relaxed); }},
      {"unlock", [](cpu& c) { c.unlock(lock); }},
  };
}

program try_flush(std::string_view busy) {
  return join({{{"try the lock",
                 [busy](cpu& c) {
                   if (c.exchange(lock, 1, order::acquire) != 0) {
                     c.go(busy);
                   }
                 }}},
               flush_locked()});
}

program wait_and_flush() {
  return join({{{"lock", [](cpu& c) { c.lock(lock); }}}, flush_locked()});
}

void push(cpu& c) {
  if (c.exchange(stack, 1, order::seq_cst) != 0) {
    c.fail("listed twice");
  }
}

// socket/flush_policy.cpp, in a burst: leave it to the patrol, or flush, for whatever reason.
program publish_and_flush() {
  return join({
      {{"publish", [](cpu& c) { c.store(published, ++c.local(count), order::release); }},
       {"light fence",
        [](cpu& c) {
          c.light_fence();
          if (c.choose(2) == 1) {
            c.go("try the lock");  // a batch has gathered
          }
        }},
       {"does the patrol watch",
        [](cpu& c) {
          if (c.load(armed) != 0) {
            c.go("next");
          } else if (c.choose(2) == 0) {
            c.go("arm");
          }  // else it was idle: out at once
        }}},
      try_flush("arm"),
      {{"flushed",
        [](cpu& c) {
          if (c.local(outcome) != blocked) {
            c.go("next");
          }
        }},
       {"arm",
        [](cpu& c) {
          if (c.exchange(armed, 1, order::acq_rel) != 0) {
            c.go("next");
          }
        }},
       {"push", push},
       {"does the I/O thread sleep",
        [](cpu& c) {
          if (c.load(io_sleeping) == 0) {
            c.go("next");
          }
        }},
       {"take the wake-up",
        [](cpu& c) {
          if (c.exchange(io_sleeping, 0, order::seq_cst) == 0) {
            c.go("next");
          }
        }},
       {"raise", [](cpu& c) { c.direct(event) = 1; }},
       {"next", {}}},
  });
}

// stream_pipe::open(), with wait_until_writable().
program open_connection() {
  return join({
      {{"lock to open", [](cpu& c) { c.lock(lock); }},
       {"open", [](cpu& c) { c.store(is_open, 1, order::relaxed); }},
       {"unlock open", [](cpu& c) { c.unlock(lock); }}},
      wait_and_flush(),
      {{"opened",
        [](cpu& c) {
          c.local(opened) = 1;
          c.local(waiting) = 0;
          if (c.local(outcome) != blocked) {
            c.go("patrol");
          }
        }},
       {"wait until writable",
        [](cpu& c) {
          c.local(waiting) = c.local(interest) = 1;
          if (c.exchange(armed, 1, order::acq_rel) == 0) {
            c.local(parked) = 1;
          }
        }}},
  });
}

// io_thread::patrol() and stream_pipe::on_patrol().
program patrol() {
  return join({
      {{"patrol", {}},
       {"pop",
        [](cpu& c) {
          if (c.exchange(stack, 0, order::seq_cst) != 0) {
            if (c.local(listed) != 0) {
              c.fail("listed twice");
            }
            c.local(listed) = 1;
          }
          if (c.local(listed) == 0) {
            c.go("patrolled");
          }
        }},
       {"is it waiting",
        [](cpu& c) {
          if (c.local(waiting) != 0) {
            c.local(parked) = 1;
            c.local(listed) = 0;
            c.go("patrolled");
          }
        }}},
      try_flush("patrolled"),
      {{"flushed on patrol",
        [](cpu& c) {
          if (c.local(outcome) == blocked) {
            c.local(waiting) = c.local(parked) = c.local(interest) = 1;
            c.local(listed) = 0;
            c.go("patrolled");
          } else if (c.local(idle) == 0) {
            c.go("patrolled");
          }
        }},
       {"disarm", [](cpu& c) { c.exchange(armed, 0, order::acq_rel); }},
       {"heavy fence", [](cpu& c) { c.heavy_fence(); }},
       {"lock for the last look", [](cpu& c) { c.lock(lock); }},
       {"last look: open", [](cpu& c) { c.local(left) = c.load(is_open); }},
       {"last look: position", [](cpu& c) { c.local(at) = c.load(position); }},
       {"last look: ring",
        [](cpu& c) {
          if (c.load(published) == c.local(at)) {
            c.local(left) = 0;
          }
        }},
       {"unlock the last look", [](cpu& c) { c.unlock(lock); }},
       {"arm again",
        [](cpu& c) {
          if (c.local(left) == 0 || c.exchange(armed, 1, order::acq_rel) != 0) {
            c.local(listed) = 0;
          }
        }},
       {"patrolled", {}}},
  });
}

// io_thread::wait_and_dispatch(): ends in "dispatch".
program wait_for_events() {
  return {
      {"does it sleep",
       [](cpu& c) {
         if (c.local(listed) != 0) {
           c.go("wait");
         }
       }},
      {"set io_sleeping", [](cpu& c) { c.store(io_sleeping, 1, order::seq_cst); }},
      {"look at the stack",
       [](cpu& c) {
         if (c.load(stack) != 0) {
           c.go("awake");
         }
       }},
      {"wait",
       [](cpu& c) {
         const bool writable = c.local(interest) != 0 && c.direct(room) != 0;
         const bool timer = c.local(listed) != 0 || c.local(opened) == 0;
         const bool hang_up = c.local(opened) != 0 && c.local(deaths) != 0;
         if (c.direct(event) == 0 && !writable && !timer && !hang_up) {
           c.block();
         }
       }},
      {"awake", [](cpu& c) { c.store(io_sleeping, 0, order::seq_cst); }},
      {"dispatch",
       [](cpu& c) {
         c.direct(event) = 0;
         if (c.local(opened) == 0) {
           c.back(c.choose(2) == 0 ? "lock to open" : "patrol");
         } else if (c.local(deaths) != 0 && c.choose(2) == 1) {
           --c.local(deaths);
           c.go("lock to close");
         } else if (c.local(interest) == 0 || c.direct(room) == 0) {
           c.back("patrol");
         }
       }},
  };
}

// stream_pipe::writable() and close(), and end_waiting() for both.
program on_events() {
  return join({
      wait_and_flush(),
      {{"flushed when writable",
        [](cpu& c) {
          if (c.local(outcome) == blocked) {
            c.back("patrol");
          } else {
            c.local(interest) = 0;
            c.go("end of waiting");
          }
        }},
       {"lock to close", [](cpu& c) { c.lock(lock); }},
       {"close", [](cpu& c) { c.store(is_open, 0, order::relaxed); }},
       {"unlock closed",
        [](cpu& c) {
          c.unlock(lock);
          c.local(opened) = c.local(interest) = 0;
        }},
       {"end of waiting",
        [](cpu& c) {
          c.local(waiting) = 0;
          if (c.local(parked) == 0) {
            c.back("patrol");
          }
        }},
       {"push back",
        [](cpu& c) {
          c.local(parked) = 0;
          push(c);
        }},
       {"turn", [](cpu& c) { c.back("patrol"); }}},
  });
}

model patrolled_pipe(word deaths_to_come) {
  model made;
  made.variables = {"published", "position",    "open",  "lock", "armed",
                    "stack",     "io_sleeping", "event", "room", "sent"};
  made.threads = {
      {"application", join({publish_and_flush(), publish_and_flush()})},
      {"I/O thread",
       join({{{"start", [=](cpu& c) { c.local(deaths) = deaths_to_come; }},
              {"early patrol", [](cpu& c) { c.go(c.choose(2) == 0 ? "patrol" : "lock to open"); }}},
             open_connection(),
             patrol(),
             wait_for_events(),
             on_events()}),
       true},
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
  made.final = [](const state& now) -> std::string {
    if (now.memory[sent] != messages) {
      return "published, and never sent";
    }
    return now.memory[armed] == 0 ? "" : "armed, and nobody looks after it";
  };
  return made;
}

constexpr std::string_view unsent = "published, and never sent";
constexpr std::string_view twice = "listed twice";
constexpr std::string_view orphaned = "armed, and nobody looks after it";

}  // namespace

TEST_CASE("patrol: nothing published stays unflushed, no pipe is listed twice") {
  check_holds(patrolled_pipe(1));
}

TEST_CASE("patrol: disarms with a heavy fence and a last look") {
  const model made = patrolled_pipe(0);
  check_breaks(made.with("I/O thread", "heavy fence", [](cpu& c) { c.fence(); }), machine::x86,
               unsent);
  check_breaks(made.with("I/O thread", "arm again", [](cpu& c) { c.local(listed) = 0; }),
               machine::x86, unsent);
  check_breaks(made.swapped("I/O thread", "disarm", "last look: ring"), machine::x86, unsent);
}

TEST_CASE("patrol: who arms a pipe is told by an exchange") {
  const model made = patrolled_pipe(0);
  check_breaks(made.with("application", "arm", [](cpu& c) { c.store(armed, 1, order::release); }),
               machine::x86, twice);
}

TEST_CASE("patrol: a pipe that waits for room is parked, if nobody else has armed it") {
  const model made = patrolled_pipe(0);
  const auto always_parked = [](cpu& c) {
    c.local(waiting) = c.local(interest) = c.local(parked) = 1;
    c.exchange(armed, 1, order::acq_rel);
  };
  check_breaks(made.with("I/O thread", "wait until writable", always_parked), machine::x86, twice);
  const auto never_parked = [](cpu& c) {
    c.local(waiting) = c.local(interest) = 1;
    c.exchange(armed, 1, order::acq_rel);
  };
  check_breaks(made.with("I/O thread", "wait until writable", never_parked), machine::x86,
               orphaned);
  const auto forgotten = [](cpu& c) {
    if (c.local(waiting) != 0) {
      c.local(listed) = 0;
      c.go("patrolled");
    }
  };
  check_breaks(made.with("I/O thread", "is it waiting", forgotten), machine::x86, orphaned);
  check_breaks(made.with("I/O thread", "push back", [](cpu& c) { c.local(parked) = 0; }),
               machine::x86, orphaned);
}

TEST_CASE("patrol: the I/O thread looks at the stack after it says that it sleeps") {
  const model made = patrolled_pipe(0);
  check_breaks(made.swapped("I/O thread", "set io_sleeping", "look at the stack"), machine::x86,
               unsent);
  check_breaks(made.with("I/O thread", "set io_sleeping",
                         [](cpu& c) { c.store(io_sleeping, 1, order::release); }),
               machine::x86, unsent);
}

// session::watch_silence() once dropped EPOLLOUT from what it watched.
TEST_CASE("patrol: a wait for room outlives other changes of what the session watches") {
  const auto forgets = [](cpu& c) {
    if (c.choose(2) == 1) {
      c.local(interest) = 0;
    }
    if (c.local(listed) != 0) {
      c.go("wait");
    }
  };
  check_breaks(patrolled_pipe(0).with("I/O thread", "does it sleep", forgets), machine::x86,
               unsent);
}

}  // namespace slk::model
