#include "abi/handle.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <set>
#include <vector>

namespace slk::abi {
namespace {

struct thing {
  int number = 0;
};
using pool = handle_pool<thing>;

}  // namespace

TEST_CASE("handle_pool: finds what is live, and only that") {
  thing one;
  CHECK(pool::find(nullptr) == nullptr);
  handle<thing>* raw = pool::acquire(&one);
  CHECK(pool::find(raw) == &one);
  CHECK(pool::release(raw) == &one);
  CHECK(pool::find(raw) == nullptr);
  CHECK(pool::release(raw) == nullptr);
}

TEST_CASE("handle_pool: a dead handle is not given out again soon") {
  thing one;
  handle<thing>* dead = pool::acquire(&one);
  CHECK(pool::release(dead) == &one);
  std::vector<handle<thing>*> later;
  for (int i = 0; i < 60; ++i) {
    later.push_back(pool::acquire(&one));
    CHECK(later.back() != dead);
    CHECK(pool::release(later.back()) == &one);
  }
  CHECK(pool::find(dead) == nullptr);
}

TEST_CASE("handle_pool: memory is reused in the end") {
  thing one;
  std::set<handle<thing>*> seen;
  for (int i = 0; i < 1000; ++i) {
    handle<thing>* raw = pool::acquire(&one);
    seen.insert(raw);
    CHECK(pool::release(raw) == &one);
  }
  CHECK(seen.size() < 200);
}

TEST_CASE("handle_pool: a child of fork does not find its parent's") {
  thing one;
  handle<thing>* raw = pool::acquire(&one);
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(pool::find(raw) == nullptr ? 0 : 1);
  }
  REQUIRE(child > 0);
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(pool::find(raw) == &one);
  CHECK(pool::release(raw) == &one);
}

}  // namespace slk::abi
