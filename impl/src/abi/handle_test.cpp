#include "abi/handle.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <set>
#include <thread>
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

namespace {

int disposed = 0;
void dispose(thing* dead) noexcept {
  disposed += dead->number;
}
using call = handle_call<thing, dispose>;
int interrupted = 0;
bool close(void* raw) {
  return pool::close(raw, [](thing&) { ++interrupted; }, dispose);
}

}  // namespace

TEST_CASE("handle_call: a close waits for the call that is under way, and its end destroys") {
  disposed = interrupted = 0;
  thing one{1};
  void* raw = pool::acquire(&one);
  {
    const call outer(raw);
    CHECK(outer);
    {
      const call nested(raw);
      CHECK(&*nested == &one);
    }
    CHECK(close(raw));
    CHECK_FALSE(close(raw));
    CHECK(interrupted == 1);
    CHECK_FALSE(call(raw));
    CHECK(disposed == 0);
    CHECK(outer->number == 1);
  }
  CHECK(disposed == 1);
}

TEST_CASE("handle_call: a close without a call destroys at once") {
  disposed = interrupted = 0;
  thing one{1};
  void* raw = pool::acquire(&one);
  static_cast<void>(call(raw));
  CHECK(close(raw));
  CHECK(disposed == 1);
  CHECK(interrupted == 0);
  CHECK_FALSE(call(raw));
  CHECK_FALSE(call(nullptr));
}

TEST_CASE("handle_call: of a call and a close at the same time exactly one destroys") {
  register_asymmetric_fence();
  disposed = 0;
  constexpr int rounds = 2000;
  std::atomic<void*> shared{nullptr};
  std::atomic<int> left{0};
  std::thread caller([&] {
    for (int round = 0; round < rounds; ++round) {
      void* raw = nullptr;
      while ((raw = shared.load()) == nullptr) {
        std::this_thread::yield();
      }
      while (call(raw)) {
      }
      shared = nullptr;
      ++left;
    }
  });
  thing one{1};
  for (int round = 0; round < rounds; ++round) {
    void* raw = pool::acquire(&one);
    shared = raw;
    CHECK(close(raw));
    while (left.load() != round + 1) {
      std::this_thread::yield();
    }
  }
  caller.join();
  CHECK(disposed == rounds);
}

#ifndef NDEBUG
TEST_CASE("handle_call: debug builds stop a second thread in its tracks") {
  thing one;
  void* raw = pool::acquire(&one);
  const pid_t child = ::fork();
  if (child == 0) {
    void* fresh = pool::acquire(&one);
    std::signal(SIGABRT, SIG_DFL);  // not the test framework's
    const call first(fresh);
    std::thread([&] { static_cast<void>(call(fresh)); }).join();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
  CHECK(pool::release(static_cast<handle<thing>*>(raw)) == &one);
}
#endif

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
