// How long single calls of a library take: one message in some has its calls timed.
//
// A workload that is not timed runs the code that it always runs: timed_link.hpp has a link of its
// own, also to run without timing a message: what timing costs is then no matter of where code
// lies. Which messages are timed is left to chance, so that no rhythm of the library's own is
// missed or hit each time. One in 1 is every message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "workload_spec.hpp"

namespace slkbench {

// Times without the cost of reading the timer.
struct operation_times {
  std::string what;
  std::int64_t count = 0;
  double mean_ns = 0;
  double p50_ns = 0;
  double p99_ns = 0;
  double max_ns = 0;
};

struct timer_facts {
  std::string name;    // tsc or clock_gettime
  double cost_ns = 0;  // of reading it once, which is subtracted
};

// One for the process, which has one library.
class operation_timer {
 public:
  using send_function = int (*)(void* socket, const void* data, std::size_t size, int flags);
  using recv_function = int (*)(void* socket, void* data, std::size_t size, int flags);

  // Before the first message: what is called, and how often it is timed.
  static void prepare(send_function send, recv_function recv, const workload_spec& spec);

  struct turn {
    bool is_timed;       // this message is to go through send and recv below
    std::uint32_t left;  // ask again for the message after so many
  };
  // At the beginning of a message of which a turn said so, and of the first.
  static turn next(role_kind role) noexcept;
  static int send(void* socket, const void* data, std::size_t size, int flags);
  static int recv(void* socket, void* data, std::size_t size, int flags);

  // Of a role's operations that began between two times of now_ns(); not those of a message that
  // none came after, since its iteration has no end. Call when the workload has ended.
  static std::vector<operation_times> between(role_kind role, std::int64_t begin_ns,
                                              std::int64_t end_ns);
  static timer_facts facts();
};

}  // namespace slkbench
