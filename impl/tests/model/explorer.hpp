// explorer: every interleaving of a few small threads, with the reorderings that store buffers add.
//
// A model is two or three threads; a thread is a list of named steps; a step makes at most one
// access to a model atomic, and whatever it likes with its locals. A step's name is also a label
// to go to. The explorer takes every step of every thread in every order, breadth first, so that
// what it prints of a broken model is a shortest interleaving.
//
// Memory: a store goes into the buffer of its thread, which the thread itself reads through, and
// drains to memory at any later moment.
//   machine::x86   in the order of the stores
//   machine::weak  in any order, save that stores to one variable stay in order and a release store
//                  goes behind all that its thread stored before
// A compiler barrier does nothing. A seq_cst fence drains the thread's buffer. A heavy fence drains
// its own, then, one at a time, those of all other threads: what membarrier(2) promises. A
// read-modify-write acts on memory: behind the whole buffer on x86 and with release, else behind
// the stores to its own variable. Loads are not reordered with one another: an `acquire` too few is
// not found, a fence or `release` too few is.
//
// What breaks a model: a step that calls fail(); the invariant, asked at every state; a thread that
// waits for ever where it must not, or final(), asked where nothing can happen any more; and states
// from which no such rest can be reached (threads that keep each other busy for ever).

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace slk::model {

using word = std::uint8_t;

inline constexpr std::size_t variables_max = 24;
inline constexpr std::size_t threads_max = 3;
inline constexpr std::size_t locals_max = 12;
inline constexpr std::size_t buffer_max = 6;  // a store waits while so many are undrained

enum class machine { x86, weak };
enum class order { relaxed, acquire, release, acq_rel, seq_cst };

// All of a model's state at a moment; bytes only, so that states compare as memory.
struct thread_state {
  word at = 0;        // the next step
  word fenced = 0;    // in a heavy fence: the threads that have passed it
  word buffered = 0;  // stores in the buffer
  std::array<word, locals_max> locals{};
  struct store {
    word variable = 0;
    word value = 0;
    word released = 0;  // a release store
  };
  std::array<store, buffer_max> buffer{};
};
struct state {
  std::array<word, variables_max> memory{};
  std::array<thread_state, threads_max> threads{};
};

// The store at this place of the thread's buffer goes to memory.
void drain(state& of, std::size_t thread, std::size_t index);

class cpu;

struct step {
  std::string name;
  std::function<void(cpu&)> run;  // none: a label only
};
using program = std::vector<step>;

struct thread {
  std::string name;
  program steps;
  bool serves = false;  // may wait for ever when all is done
};

struct model {
  std::vector<std::string> variables;  // names, for the print
  std::vector<thread> threads;
  std::array<word, variables_max> initial{};
  // What is wrong with a state; empty: nothing. Variables are seen as they are in memory.
  std::function<std::string(const state&)> invariant;
  std::function<std::string(const state&)> final;

  // Edits for mutants: the steps of this name do nothing, do something else, change places (the
  // first of each name). A name that is not there throws: a mutant that is the original proves
  // nothing.
  [[nodiscard]] model without(std::string_view thread_name, std::string_view step_name) const;
  [[nodiscard]] model with(std::string_view thread_name, std::string_view step_name,
                           std::function<void(cpu&)> run) const;
  [[nodiscard]] model swapped(std::string_view thread_name, std::string_view one,
                              std::string_view other) const;
};

// What a step can do.
class cpu {
 public:
  [[nodiscard]] word load(word variable);
  void store(word variable, word value, order how);
  // Read, modify and write in one; the value before.
  word modify(word variable, const std::function<word(word)>& change, order how);
  word exchange(word variable, word value, order how) {
    return modify(variable, [value](word) { return value; }, how);
  }
  void lock(word variable);  // waits for 0, takes it by storing 1
  void unlock(word variable) { store(variable, 0, order::release); }
  void fence();          // seq_cst
  void light_fence() {}  // a compiler barrier
  void heavy_fence();

  // What no store buffer stands before: the kernel's objects, and the model's own bookkeeping.
  [[nodiscard]] word& direct(word variable) { return next_.memory[variable]; }
  [[nodiscard]] word& local(word index) { return self().locals[index]; }

  // All alternatives are tried: 0 to count - 1.
  [[nodiscard]] unsigned choose(unsigned count);

  // The nearest step of this name behind this one, or before it. end(): the thread is done.
  void go(std::string_view name);
  void back(std::string_view name);
  void end();
  void again();
  // Undoes this step: it cannot be taken now.
  void block() { blocked_ = true; }
  void fail(std::string_view why) { failure_ = why; }

 private:
  friend class exploration;
  cpu(const model& of, machine how, state& next, word self, unsigned choice) noexcept
      : model_(of), how_(how), next_(next), self_(self), choice_(choice) {}
  [[nodiscard]] thread_state& self() { return next_.threads[self_]; }
  void count_access();
  void drain_all(word index);

  const model& model_;
  const machine how_;
  state& next_;
  const word self_;
  const unsigned choice_;
  unsigned alternatives_ = 1;
  bool accessed_ = false;
  bool jumped_ = false;
  bool blocked_ = false;
  std::string failure_;
};

struct verdict {
  std::string broken;  // empty: holds; else what is, and the interleaving that leads there
  std::size_t states = 0;
};

// Throws std::length_error when the model has more states than a test should have.
[[nodiscard]] verdict explore(const model& what, machine how);

// The parts put behind one another.
[[nodiscard]] program join(std::initializer_list<program> parts);

}  // namespace slk::model
