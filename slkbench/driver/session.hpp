// What one measured process does, from its sockets to its counters.
#pragma once

#include <memory>
#include <string>

#include "role.hpp"
#include "workload_spec.hpp"

namespace slkbench {

struct session_report {
  role_report sender;  // meaningful if the role ran here
  role_report receiver;
  std::int64_t max_rss_bytes = 0;
};

// open, run, close, each once and in this order. After a failure the process should end without
// close(): a library that misbehaved may never come back from it.
class session {
 public:
  explicit session(workload_spec spec) noexcept;
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  [[nodiscard]] failure open();
  // open() in two steps, for who looks at what each of them brings. Without the role it does
  // nothing.
  [[nodiscard]] failure open_receiver();
  [[nodiscard]] failure open_sender();
  [[nodiscard]] failure run(session_report& report);
  // Instead of run(), for both roles and throughput: one thread sends `turn` messages and then
  // receives them, again and again, so that two runs execute the same instructions. Not timed.
  [[nodiscard]] failure run_in_turns(std::uint64_t turn, session_report& report);
  void close();

  [[nodiscard]] const workload_spec& spec() const noexcept { return spec_; }
  // After open: where to connect to, what is set, which version the library says it is.
  [[nodiscard]] const std::string& endpoint() const noexcept { return spec_.endpoint; }
  [[nodiscard]] option_map options() const;
  [[nodiscard]] std::string version() const;

 private:
  [[nodiscard]] bool has(role_kind kind) const noexcept {
    return spec_.role == role_kind::both || spec_.role == kind;
  }
  [[nodiscard]] failure run_both(session_report& report);

  workload_spec spec_;
  std::shared_ptr<common_ground> ground_;
  std::unique_ptr<role> receiver_;
  std::unique_ptr<role> sender_;
};

}  // namespace slkbench
