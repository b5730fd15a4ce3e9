#include "role.hpp"

#include <malloc.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <type_traits>
#include <utility>

#include "fan_link.hpp"
#include "fan_workload.hpp"
#include "floor_ring.hpp"
#include "floor_stream.hpp"
#include "library_link.hpp"
#include "operation_timer.hpp"
#include "paced_workload.hpp"
#include "timed_link.hpp"

namespace slkbench {

struct common_ground {
  std::shared_ptr<const function_table> table;
  std::shared_ptr<library_context> context;
  std::shared_ptr<ring_pair> rings;
};

namespace {

failure pin_thread(const std::vector<int>& cpus) {
  if (cpus.empty())
    return {};
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) {
    if (cpu < 0 || cpu >= CPU_SETSIZE)
      return failed("no CPU has the number " + std::to_string(cpu));
    CPU_SET(cpu, &set);
  }
  // Only now, so that the threads of the library, made earlier, are not pinned as well.
  if (sched_setaffinity(0, sizeof set, &set) != 0)
    return failed(std::string("sched_setaffinity: ") + std::strerror(errno));
  return {};
}

// Below the usual backlog of a listening socket, so that none of them has to try again.
constexpr std::size_t idle_batch = 64;

// Idle peers come before anything is timed. What the process grew by meanwhile is theirs; so what
// it holds in reserve goes back first, or they would be made of that.
failure add_idle_peers(link& wire, bool is_sender, std::size_t count, control_line& control,
                       const workload_spec& spec, role_report& report) {
  ::malloc_trim(0);
  const std::int64_t before_bytes = rss_bytes();
  for (std::size_t begin = 0; begin < count; begin += idle_batch) {
    if (is_sender) {
      if (failure problem = control.await(signal::idle_wanted, spec.limit_ms))
        return problem;
    } else {
      control.tell(signal::idle_wanted);
    }
    if (failure problem = wire.add_idle_peers(std::min(idle_batch, count - begin)))
      return problem;
  }
  if (!is_sender)
    control.tell(signal::idle_here);
  else if (failure problem = control.await(signal::idle_here, spec.limit_ms))
    return problem;
  report.idle_peers_bytes = rss_bytes() - before_bytes;
  return {};
}

// Whether the loops can tell every message apart; runs them only then.
failure check_fan(const workload_spec& spec) {
  if (spec.metric != metric_kind::throughput)
    return unsupported("several senders or receivers have throughput only");
  if (spec.senders > 1 && spec.receivers > 1)
    return unsupported("either senders or receivers can be several, not both");
  if (spec.size_bytes < stamp::number_bytes)
    return failed("with several peers a message needs " + std::to_string(stamp::number_bytes) +
                  " bytes to say whose it is");
  if (spec.messages < static_cast<std::int64_t>(std::max(spec.senders, spec.receivers)))
    return failed("there are fewer messages than peers");
  return {};
}

template <class Link>
class role_over final : public role {
 public:
  template <class... Rest>
  role_over(const workload_spec& spec, role_kind kind, Rest&&... rest)
      : spec_(spec), kind_(kind), link_(spec, kind, std::forward<Rest>(rest)...) {}

  [[nodiscard]] link& wire() noexcept override { return link_; }

  [[nodiscard]] failure run(control_line& control, role_report& report) override {
    report.thread_id = gettid();
    failure problem = pin_thread(is_sender() ? spec_.sender_cpus : spec_.receiver_cpus);
    if (!problem)
      problem = link_.handshake();
    if (!problem && spec_.idle_peers > 0)
      problem = add_idle_peers(link_, is_sender(), spec_.idle_peers, control, spec_, report);
    if (!problem)
      problem = run_loop(control, report);
    if (problem)
      control.tell(signal::given_up);
    return problem;
  }

  [[nodiscard]] failure send_part(stamped_payload& payload, std::uint64_t begin,
                                  std::uint64_t end) override {
    return send_range(link_, payload, begin, end);
  }

  [[nodiscard]] failure receive_part(ledger& account, stamped_payload& buffer,
                                     std::uint64_t end) override {
    if constexpr (std::is_base_of_v<fan_link, Link>) {
      return unsupported("turns of one thread are for one sender and one receiver");
    } else {
      while (account.next() < end) {
        const std::ptrdiff_t size = link_.receive(buffer.data(), buffer.size());
        if (size < 0) [[unlikely]]
          return account_failed(account, end, link_.error_text());
        account.take(buffer.data(), size);
      }
      return {};
    }
  }

