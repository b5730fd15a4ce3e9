// Which threads a process has, and what each is there for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace slkbench {

struct known_thread {
  int id;            // as the kernel numbers threads
  std::string part;  // what it is there for
  std::string name;  // that it gave itself; "" if it has ended
};

class thread_census {
 public:
  // All threads that are new since the last call are there for `part`.
  void take(std::string_view part);
  // That one is there for `part`, whatever was taken before; a negative `id` is nobody.
  void add(int id, std::string_view part);
  // With their names of now; in the order of their creation.
  [[nodiscard]] std::vector<known_thread> threads() const;

 private:
  [[nodiscard]] std::vector<known_thread>::iterator find(int id);

  std::vector<known_thread> known_;
};

// The other threads than the calling one.
std::vector<int> other_thread_ids();

struct thread_time {
  int id;
  std::int64_t on_cpu_ns;
  std::int64_t core_wait_ns;  // runnable, but without a core; 0 where the kernel does not say
};

// What all threads of this process have used since they began.
std::vector<thread_time> read_thread_times();

// Returns when these threads have been waiting for descriptors for a moment, or after `limit_ms`.
// Where the kernel does not show what threads do, after a millisecond. Allocates nothing.
void await_idle_threads(const std::vector<int>& ids, int limit_ms);

}  // namespace slkbench
