#include "explorer.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <type_traits>

namespace slk::model {

static_assert(std::has_unique_object_representations_v<state>);

namespace {

constexpr std::size_t states_max = 2'000'000;

bool drains_now(const thread_state& of, std::size_t index, machine how) {
  if (how == machine::x86 || of.buffer[index].released != 0) {
    return index == 0;
  }
  return std::none_of(of.buffer.begin(), of.buffer.begin() + static_cast<std::ptrdiff_t>(index),
                      [&](const auto& one) { return one.variable == of.buffer[index].variable; });
}

// Labels are passed without a state of their own.
void pass_labels(thread_state& of, const program& steps) {
  while (of.at < steps.size() && !steps[of.at].run) {
    ++of.at;
  }
}

}  // namespace

class exploration {
 public:
  exploration(const model& what, machine how) : model_(what), how_(how), index_(1u << 12) {}

  verdict run() {
    state start;
    start.memory = model_.initial;
    for (std::size_t t = 0; t < model_.threads.size(); ++t) {
      pass_labels(start.threads[t], model_.threads[t].steps);
    }
    if (!add(start, {})) {
      return broken();
    }
    for (at_ = 0; at_ < states_.size(); ++at_) {
      moved_ = false;
      if (!expand() || (!moved_ && !rest())) {
        return broken();
      }
    }
    return find_restless() ? broken() : verdict{{}, states_.size()};
  }

 private:
  struct origin {
    std::uint32_t from = 0;
    word thread = 0;
    word step = 0;
    bool drained = false;
    word variable = 0;
    word value = 0;
  };
  struct edge {
    std::uint32_t from;
    std::uint32_t to;
  };

  // Takes every step that can be taken from the state at_. False: broken.
  bool expand() {
    for (std::size_t t = 0; t < model_.threads.size(); ++t) {
      const word self = static_cast<word>(t);
      const thread_state before = states_[at_].threads[t];
      for (std::size_t i = 0; i < before.buffered; ++i) {
        if (drains_now(before, i, how_)) {
          state next = states_[at_];
          drain(next, t, i);
          if (!add(next, {at_, self, 0, true, before.buffer[i].variable, before.buffer[i].value})) {
            return false;
          }
        }
      }
      const thread& one = model_.threads[t];
      const program& steps = one.steps;
      if (before.at == steps.size()) {
        continue;
      }
      unsigned alternatives = 1;
      for (unsigned choice = 0; choice < alternatives; ++choice) {
        state next = states_[at_];
        cpu on(model_, how_, next, self, choice);
        steps[before.at].run(on);
        alternatives = on.alternatives_;
        if (on.blocked_) {
          continue;
        }
        if (!on.jumped_) {
          ++next.threads[t].at;
        }
        pass_labels(next.threads[t], steps);
        if (!on.failure_.empty()) {
          why_ = on.failure_;
          reached_ = at_;
          failed_step_ = one.name + ": " + steps[before.at].name;
          return false;
        }
        if (!add(next, {at_, self, before.at, false, 0, 0})) {
          return false;
        }
      }
    }
    return true;
  }

  // False: the state breaks the invariant.
  bool add(const state& next, const origin& from) {
    if (2 * states_.size() >= index_.size()) {
      grow_index();
    }
    const std::size_t slot = slot_of(next);
    bool holds = true;
    if (index_[slot] == 0) {
      if (states_.size() == states_max) {
        throw std::length_error("the model is too large");
      }
      states_.push_back(next);
      origins_.push_back(from);
      index_[slot] = static_cast<std::uint32_t>(states_.size());
      why_ = model_.invariant ? model_.invariant(next) : std::string{};
      holds = why_.empty();
    }
    reached_ = index_[slot] - 1;
    edges_.push_back(
        {from.from, reached_});  // the start has itself for an origin, which is harmless
    moved_ = true;
    return holds;
  }

