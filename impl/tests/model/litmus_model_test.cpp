// The explorer itself, by the litmus tests that tell memory models apart.

#include <stdexcept>

#include "checks.hpp"

namespace slk::model {
namespace {

enum variable : word { x, y };
enum local : word { seen };

step put(word where, order how) {
  return {"put", [=](cpu& c) { c.store(where, 1, how); }};
}
step get(word where) {
  return {"get", [=](cpu& c) { c.local(seen) = c.load(where); }};
}
const step full_fence{"fence", [](cpu& c) { c.fence(); }};
const step light{"light fence", [](cpu& c) { c.light_fence(); }};
const step heavy{"heavy fence", [](cpu& c) { c.heavy_fence(); }};

model two(program left, program right, std::function<std::string(const state&)> final) {
  model made;
  made.variables = {"x", "y"};
  made.threads = {{"left", std::move(left)}, {"right", std::move(right)}};
  made.final = std::move(final);
  return made;
}

// Each side stores, then looks at what the other stores: one of them must see it.
model store_buffering(const step& left, const step& right) {
  return two({put(x, order::relaxed), left, get(y)}, {put(y, order::relaxed), right, get(x)},
             [](const state& now) -> std::string {
               const bool any = (now.threads[0].locals[seen] | now.threads[1].locals[seen]) != 0;
               return any ? "" : "neither saw the other";
             });
}

// Data, then a flag.
model message_passing(order flag) {
  return two({put(x, order::relaxed), put(y, flag)},
             {{"wait",
               [](cpu& c) {
                 if (c.load(y) == 0) {
                   c.block();
                 }
               }},
              get(x)},
             [](const state& now) -> std::string {
               return now.threads[1].locals[seen] != 0 ? "" : "the flag overtook the data";
             });
}

}  // namespace

TEST_CASE("explorer: store buffering") {
  check_holds(store_buffering(full_fence, full_fence));
  check_holds(store_buffering(light, heavy));
  check_breaks(store_buffering(light, full_fence), machine::x86, "neither saw the other");
  check_breaks(store_buffering(light, light), machine::x86, "neither saw the other");
}

TEST_CASE("explorer: message passing") {
  check_holds(message_passing(order::release));
  CHECK(explore(message_passing(order::relaxed), machine::x86).broken.empty());
  check_breaks(message_passing(order::relaxed), machine::weak, "the flag overtook the data");
}

TEST_CASE("explorer: threads that wait, and threads that never rest") {
  const step never{"wait", [](cpu& c) { c.block(); }};
  const step always{"spin", [](cpu& c) { c.again(); }};
  check_breaks(two({never}, {}, {}), machine::x86, "left waits for ever at: wait");
  check_breaks(two({always}, {}, {}), machine::x86, "never come to rest");
}

TEST_CASE("explorer: what it prints is the interleaving") {
  const verdict seen = explore(message_passing(order::relaxed), machine::weak);
  CHECK(seen.broken ==
        "the flag overtook the data\n  left: put\n  left: put\n  left: (buffer) y = 1\n"
        "  right: wait\n  right: get\n  left: (buffer) x = 1\nin memory: x=1 y=1\n");
}

TEST_CASE("explorer: an edit that changes nothing is refused") {
  const model made = message_passing(order::release);
  CHECK_THROWS_AS(static_cast<void>(made.without("left", "fence")), std::logic_error);
  CHECK_THROWS_AS(static_cast<void>(made.without("middle", "put")), std::logic_error);
  const auto two_accesses = [](cpu& c) { c.store(x, c.load(y), order::relaxed); };
  CHECK_THROWS_AS(static_cast<void>(explore(made.with("left", "put", two_accesses), machine::x86)),
                  std::logic_error);
}

}  // namespace slk::model
