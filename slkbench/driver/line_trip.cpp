#include "line_trip.hpp"

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <limits>
#include <thread>

#include "clock.hpp"

namespace slkbench {

namespace {

constexpr std::uint64_t trips_per_batch = 1000;
constexpr std::uint64_t batches = 8;
constexpr std::int64_t limit_ns = 20'000'000;

bool pin_to(int cpu) noexcept {
  if (cpu < 0 || cpu >= CPU_SETSIZE)
    return false;
  cpu_set_t chosen;
  CPU_ZERO(&chosen);
  CPU_SET(cpu, &chosen);
  return pthread_setaffinity_np(pthread_self(), sizeof chosen, &chosen) == 0;
}

class court {
 public:
  // Odd values are the first player's, even ones the second's.
  void play(std::uint64_t stroke) noexcept {
    stroke_.store(stroke, std::memory_order_release);  // pairs with the load in await
  }

  // False if the game was given up: by the other side, or since the time is over.
  bool await(std::uint64_t stroke) noexcept {
    for (std::uint32_t turns = 1; stroke_.load(std::memory_order_acquire) != stroke; ++turns) {
      if (turns % 256 != 0)
        continue;
      if (is_over_.load(std::memory_order_relaxed) || now_ns() > deadline_ns_) {
        give_up();
        return false;
      }
    }
    return true;
  }

  // A hint alone, which orders nothing: relaxed on both sides.
  void give_up() noexcept { is_over_.store(true, std::memory_order_relaxed); }

 private:
  alignas(128) std::atomic<std::uint64_t> stroke_{0};
  alignas(128) std::atomic<bool> is_over_{false};
  const std::int64_t deadline_ns_ = now_ns() + limit_ns;
};

double smallest_mean_ns(court& between) noexcept {
  double smallest = std::numeric_limits<double>::infinity();
  std::uint64_t stroke = 0;
  for (std::uint64_t batch = 0; batch < batches; ++batch) {
    const std::int64_t began_ns = now_ns();
    for (std::uint64_t trip = 0; trip < trips_per_batch; ++trip, stroke += 2) {
      between.play(stroke + 1);
      if (!between.await(stroke + 2))
        return smallest;
    }
    const double mean_ns = static_cast<double>(now_ns() - began_ns) / trips_per_batch;
    smallest = mean_ns < smallest ? mean_ns : smallest;
  }
  return smallest;
}

void answer(court& between) noexcept {
  for (std::uint64_t stroke = 1; stroke < 2 * trips_per_batch * batches; stroke += 2) {
    if (!between.await(stroke))
      return;
    between.play(stroke + 1);
  }
}

}  // namespace

std::optional<double> line_trip_ns(int first_cpu, int second_cpu) {
  if (first_cpu == second_cpu)
    return std::nullopt;
  court between;
  double smallest = std::numeric_limits<double>::infinity();
  // Threads of its own: who calls stays on the CPUs that it is on.
  std::thread first;
  std::thread second;
  try {
    second = std::thread([&between, second_cpu] {
      if (pin_to(second_cpu))
        answer(between);
      else
        between.give_up();
    });
    first = std::thread([&between, &smallest, first_cpu] {
      if (pin_to(first_cpu))
        smallest = smallest_mean_ns(between);
      else
        between.give_up();
    });
  } catch (const std::exception&) {  // no more threads to be had
    between.give_up();
  }
  if (first.joinable())
    first.join();
  if (second.joinable())
    second.join();
  if (smallest == std::numeric_limits<double>::infinity())
    return std::nullopt;
  return smallest;
}

}  // namespace slkbench
