// The parts of a batch, from the library's memory into objects of their own.
#pragma once

#include <Python.h>

#include <cstddef>
#include <vector>

#include "socket.hpp"

namespace slk::python {

// Takes parts until there are enough; then messages() has the list of messages.
//
// Parts and their tuples are made while the library hands the parts out. What the garbage collector
// tracks may set it off, and with it any Python code, which may call into the library again, or let
// another thread do so: so it pauses meanwhile, see collector_pause. For the same reason what is
// replaced is freed only afterwards.
//
// Where a batch that was dropped is at hand (see batch_shelf), its objects get the new content,
// unless somebody has kept them, or another size is wanted.
class gathering {
 public:
  // Of at most `most` messages from `source`. Throws std::bad_alloc.
  gathering(socket& source, int most);
  ~gathering();
  gathering(const gathering&) = delete;
  gathering& operator=(const gathering&) = delete;

  // A slk_take_fn; `hint` is the gathering. To be called while a collector_pause lives.
  static int take(const void* data, size_t size, int more, void* hint) noexcept {
    return static_cast<gathering*>(hint)->take_bytes(static_cast<const char*>(data), size,
                                                     more != 0);
  }

  // A part that is an object already; steals it. Null: there was no memory for it.
  void add(PyObject* bytes, bool more) noexcept;

  // The last part had more behind it.
  bool in_message() const noexcept { return first_ != nullptr; }
  // There may be more parts: in the middle of a message, or since not enough has come.
  bool is_open() const noexcept {
    return !failed_ && (in_message() || (count_ < most_ && gathered_bytes_ < enough_bytes));
  }
  // Makes room for parts; call it while is_open(). Throws std::bad_alloc.
  void make_room();

  // The whole messages: bytes each, or the tuple of its parts. Null with an error set, also if
  // memory ran out before the first was whole. Call it once.
  PyObject* messages() noexcept;

 private:
  // A batch that has so much ends: what is gathered beyond leaves the caches before it is looked
  // at. Below half of what malloc() gives back to the system when it becomes free, so that the
  // memory of the next batch is that of the last one, and not new.
  static constexpr size_t enough_bytes = 64 * 1024;
  // What an object takes beside its content. Counted, so that the tuples of a batch are fewer than
  // those that make the garbage collector look through all of them, and than those that the
  // interpreter keeps for the next batch.
  static constexpr size_t object_bytes = 64;
  static constexpr size_t messages_max = enough_bytes / object_bytes + 1;
  static constexpr size_t usual_parts = 8;
  // Of a batch that is kept for its objects: not of one that has a large message.
  static constexpr size_t kept_bytes_max = 2 * enough_bytes;

  int take_bytes(const char* data, size_t size, bool more) noexcept;
  void take_first(const char* data, size_t size) noexcept;
  bool take_last_in_place(PyObject* begun, const char* data, size_t size) noexcept;
  void append(PyObject* bytes, bool more) noexcept;
  PyObject* whole_message(PyObject* last) noexcept;
  PyObject* old_message() const noexcept;
  void put(PyObject* message) noexcept;
  void fail() noexcept {
    PyErr_Clear();
    failed_ = true;
  }

  socket& source_;
  const size_t most_;
  bool failed_ = false;         // no memory for a part
  PyObject* list_ = nullptr;    // whole messages, and behind them what is left of an old batch
  size_t count_ = 0;            // of whole messages
  PyObject* first_ = nullptr;   // part of the message that is not whole yet
  PyObject* reused_ = nullptr;  // the old message that begins with it, which stays in its place
  size_t gathered_bytes_ = 0;
  // Neither grows while parts are taken.
  std::vector<PyObject*> between_;  // the first part and the last one
  std::vector<PyObject*> replaced_;
};

// While it lives the garbage collector does not run by itself.
class collector_pause {
 public:
  collector_pause() noexcept : was_on_(PyGC_Disable() != 0) {}
  ~collector_pause() {
    if (was_on_) {
      PyGC_Enable();
    }
  }
  collector_pause(const collector_pause&) = delete;
  collector_pause& operator=(const collector_pause&) = delete;

 private:
  const bool was_on_;
};

}  // namespace slk::python
