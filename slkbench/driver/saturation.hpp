// Whether a contender keeps up with a schedule, told by the timed messages of an open loop.
//
// One that cannot falls behind ever further: even the quickest round trip of a later quarter takes
// longer than that of an earlier one. One that was held up for a moment catches up, so that some
// round trip of each quarter is as quick as ever; that is no saturation, and shows in the tail.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string>

#include "failure.hpp"

namespace slkbench {

class saturation_watch {
 public:
  saturation_watch(std::int64_t messages, std::int64_t msgs_per_s) noexcept
      : messages_(messages),
        msgs_per_s_(msgs_per_s),
        planned_ns_(static_cast<std::int64_t>(static_cast<double>(messages) * 1e9 /
                                              static_cast<double>(msgs_per_s))) {
    quickest_ns_.fill(std::numeric_limits<std::int64_t>::max());
  }

  // The timed message `number`, from 0, is about to be sent `late_ns` after it was due. A failure
  // where nothing is gained by going on.
  [[nodiscard]] failure note_late(std::uint64_t number, std::int64_t late_ns) const {
    if (late_ns <= std::max(late_max_ns, planned_ns_ / 2))
      return {};
    return failed_at(
        number, static_cast<std::int64_t>(number) * planned_ns_ / messages_ + late_ns,
        "the sender has fallen " + std::to_string(late_ns / 1'000'000) + " ms behind its schedule");
  }

  void note_round_trip(std::uint64_t number, std::int64_t round_trip_ns) noexcept {
    std::int64_t& quickest =
        quickest_ns_[std::min<std::size_t>(3, 4 * number / static_cast<std::uint64_t>(messages_))];
    quickest = std::min(quickest, round_trip_ns);
  }

  // All came back within `elapsed_ns`, counted from when the first was due.
  [[nodiscard]] failure outcome(std::int64_t elapsed_ns) const {
    const auto number = static_cast<std::uint64_t>(messages_);
    if (quickest_ns_[3] - quickest_ns_[1] > std::max(growth_min_ns, planned_ns_ / 200))
      return failed_at(number, elapsed_ns, "the backlog grew all the while");
    if (elapsed_ns - growth_min_ns > planned_ns_ / 9 * 10)
      return failed_at(number, elapsed_ns, "the last messages came far too late");
    return {};
  }

 private:
  static constexpr std::int64_t late_max_ns = 1'000'000'000;
  static constexpr std::int64_t growth_min_ns = 1'000'000;

  [[nodiscard]] failure failed_at(std::uint64_t number, std::int64_t elapsed_ns,
                                  const std::string& seen) const {
    const double per_s = static_cast<double>(number) * 1e9 /
                         static_cast<double>(std::max<std::int64_t>(elapsed_ns, 1));
    return saturated("saturated: " + std::to_string(static_cast<std::int64_t>(per_s)) +
                     " messages a second instead of " + std::to_string(msgs_per_s_) + "; " + seen);
  }

  std::int64_t messages_;
  std::int64_t msgs_per_s_;
  std::int64_t planned_ns_;
  std::array<std::int64_t, 4> quickest_ns_{};
};

}  // namespace slkbench
