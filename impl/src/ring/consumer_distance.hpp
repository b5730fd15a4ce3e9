// consumer_distance: how far away a ring's consumer runs, in the time that its producer's stores
// take.
//
// A core that writes to a line which another has read must have it back from that one's caches.
// Between cores that share a cache this costs little; across a machine so much that writing past
// all caches is several times faster, although the reader then has to fetch from main memory.
// Measured, thousand messages a second, in the usual way and past the caches
// (copy_streaming_bytes), 2 / 8 / 64 KiB: from a far core (a line's way there and back 340 ns) 1200
// / 319 / 59 and 2850 / 1790 / 150; from a near one (75 ns) 11,000 / 3100 / 404 and 6000 / 1860 /
// 143.
//
// So now and then a frame is written in the usual way, and timed: 1 to 2 ns a line between near
// cores, around 25 between far ones, both with outliers. Once a sample, the way of its last line
// comes on top, which must not make near cores far where frames are short: with 160 ns for a line's
// way there and back, 1 KiB takes 190 ns, 12 a line, and 8 KiB 360 ns, 3 a line; past the caches,
// 3.1 million of 1 KiB go there a second, and 10 million in the usual way.
//
// Threads: the producer's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace slk {

class consumer_distance {
 public:
  // Writing past the caches pays.
  [[nodiscard]] bool is_far() const noexcept { return far_; }
  // The next large frame should be timed.
  [[nodiscard]] bool wants_sample() const noexcept { return wants_sample_; }
  // Either of them: such a frame is not written as usual.
  [[nodiscard]] bool matters() const noexcept { return far_ || wants_sample_; }

  // A chunk is begun. timeable: stores to it tell something.
  void chunk_begins(bool timeable) noexcept {
    // Where it is far, a sample costs as much as many lines.
    const unsigned chunks_per_sample = far_ ? 16 : 4;
    if (++chunks_ >= chunks_per_sample && timeable) {
      chunks_ = 0;
      wants_sample_ = true;
    }
  }

  // Of so many lines, written and waited for.
  void sample(std::uint64_t elapsed_ns, std::size_t lines) noexcept {
    wants_sample_ = false;
    const std::uint64_t stores_ns = elapsed_ns - std::min(elapsed_ns, last_line_ns);
    const std::uint64_t line_ns =
        std::min(stores_ns / std::max<std::size_t>(lines, 1), line_ns_max);
    sum_ns_ += line_ns - sum_ns_ / weight;
    far_ = sum_ns_ >= weight * (far_ ? near_line_ns : far_line_ns);
  }

  // Both run on one core now: nothing is known of any other.
  void forget() noexcept { *this = {}; }

 private:
  static constexpr std::uint64_t last_line_ns = 200;
  static constexpr std::uint64_t far_line_ns = 12;
  static constexpr std::uint64_t near_line_ns = 6;
  static constexpr std::uint64_t line_ns_max = 64;  // an interrupt counts for no more
  static constexpr std::uint64_t weight = 8;        // samples that the mean goes over, or so

  bool far_ = false;
  bool wants_sample_ = false;
  unsigned chunks_ = 0;       // since the last sample
  std::uint64_t sum_ns_ = 0;  // weight * the mean
};

}  // namespace slk
