// What one process is asked to do: one role of a workload, or both on two threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "abi.hpp"

namespace slkbench {

enum class role_kind { sender, receiver, both };
enum class contender_kind { library, floor };
enum class pattern_kind { router_router, push_pull };
enum class transport_kind { tcp, ipc, inproc };
enum class metric_kind { throughput, round_trip, paced };

struct workload_spec {
  role_kind role = role_kind::both;
  contender_kind contender = contender_kind::library;
  std::string path;
  std::optional<abi_kind> abi;
  pattern_kind pattern = pattern_kind::push_pull;
  transport_kind transport = transport_kind::tcp;
  metric_kind metric = metric_kind::throughput;
  std::size_t size_bytes = 0;
  std::int64_t messages = 0;  // timed, after the one that starts the clock
  std::int64_t warmup = 0;    // before that one
  // Sockets of each role; at most one of the two numbers is above 1.
  std::size_t senders = 1;
  std::size_t receivers = 1;
  std::size_t idle_peers = 0;  // further peers of the receiver, of the sender's kind, silent
  std::int64_t offered_msgs_per_s = 0;  // the schedule of metric_kind::paced
  int io_threads = 1;
  int sndhwm = 1000;
  int rcvhwm = 1000;
  std::string endpoint;   // where to bind; for a sender alone, where to connect
  int stall_ms = 10'000;  // longest time without progress in one call
  int limit_ms = 60'000;  // longest wait for the other role to finish its part
  std::vector<int> sender_cpus;
  std::vector<int> receiver_cpus;
  // Of so many messages one has its calls timed; 0: none; -1: none, by the code that could.
  int time_one_in = 0;
  int control_fd = -1;  // to the other role's process; unused where both are here
};

}  // namespace slkbench