  // Nothing can happen in the state at_ any more. False: it should not be so.
  bool rest() {
    resting_.push_back(at_);
    reached_ = at_;
    for (std::size_t t = 0; t < model_.threads.size(); ++t) {
      const thread& one = model_.threads[t];
      const word at = states_[at_].threads[t].at;
      if (at < one.steps.size() && !one.serves) {
        why_ = one.name + " waits for ever at: " + one.steps[at].name;
        return false;
      }
    }
    why_ = model_.final ? model_.final(states_[at_]) : std::string{};
    return why_.empty();
  }

  // True: from some state no rest can be reached.
  bool find_restless() {
    std::sort(edges_.begin(), edges_.end(),
              [](const edge& a, const edge& b) { return a.to < b.to; });
    std::vector<bool> rests(states_.size(), false);
    std::vector<std::uint32_t> left = resting_;
    for (const std::uint32_t one : resting_) {
      rests[one] = true;
    }
    while (!left.empty()) {
      const std::uint32_t to = left.back();
      left.pop_back();
      auto into = std::lower_bound(edges_.begin(), edges_.end(), to,
                                   [](const edge& a, std::uint32_t b) { return a.to < b; });
      for (; into != edges_.end() && into->to == to; ++into) {
        if (!rests[into->from]) {
          rests[into->from] = true;
          left.push_back(into->from);
        }
      }
    }
    const auto restless = std::find(rests.begin(), rests.end(), false);
    why_ = "the threads never come to rest";
    reached_ = static_cast<std::uint32_t>(restless - rests.begin());
    return restless != rests.end();
  }

  [[nodiscard]] std::size_t slot_of(const state& wanted) const {
    const std::string_view bytes{reinterpret_cast<const char*>(&wanted), sizeof wanted};
    std::size_t slot = std::hash<std::string_view>{}(bytes) % index_.size();
    while (index_[slot] != 0 &&
           std::memcmp(&states_[index_[slot] - 1], &wanted, sizeof wanted) != 0) {
      slot = (slot + 1) % index_.size();
    }
    return slot;
  }

  void grow_index() {
    index_.assign(4 * index_.size(), 0);
    for (std::size_t i = 0; i < states_.size(); ++i) {
      index_[slot_of(states_[i])] = static_cast<std::uint32_t>(i + 1);
    }
  }

  [[nodiscard]] verdict broken() const {
    std::vector<std::uint32_t> path;
    for (std::uint32_t at = reached_; at != 0; at = origins_[at].from) {
      path.push_back(at);
    }
    std::string text = why_ + "\n";
    for (auto at = path.rbegin(); at != path.rend(); ++at) {
      const origin& how = origins_[*at];
      const thread& who = model_.threads[how.thread];
      text += "  " + who.name + ": ";
      text += how.drained
                  ? "(buffer) " + model_.variables[how.variable] + " = " + std::to_string(how.value)
                  : who.steps[how.step].name;
      text += "\n";
    }
    text += failed_step_.empty() ? "" : "  " + failed_step_ + "\n";
    text += "in memory:";
    for (std::size_t i = 0; i < model_.variables.size(); ++i) {
      text += " " + model_.variables[i] + "=" + std::to_string(states_[reached_].memory[i]);
    }
    return {text + "\n", states_.size()};
  }

  const model& model_;
  const machine how_;
  std::vector<state> states_;
  std::vector<origin> origins_;
  std::vector<std::uint32_t> index_;  // of states_, plus 1; 0: free
  std::vector<edge> edges_;
  std::vector<std::uint32_t> resting_;
  std::uint32_t at_ = 0;
  std::uint32_t reached_ = 0;
  bool moved_ = false;
  std::string why_;
  std::string failed_step_;  // the one that called fail(), which leads to no state
};

verdict explore(const model& what, machine how) {
  if (what.threads.size() > threads_max || what.variables.size() > variables_max) {
    throw std::logic_error("a model of this size does not fit");
  }
  return exploration(what, how).run();
}

}  // namespace slk::model
