// What went wrong, as a value. No function of the driver throws on its own account.
#pragma once

#include <optional>
#include <string>
#include <utility>

namespace slkbench {

enum class failure_kind {
  failed,       // the contender did something wrong, or a system call did
  unsupported,  // the contender says that it lacks what the workload needs
  saturated,    // the contender cannot keep up with the rate that was asked for
};

struct failure_text {
  std::string text;
  failure_kind kind = failure_kind::failed;
};

// Empty means success. A result, where there is one, is an out parameter written only then.
using failure = std::optional<failure_text>;

inline failure failed(std::string text) {
  return failure_text{std::move(text), failure_kind::failed};
}

inline failure unsupported(std::string text) {
  return failure_text{std::move(text), failure_kind::unsupported};
}

inline failure saturated(std::string text) {
  return failure_text{std::move(text), failure_kind::saturated};
}

}  // namespace slkbench
