// Models the end of an inproc connection (impl/src/pipe/inproc_pipe.cpp: join, leave; inbox.cpp:
// post, take; socket/socket*.cpp: enter, fetch_or_wait, reap_ended): what was published before the
// close is received before the end is seen, no event is lost, the end is told once, and nobody
// wakes a socket that has gone.

#include "checks.hpp"
#include "signaler_steps.hpp"

namespace slk::model {
namespace {

constexpr word messages = 2;
constexpr word ended = 1;      // events, as bits
constexpr word connected = 2;  // stands for whatever another thread has to tell

enum variable : word { published, mutex, events, pending, sleeping, event };
enum local : word { due, seen, got, told };

constexpr signal_words signal{sleeping, event, due};

program publish(word message) {
  return join({
      {{"publish", [=](cpu& c) { c.store(published, message, order::release); }}},
      wake_if_sleeping(signal, fence_kind::light),
  });
}

// inbox::post().
program post(word what) {
  return join({
      {{"lock the inbox", [](cpu& c) { c.lock(mutex); }},
       {"look at the events", [](cpu& c) { c.local(got) = c.load(events); }},
       {"push",
        [=](cpu& c) { c.store(events, static_cast<word>(c.local(got) | what), order::relaxed); }},
       {"set pending", [](cpu& c) { c.store(pending, 1, order::release); }},
       {"unlock the inbox", [](cpu& c) { c.unlock(mutex); }}},
      wake_if_sleeping(signal, fence_kind::seq_cst),
  });
}

program receiver() {
  return join({
      {{"has events",
        [](cpu& c) {
          if (c.load(pending) == 0) {
            c.go("fetch");
          }
        }},
       {"lock the inbox", [](cpu& c) { c.lock(mutex); }},
       {"take", [](cpu& c) { c.local(got) = c.load(events); }},
       {"leave none", [](cpu& c) { c.store(events, 0, order::relaxed); }},
       {"clear pending", [](cpu& c) { c.store(pending, 0, order::relaxed); }},
       {"unlock the inbox", [](cpu& c) { c.unlock(mutex); }},
       {"handle",
        [](cpu& c) {
          if ((c.local(told) & c.local(got)) != 0) {
            c.fail("told twice");
          }
          c.local(told) = static_cast<word>(c.local(told) | c.local(got));
          c.local(got) = 0;
        }},
       {"fetch",
        [](cpu& c) {
          if (c.load(published) > c.local(seen)) {
            ++c.local(seen);
            c.back("has events");
          }
        }},
       {"reap",
        [](cpu& c) {
          if ((c.local(told) & ended) != 0 && c.local(seen) != messages) {
            c.fail("the end overtook a message");
          } else if (c.local(told) == (ended | connected)) {
            c.end();
          }
        }}},
      prepare_sleep(signal, fence_kind::heavy),
      {{"last look at the inbox",
        [](cpu& c) {
          if (c.load(pending) != 0) {
            c.go("finish sleep");
          }
        }},
       {"last look at the ring",
        [](cpu& c) {
          if (c.load(published) > c.local(seen)) {
            c.go("finish sleep");
          }
        }}},
      sleep(signal),
      {{"slept", [](cpu& c) { c.back("has events"); }}},
  });
}

model closing_peer() {
  model made;
  made.variables = {"published", "mutex", "events", "pending", "sleeping", "event"};
  made.threads = {
      {"receiver", receiver()},
      {"peer", join({publish(1), publish(2), post(ended)})},
      {"I/O thread", post(connected)},
  };
  return made;
}

// -- connect before bind, and a close at the same time --------------------------------------------

// `waker` stands for the channel's pointer to the signaler of the connecting peer, which goes with
// its inbox.
enum link_variable : word { ring, link_mutex, left, joined, notice, waker, gone };

model joining_and_leaving() {
  model made;
  made.variables = {"ring", "link_mutex", "left", "joined", "notice", "waker", "gone"};
  made.initial[waker] = 1;
  made.threads = {
      {"connecting peer",
       {{"publish", [](cpu& c) { c.store(ring, 1, order::release); }},
        {"lock the link", [](cpu& c) { c.lock(link_mutex); }},
        {"set left", [](cpu& c) { c.store(left, 1, order::relaxed); }},
        {"is the other there", [](cpu& c) { c.local(got) = c.load(joined); }},
        {"clear the waker",
         [](cpu& c) {
           if (c.local(got) == 0) {
             c.store(waker, 0, order::relaxed);
           }
         }},
        {"unlock the link", [](cpu& c) { c.unlock(link_mutex); }},
        {"let the inbox go",
         [](cpu& c) {
           if (c.local(got) == 0) {
             c.direct(gone) = 1;
           }
         }},
        {"tell",
         [](cpu& c) {
           if (c.local(got) != 0) {
             c.store(notice, 1, order::release);
           }
         }}}},
      {"binder",
       {{"lock the link", [](cpu& c) { c.lock(link_mutex); }},
        {"set joined", [](cpu& c) { c.store(joined, 1, order::relaxed); }},
        {"has the other left", [](cpu& c) { c.local(told) = c.load(left); }},
        {"unlock the link", [](cpu& c) { c.unlock(link_mutex); }},
        {"whom to wake", [](cpu& c) { c.local(seen) = c.load(waker); }},
        {"wake",
         [](cpu& c) {
           if (c.local(seen) != 0 && c.direct(gone) != 0) {
             c.fail("woke a peer that is gone");
           }
         }},
        {"wait for the end",
         [](cpu& c) {
           if (c.local(told) == 0 && c.load(notice) == 0) {
             c.block();
           }
         }},
        {"read",
         [](cpu& c) {
           if (c.load(ring) != 1) {
             c.fail("the end overtook a message");
           }
         }}}},
  };
  made.final = [](const state& now) -> std::string {
    return now.threads[1].locals[told] != 0 && now.memory[notice] != 0 ? "told twice" : "";
  };
  return made;
}

}  // namespace

TEST_CASE("inproc close: all that was published comes before the end") {
  const model made = closing_peer();
  check_holds(made);
  // The end seen as soon as it is told.
  check_breaks(made.with("receiver", "handle",
                         [](cpu& c) {
                           c.local(told) = static_cast<word>(c.local(told) | c.local(got));
                           c.go(c.local(told) == 0 ? "fetch" : "reap");
                         }),
               machine::x86, "the end overtook a message");
}

TEST_CASE("inproc close: no event is lost") {
  const model made = closing_peer();
  constexpr std::string_view lost = "receiver waits for ever at: sleep";
  check_breaks(made.swapped("receiver", "clear pending", "unlock the inbox"), machine::x86, lost);
  check_breaks(made.without("I/O thread", "lock the inbox"), machine::x86, "told twice");
  check_breaks(made.without("I/O thread", "raise"), machine::x86, lost);
  check_breaks(made.without("receiver", "last look at the inbox"), machine::x86, lost);
}

TEST_CASE("inproc close: an end that joins hears of one that leaves, once") {
  const model made = joining_and_leaving();
  check_holds(made);
  const model telling = made.without("binder", "wake");
  check_breaks(telling.swapped("connecting peer", "unlock the link", "is the other there"),
               machine::weak, "told twice");
  check_breaks(telling.swapped("connecting peer", "lock the link", "is the other there"),
               machine::x86, "binder waits for ever at: wait for the end");
}

TEST_CASE("inproc close: an end that joins wakes none that has left before") {
  const model made = joining_and_leaving();
  constexpr std::string_view dangling = "woke a peer that is gone";
  check_breaks(made.swapped("connecting peer", "clear the waker", "unlock the link"), machine::x86,
               dangling);
  check_breaks(made.without("connecting peer", "clear the waker"), machine::x86, dangling);
  check_breaks(made.swapped("connecting peer", "lock the link", "is the other there"), machine::x86,
               dangling);
}

}  // namespace slk::model
