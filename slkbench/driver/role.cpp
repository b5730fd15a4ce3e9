#include "role.hpp"

#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "floor_ring.hpp"
#include "floor_stream.hpp"
#include "library_link.hpp"

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
    while (account.next() < end) {
      const std::ptrdiff_t size = link_.receive(buffer.data(), buffer.size());
      if (size < 0) [[unlikely]]
        return account_failed(account, end, link_.error_text());
      account.take(buffer.data(), size);
    }
    return {};
  }

 private:
  [[nodiscard]] bool is_sender() const noexcept { return kind_ == role_kind::sender; }

  [[nodiscard]] failure run_loop(control_line& control, role_report& report) {
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

failure make_library_role(const workload_spec& spec, role_kind kind, common_ground& ground,
                          std::unique_ptr<role>& out) {
  if (!ground.table) {
    if (failure problem = function_table::load(spec.path, spec.abi, ground.table))
      return problem;
  }
  std::shared_ptr<library_context> context = ground.context;
  if (!context) {
    if (failure problem = library_context::make(ground.table, spec.io_threads, context))
      return problem;
    // Elsewhere each role has a context, so I/O threads, of its own, as in two processes.
    if (spec.transport == transport_kind::inproc)
      ground.context = context;
  }
  if (spec.pattern == pattern_kind::router_router)
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
