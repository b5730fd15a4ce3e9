#include "socket/load_balancer.hpp"

#include <algorithm>

namespace slk {

void load_balancer::add(pipe& fresh) {
  pipes_.push_back(&fresh);
  fresh.routed = true;
}

void load_balancer::remove(pipe& gone) noexcept {
  const auto found = std::find(pipes_.begin(), pipes_.end(), &gone);
  if (found == pipes_.end()) {
    return;
  }
  gone.routed = false;
  const auto position = static_cast<std::size_t>(found - pipes_.begin());
  if (open_ && position == current_) {
    open_ = false;
    dropping_ = true;
  }
  pipes_.erase(found);
  if (position < current_) {
    --current_;
  }
  if (current_ >= pipes_.size()) {
    current_ = 0;
  }
}

// The one whose turn it is has no room.
pipe* load_balancer::find_other() noexcept {
  for (std::size_t tried = 0; tried < pipes_.size(); ++tried) {
    pipe* candidate = pipes_[current_];
    if (candidate->has_room()) [[likely]] {
      return candidate;
    }
    if (++current_ >= pipes_.size()) {
      current_ = 0;
    }
  }
  return nullptr;
}

}  // namespace slk
