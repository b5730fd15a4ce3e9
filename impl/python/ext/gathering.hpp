// The parts of a batch, from the library's memory into objects of their own.
#pragma once

#include <Python.h>

#include <cstddef>
#include <vector>

#include "socket.hpp"

namespace slk::python {

// Takes parts until there are enough; then messages() has the list of messages.
//
// Parts become objects while the library hands them out, tuples are made of them afterwards: what
// the garbage collector tracks may set it off, and with it any Python code, which may call into the
// library again, or let another thread do so.
class gathering {
 public:
  // Of at most `most` messages from `source`.
  gathering(socket& source, int most);
  ~gathering();
  gathering(const gathering&) = delete;
  gathering& operator=(const gathering&) = delete;

  // A slk_take_fn; `hint` is the gathering.
  static int take(const void* data, size_t size, int more, void* hint) noexcept {
    return static_cast<gathering*>(hint)->take_bytes(static_cast<const char*>(data), size,
                                                     more != 0);
  }

  // A part that is an object already; steals it. Null: there was no memory for it.
  void add(PyObject* bytes, bool more) noexcept;

  // The last part had more behind it.
  bool in_message() const noexcept { return in_message_; }
  // There may be more parts: in the middle of a message, or since not enough has come.
  bool is_open() const noexcept {
    return !failed_ && (in_message_ || (messages_ < most_ && gathered_bytes_ < enough_bytes));
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
  static constexpr size_t usual_parts = enough_bytes / object_bytes;
  static constexpr size_t name_bytes_max = 255;  // of a routing id

  struct part {
    PyObject* bytes;
    bool more;
  };

  int take_bytes(const char* data, size_t size, bool more) noexcept;
  void append(PyObject* bytes, size_t size, bool more) noexcept;
  PyObject* next_message() noexcept;

  socket& source_;
  const int most_;
  int messages_ = 0;  // that are whole
  bool in_message_ = false;
  bool failed_ = false;       // no memory for a part
  PyObject* name_ = nullptr;  // first part of the last message that had several: a ROUTER's peer
  size_t gathered_bytes_ = 0;
  size_t next_ = 0;          // of parts_, which messages() has not given away
  std::vector<part> parts_;  // never beyond its capacity while parts are taken
};

}  // namespace slk::python
