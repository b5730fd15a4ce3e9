// How long single calls of a library take: one message in some has its calls timed.
//
// Not part of a loop: the table of functions gets a send and a recv that call the library's, so a
// workload that is not timed runs the code that it always runs. Which messages are timed is left
// to chance, so that no rhythm of the library's own is missed or hit each time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "function_table.hpp"
#include "workload_spec.hpp"

namespace slkbench {

// Times without the cost of reading the timer.
struct operation_times {
  std::string role;
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
  static std::shared_ptr<const function_table> wrap(
      const std::shared_ptr<const function_table>& library, const workload_spec& spec);

  // Of the operations that began between two times of now_ns(). Call when the workload has ended.
  static std::vector<operation_times> between(std::int64_t begin_ns, std::int64_t end_ns);
  static timer_facts facts();
};

}  // namespace slkbench
