// One application thread of a workload: a link and the loop that belongs to it.
#pragma once

#include <memory>
#include <string>

#include "control_line.hpp"
#include "link.hpp"
#include "workload.hpp"
#include "workload_spec.hpp"

namespace slkbench {

// What the two roles of an inproc workload share; empty otherwise.
struct common_ground;

class role {
 public:
  virtual ~role() = default;

  [[nodiscard]] virtual link& wire() noexcept = 0;
  // Pins the calling thread, makes sure that messages pass, runs the loop. Tells the other role
  // of a failure.
  [[nodiscard]] virtual failure run(control_line& control, role_report& report) = 0;

  // A part of the messages, where one thread drives both roles in turns: those with the numbers
  // from `begin` to `end`, and what is missing until `end`.
  [[nodiscard]] virtual failure send_part(stamped_payload& payload, std::uint64_t begin,
                                          std::uint64_t end) = 0;
  [[nodiscard]] virtual failure receive_part(ledger& account, stamped_payload& buffer,
                                             std::uint64_t end) = 0;
};

// `spec` outlives the role.
failure make_role(const workload_spec& spec, role_kind kind, std::shared_ptr<common_ground>& ground,
                  std::unique_ptr<role>& out);

}  // namespace slkbench
