// Models the credit of slk::inproc_pipe (impl/src/pipe/inproc_pipe.cpp: find_room, credit_due,
// give_credit, refill): the producer that finds no room sleeps until the consumer reports, the
// consumer that finds nothing sleeps until the producer publishes, and neither sleeps for ever.

#include "checks.hpp"
#include "signaler_steps.hpp"

namespace slk::model {
namespace {

constexpr word messages = 4;

enum variable : word {
  published,
  read_messages,
  capacity,
  producer_sleeping,
  producer_event,
  consumer_sleeping,
  consumer_event,
};

enum local : word { due, done, mark, limit, reported, credit_due };

constexpr signal_words producer_signal{producer_sleeping, producer_event, due};
constexpr signal_words consumer_signal{consumer_sleeping, consumer_event, due};

word interval(word capacity_messages) {
  return static_cast<word>((capacity_messages + 1) / 2);
}

// `done` is what it has written.
program producer() {
  return join({
      {{"look for room",
        [](cpu& c) {
          if (c.local(done) == messages) {
            c.end();
          } else if (c.local(done) < c.local(limit)) {
            c.go("write");
          }
        }},
       {"look at the capacity", [](cpu& c) { c.local(mark) = c.load(capacity); }},
       {"look at the credit",
        [](cpu& c) {
          c.local(limit) = static_cast<word>(c.load(read_messages) + c.local(mark));
          if (c.local(done) < c.local(limit)) {
            c.go("write");
          }
        }}},
      prepare_sleep(producer_signal, fence_kind::seq_cst),
      await_room(producer_signal),
      {{"last look at the capacity", [](cpu& c) { c.local(mark) = c.load(capacity); }},
       {"last look at the credit",
        [](cpu& c) {
          if (c.local(done) < c.load(read_messages) + c.local(mark)) {
            c.go("finish sleep");
          }
        }}},
      sleep(producer_signal),
      {{"slept", [](cpu& c) { c.back("look for room"); }},
       {"write", [](cpu& c) { c.store(published, ++c.local(done), order::release); }}},
      wake_if_sleeping(consumer_signal, fence_kind::light),
      {{"written", {}},  // here a producer may lower its mark
       {"next", [](cpu& c) { c.back("look for room"); }}},
  });
}

program give_credit() {
  return join({{{"report",
                 [](cpu& c) {
                   c.local(reported) = c.local(done);
                   c.store(read_messages, c.local(done), order::release);
                 }}},
               wake_if_awaiting_room(producer_signal)});
}

// `done` is what it has read.
program take_messages() {
  return join({
      {{"look at the ring",
        [](cpu& c) {
          if (c.local(done) == messages) {
            c.end();
          } else if (c.load(published) == c.local(done)) {
            c.go("is a report due by now");
          } else if (++c.local(done) < c.local(credit_due)) {
            c.again();
          }
        }},
       {"is a report due",
        [](cpu& c) {
          c.local(mark) = interval(c.load(capacity));
          const bool is_due = c.local(done) - c.local(reported) >= c.local(mark);
          c.local(credit_due) =
              static_cast<word>((is_due ? c.local(done) : c.local(reported)) + c.local(mark));
          if (!is_due) {
            c.back("look at the ring");
          }
        }}},
      give_credit(),
      {{"reported", [](cpu& c) { c.back("look at the ring"); }},
       {"is a report due by now",
        [](cpu& c) {
          if (c.local(done) - c.local(reported) < interval(c.load(capacity))) {
            c.go("empty");
          }
        }}},
      give_credit(),
      {{"empty", {}}},
  });
}

program consumer_that_sleeps() {
  return join({
      take_messages(),
      {{"give credit before the sleep",
        [](cpu& c) {
          if (c.local(reported) == c.local(done)) {
            c.go("set sleeping");
          }
        }}},
      give_credit(),
      prepare_sleep(consumer_signal, fence_kind::heavy),
      {{"last look at the ring",
        [](cpu& c) {
          if (c.load(published) != c.local(done)) {
            c.go("finish sleep");
          }
        }}},
      sleep(consumer_signal),
      {{"slept", [](cpu& c) { c.back("look at the ring"); }}},
  });
}

// recv with DONTWAIT, for ever.
program consumer_that_polls() {
  return join({take_messages(), {{"poll", [](cpu& c) { c.back("look at the ring"); }}}});
}

model channel(word capacity_messages, program consumer) {
  model made;
  made.variables = {"published",      "read_messages",     "capacity",      "producer_sleeping",
                    "producer_event", "consumer_sleeping", "consumer_event"};
  made.threads = {{"producer", producer()}, {"consumer", std::move(consumer)}};
  made.initial[capacity] = capacity_messages;
  made.invariant = [capacity_messages](const state& now) -> std::string {
    const int unread = now.threads[0].locals[done] - now.threads[1].locals[done];
    return unread > capacity_messages ? "more unread than the high water mark" : "";
  };
  return made;
}

// The producer's socket lowers its mark in the middle of the stream.
model with_lowered_mark(const model& made) {
  return made.with("producer", "written", [](cpu& c) {
    if (c.local(done) == 1) {
      c.store(capacity, 1, order::relaxed);
      c.local(limit) = 0;
    }
  });
}

constexpr std::string_view producer_sleeps = "producer waits for ever at: sleep";
constexpr std::string_view restless = "the threads never come to rest";

}  // namespace

TEST_CASE("inproc credit: nobody sleeps for ever, the mark is kept") {
  check_holds(channel(1, consumer_that_sleeps()));
  check_holds(channel(2, consumer_that_sleeps()));
  check_holds(channel(3, consumer_that_sleeps()));
  check_holds(channel(3, consumer_that_polls()));
}

TEST_CASE("inproc credit: both sides wake, and sleep behind a fence") {
  const model made = channel(1, consumer_that_sleeps());
  const auto own_fence = [](cpu& c) { c.fence(); };
  check_breaks(made.without("producer", "await room"), machine::x86, producer_sleeps);
  check_breaks(made.without("consumer", "fence"), machine::x86, producer_sleeps);
  check_breaks(made.with("consumer", "heavy fence", own_fence), machine::x86, "for ever at: sleep");
  check_breaks(made.without("consumer", "raise"), machine::x86, producer_sleeps);
  check_breaks(made.without("producer", "raise"), machine::x86, "for ever at: sleep");
}

TEST_CASE("inproc credit: a report is due when half of the mark is read, not later") {
  const auto late = [](cpu& c) {
    const word whole = static_cast<word>(c.load(capacity) + 1);
    c.local(credit_due) = static_cast<word>(c.local(reported) + whole);
    if (c.local(done) - c.local(reported) < whole) {
      c.back("look at the ring");
    }
  };
  const model made = channel(2, consumer_that_polls());
  check_breaks(made.with("consumer", "is a report due", late)
                   .with("consumer", "is a report due by now", [](cpu& c) { c.go("empty"); }),
               machine::x86, restless);
}

TEST_CASE("inproc credit: a mark that is lowered meanwhile") {
  const model polling = with_lowered_mark(channel(4, consumer_that_polls()));
  check_holds(polling);
  check_breaks(polling.with("consumer", "is a report due by now", [](cpu& c) { c.go("empty"); }),
               machine::x86, restless);
  const model sleeping = with_lowered_mark(channel(4, consumer_that_sleeps()));
  check_holds(sleeping);
  check_breaks(sleeping.with("consumer", "give credit before the sleep",
                             [](cpu& c) { c.go("set sleeping"); }),
               machine::x86, "for ever at: sleep");
}

}  // namespace slk::model
