#pragma once

#include <algorithm>
#include <cstdint>

namespace slk {

// Whether a burst has become a trickle on one of its pipes: the patrol, which looks each 100 us or
// more rarely, sends a few messages each time, and the application none by itself. Each had better
// be sent at once then. The application decides that for a socket as a whole, though, and may arm
// the pipe again right away, so it takes ever more looks.
//
// Thread safety: of the I/O thread.
class trickle {
 public:
  // The patrol looks at the pipe.
  void look(bool application_flushed) noexcept {
    if (told_) {
      // Armed again without having sent by itself: it is in a burst, of which this pipe gets
      // little.
      told_ = false;
      looks_wanted_ =
          application_flushed ? looks_wanted_min : std::min(2 * looks_wanted_, looks_wanted_max);
    }
    if (application_flushed) {
      looks_ = 0;
    }
  }

  // It found so many messages, and has sent them. True: leave the pipe alone.
  [[nodiscard]] bool found(std::uint64_t messages) noexcept {
    looks_ = messages <= messages_max ? looks_ + 1 : 0;
    told_ = looks_ >= looks_wanted_;
    return told_;
  }

  // The patrol leaves the pipe.
  void end() noexcept { looks_ = 0; }

 private:
  static constexpr std::uint64_t messages_max = 8;
  static constexpr unsigned looks_wanted_min = 3;
  static constexpr unsigned looks_wanted_max = 3 * 1024;

  unsigned looks_ = 0;  // in a row
  unsigned looks_wanted_ = looks_wanted_min;
  bool told_ = false;  // just now
};

}  // namespace slk
