#include <algorithm>
#include <stdexcept>

#include "explorer.hpp"

namespace slk::model {

namespace {

thread& thread_of(model& of, std::string_view name) {
  const auto found = std::find_if(of.threads.begin(), of.threads.end(),
                                  [&](const thread& one) { return one.name == name; });
  if (found == of.threads.end()) {
    throw std::logic_error("no thread " + std::string(name));
  }
  return *found;
}

step& step_of(thread& of, std::string_view name) {
  const auto found = std::find_if(of.steps.begin(), of.steps.end(),
                                  [&](const step& one) { return one.name == name; });
  if (found == of.steps.end()) {
    throw std::logic_error("no step " + std::string(name) + " in " + of.name);
  }
  return *found;
}

}  // namespace

// -- edits ----------------------------------------------------------------------------------------

model model::with(std::string_view thread_name, std::string_view step_name,
                  std::function<void(cpu&)> run) const {
  model edited = *this;
  thread& target = thread_of(edited, thread_name);
  static_cast<void>(step_of(target, step_name));
  for (step& one : target.steps) {
    if (one.name == step_name) {
      one.run = run;
    }
  }
  return edited;
}

model model::without(std::string_view thread_name, std::string_view step_name) const {
  return with(thread_name, step_name, {});
}

model model::swapped(std::string_view thread_name, std::string_view one,
                     std::string_view other) const {
  model edited = *this;
  thread& target = thread_of(edited, thread_name);
  std::swap(step_of(target, one), step_of(target, other));
  return edited;
}

program join(std::initializer_list<program> parts) {
  program whole;
  for (const program& part : parts) {
    whole.insert(whole.end(), part.begin(), part.end());
  }
  return whole;
}

// -- steps ----------------------------------------------------------------------------------------

void cpu::count_access() {
  if (accessed_) {
    throw std::logic_error("two accesses in one step hide the interleavings between them: " +
                           model_.threads[self_].steps[self().at].name);
  }
  accessed_ = true;
}

void cpu::drain_all(word index) {
  while (next_.threads[index].buffered > 0) {
    drain(next_, index, 0);
  }
}

word cpu::load(word variable) {
  count_access();
  for (std::size_t i = self().buffered; i > 0; --i) {
    if (self().buffer[i - 1].variable == variable) {
      return self().buffer[i - 1].value;
    }
  }
  return next_.memory[variable];
}

void cpu::store(word variable, word value, order how) {
  count_access();
  if (self().buffered == buffer_max) {
    block();
    return;
  }
  self().buffer[self().buffered++] = {variable, value, how == order::relaxed ? word{0} : word{1}};
  if (how == order::seq_cst) {
    drain_all(self_);
  }
}

word cpu::modify(word variable, const std::function<word(word)>& change, order how) {
  count_access();
  const bool behind_all = how_ == machine::x86 || (how != order::acquire && how != order::relaxed);
  const auto end = self().buffer.begin() + self().buffered;
  if (behind_all || std::any_of(self().buffer.begin(), end, [&](const thread_state::store& one) {
        return one.variable == variable;
      })) {
    drain_all(self_);
  }
  const word before = next_.memory[variable];
  next_.memory[variable] = change(before);
  return before;
}

void cpu::lock(word variable) {
  if (exchange(variable, 1, order::acquire) != 0) {
    block();
  }
}

void cpu::fence() {
  count_access();
  drain_all(self_);
}

void cpu::heavy_fence() {
  count_access();
  thread_state& own = self();
  const word own_bit = static_cast<word>(1u << self_);
  if ((own.fenced & own_bit) == 0) {
    drain_all(self_);
    own.fenced = own_bit;
  } else {
    // Any of the others next.
    const unsigned other = choose(static_cast<unsigned>(model_.threads.size()));
    const word bit = static_cast<word>(1u << other);
    if ((own.fenced & bit) != 0) {
      block();
      return;
    }
    drain_all(static_cast<word>(other));
    own.fenced = static_cast<word>(own.fenced | bit);
  }
  if (own.fenced + 1u == 1u << model_.threads.size()) {
    own.fenced = 0;
  } else {
    again();
  }
}

unsigned cpu::choose(unsigned count) {
  alternatives_ = count;
  return choice_;
}

void cpu::go(std::string_view name) {
  const program& steps = model_.threads[self_].steps;
  for (std::size_t at = self().at + 1u; at < steps.size(); ++at) {
    if (steps[at].name == name) {
      self().at = static_cast<word>(at);
      jumped_ = true;
      return;
    }
  }
  throw std::logic_error("no step to go to: " + std::string(name));
}

void cpu::back(std::string_view name) {
  const program& steps = model_.threads[self_].steps;
  for (std::size_t at = self().at; at > 0; --at) {
    if (steps[at - 1].name == name) {
      self().at = static_cast<word>(at - 1);
      jumped_ = true;
      return;
    }
  }
  throw std::logic_error("no step to go back to: " + std::string(name));
}

void cpu::end() {
  self().at = static_cast<word>(model_.threads[self_].steps.size());
  jumped_ = true;
}

void cpu::again() {
  jumped_ = true;
}

void drain(state& of, std::size_t thread, std::size_t index) {
  thread_state& owner = of.threads[thread];
  of.memory[owner.buffer[index].variable] = owner.buffer[index].value;
  std::move(owner.buffer.begin() + static_cast<std::ptrdiff_t>(index) + 1,
            owner.buffer.begin() + owner.buffered,
            owner.buffer.begin() + static_cast<std::ptrdiff_t>(index));
  owner.buffer[--owner.buffered] = {};
}

}  // namespace slk::model