 private:
  [[nodiscard]] bool is_sender() const noexcept { return kind_ == role_kind::sender; }

  [[nodiscard]] failure run_loop(control_line& control, role_report& report) {
    if constexpr (std::is_base_of_v<fan_link, Link>)
      return run_fan_loop(control, report);
    else
      return run_pair_loop(control, report);
  }

  [[nodiscard]] failure run_fan_loop(control_line& control, role_report& report) {
    if (spec_.senders > 1)
      return is_sender() ? run_fan_in_source(link_, spec_, control, report)
                         : run_fan_in_sink(link_, spec_, control, report);
    return is_sender() ? run_source(link_, spec_, control, report)
                       : run_fan_out_sink(link_, spec_, control, report);
  }

  [[nodiscard]] failure run_pair_loop(control_line& control, role_report& report) {
    if (spec_.metric == metric_kind::paced && is_sender()) {
      if constexpr (std::is_base_of_v<library_link, Link>)
        return run_paced(link_, spec_, control, report);
    }
    if (spec_.metric == metric_kind::throughput)
      return is_sender() ? run_source(link_, spec_, control, report)
                         : run_sink(link_, spec_, control, report);
    return is_sender() ? run_ping(link_, spec_, control, report)
                       : run_pong(link_, spec_, control, report);
  }

  const workload_spec& spec_;
  const role_kind kind_;
  Link link_;
};

bool has_fan(const workload_spec& spec) noexcept {
  return spec.senders > 1 || spec.receivers > 1;
}

failure make_library_role(const workload_spec& spec, role_kind kind, common_ground& ground,
                          std::unique_ptr<role>& out) {
  if (!ground.table) {
    if (failure problem = function_table::load(spec.path, spec.abi, ground.table))
      return problem;
    if (spec.time_one_in != 0)
      operation_timer::prepare(ground.table->send, ground.table->recv, spec);
  }
  std::shared_ptr<library_context> context = ground.context;
  if (!context) {
    const std::size_t sockets = spec.senders + spec.receivers + spec.idle_peers;
    if (failure problem = library_context::make(ground.table, spec.io_threads, sockets, context))
      return problem;
    // Elsewhere each role has a context, so I/O threads, of its own, as in two processes.
    if (spec.transport == transport_kind::inproc)
      ground.context = context;
  }
  const bool is_router = spec.pattern == pattern_kind::router_router;
  if (spec.metric == metric_kind::paced && spec.offered_msgs_per_s < 1)
    return failed("a paced workload needs a rate");
  if ((has_fan(spec) || spec.metric == metric_kind::paced) && ground.table->poll == nullptr)
    return unsupported("the library has no poll");
  if (has_fan(spec)) {
    if (failure problem = check_fan(spec))
      return problem;
    if (is_router)
      out = std::make_unique<role_over<fan_router_link>>(spec, kind, std::move(context));
    else
      out = std::make_unique<role_over<fan_push_pull_link>>(spec, kind, std::move(context));
    return {};
  }
  if (spec.time_one_in != 0) {
    if (is_router)
      out = std::make_unique<role_over<timed_link<router_link>>>(spec, kind, std::move(context));
    else
      out = std::make_unique<role_over<timed_link<push_pull_link>>>(spec, kind, std::move(context));
    return {};
  }
  if (is_router)
    out = std::make_unique<role_over<router_link>>(spec, kind, std::move(context));
  else
    out = std::make_unique<role_over<push_pull_link>>(spec, kind, std::move(context));
  return {};
}

}  // namespace

failure make_role(const workload_spec& spec, role_kind kind, std::shared_ptr<common_ground>& ground,
                  std::unique_ptr<role>& out) {
  if (!ground)
    ground = std::make_shared<common_ground>();
  if (spec.contender == contender_kind::library)
    return make_library_role(spec, kind, *ground, out);
  if (spec.time_one_in != 0)
    return unsupported("the floor makes no calls that could be timed");
  if (has_fan(spec) || spec.idle_peers > 0)
    return unsupported("the floor has one sender and one receiver");
  if (spec.metric == metric_kind::paced)
    return unsupported("the floor spins where it waits, which says nothing of a low load");
  if (spec.transport != transport_kind::inproc) {
    out = std::make_unique<role_over<stream_link>>(spec, kind);
    return {};
  }
  if (!ground->rings)
    ground->rings = std::make_shared<ring_pair>(spec.size_bytes);
  out = std::make_unique<role_over<ring_link>>(spec, kind, ground->rings);
  return {};
}

}  // namespace slkbench
