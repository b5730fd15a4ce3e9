#include "gathering.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "error.hpp"

namespace slk::python {

namespace {

// Whether nobody else has it: it may get another content, as if it were new. Those that the
// interpreter shares have more references.
bool is_ours(PyObject* object) noexcept {
  return Py_REFCNT(object) == 1;
}

bool has_bytes(PyObject* object, const char* data, size_t size) noexcept {
  if (!PyBytes_CheckExact(object) || PyBytes_GET_SIZE(object) != static_cast<Py_ssize_t>(size)) {
    return false;
  }
  const char* const own = PyBytes_AS_STRING(object);
  if (size > 2 * sizeof(std::uint64_t)) {
    return std::memcmp(own, data, size) == 0;
  }
  // Names are short, and a call costs more than to compare one.
  for (size_t i = 0; i < size; ++i) {
    if (own[i] != data[i]) {
      return false;
    }
  }
  return true;
}

void forget_hash(PyObject* bytes) noexcept {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  reinterpret_cast<PyBytesObject*>(bytes)->ob_shash = -1;
#pragma GCC diagnostic pop
}

// CPython 3.14 keeps that of a tuple as well.
void forget_hash_of_tuple([[maybe_unused]] PyObject* tuple) noexcept {
#if PY_VERSION_HEX >= 0x030E0000
  reinterpret_cast<PyTupleObject*>(tuple)->ob_hash = -1;
#endif
}

// Gives bytes another content, if nobody can see it.
bool overwrite(PyObject* object, const char* data, size_t size) noexcept {
  if (!is_ours(object) || !PyBytes_CheckExact(object) ||
      PyBytes_GET_SIZE(object) != static_cast<Py_ssize_t>(size)) {
    return false;
  }
  forget_hash(object);
  std::memcpy(PyBytes_AS_STRING(object), data, size);
  return true;
}

PyObject* bytes_of(const char* data, size_t size) noexcept {
  return PyBytes_FromStringAndSize(data, static_cast<Py_ssize_t>(size));
}

}  // namespace

gathering::gathering(socket& source, int most) : source_(source), most_(static_cast<size_t>(most)) {
  between_.reserve(usual_parts);
  replaced_.reserve(messages_max);
  list_ = source.shelf().take();
  if (list_ == nullptr && (list_ = PyList_New(0)) == nullptr) {
    PyErr_Clear();
    throw std::bad_alloc();
  }
}

gathering::~gathering() {
  if (list_ != nullptr && count_ == 0 && PyList_GET_SIZE(list_) > 0) {
    source_.shelf().put(list_);
  }
  Py_XDECREF(list_);
  for (PyObject* const left : between_) {
    Py_DECREF(left);
  }
  for (PyObject* const left : replaced_) {
    Py_DECREF(left);
  }
  Py_XDECREF(first_);
}

void gathering::make_room() {
  if (between_.size() == between_.capacity()) {
    between_.reserve(2 * between_.size());
  }
}

// What the next message may take the place of, or null.
PyObject* gathering::old_message() const noexcept {
  const auto place = static_cast<Py_ssize_t>(count_);
  return place < PyList_GET_SIZE(list_) ? PyList_GET_ITEM(list_, place) : nullptr;
}

// Steals `message`.
void gathering::put(PyObject* message) noexcept {
  if (PyObject* const old = old_message(); old != nullptr) {
    replaced_.push_back(old);
    PyList_SET_ITEM(list_, static_cast<Py_ssize_t>(count_), message);
  } else {
    const bool is_in = PyList_Append(list_, message) == 0;
    Py_DECREF(message);
    if (!is_in) [[unlikely]] {
      fail();
      return;
    }
  }
  ++count_;
}

// The tuple of its parts, of which `last` is stolen; null without memory.
PyObject* gathering::whole_message(PyObject* last) noexcept {
  const auto count = static_cast<Py_ssize_t>(between_.size() + 2);
  PyObject* const message = PyTuple_New(count);
  if (message == nullptr) [[unlikely]] {
    Py_DECREF(last);
    return nullptr;
  }
  PyTuple_SET_ITEM(message, 0, first_);
  first_ = nullptr;
  for (Py_ssize_t i = 2; i < count; ++i) {
    PyTuple_SET_ITEM(message, i - 1, between_[static_cast<size_t>(i - 2)]);
  }
  between_.clear();
  PyTuple_SET_ITEM(message, count - 1, last);
  return message;
}

// Steals `bytes`.
void gathering::append(PyObject* bytes, bool more) noexcept {
  if (bytes == nullptr) [[unlikely]] {
    fail();
    return;
  }
  if (more) {
    if (first_ == nullptr) {
      gathered_bytes_ += object_bytes;  // the tuple's
      first_ = bytes;
    } else {
      between_.push_back(bytes);
    }
    return;
  }
  PyObject* const message = first_ == nullptr ? bytes : whole_message(bytes);
  if (message == nullptr) [[unlikely]] {
    fail();
    return;
  }
  put(message);
}

// Of a message of several parts. It tends to be that of the message before: a ROUTER's peer.
void gathering::take_first(const char* data, size_t size) noexcept {
  PyObject* const old = old_message();
  if (old != nullptr && is_ours(old) && PyTuple_CheckExact(old) && PyTuple_GET_SIZE(old) == 2 &&
      has_bytes(PyTuple_GET_ITEM(old, 0), data, size)) [[likely]] {
    gathered_bytes_ += object_bytes;
    reused_ = old;
    first_ = Py_NewRef(PyTuple_GET_ITEM(old, 0));
    return;
  }
  PyObject* const last =
      count_ > 0 ? PyList_GET_ITEM(list_, static_cast<Py_ssize_t>(count_ - 1)) : nullptr;
  if (last != nullptr && PyTuple_CheckExact(last) &&
      has_bytes(PyTuple_GET_ITEM(last, 0), data, size)) {
    append(Py_NewRef(PyTuple_GET_ITEM(last, 0)), true);
    return;
  }
  gathered_bytes_ += object_bytes + size;
  append(bytes_of(data, size), true);
}

// The last part of a message, where an old one has a place for it: the one that begins alike, if
// this one has begun.
bool gathering::take_last_in_place(PyObject* begun, const char* data, size_t size) noexcept {
  PyObject* const place = begun != nullptr    ? PyTuple_GET_ITEM(begun, 1)
                          : first_ == nullptr ? old_message()
                                              : nullptr;
  if (place == nullptr || !overwrite(place, data, size)) {
    return false;
  }
  if (begun != nullptr) {
    forget_hash_of_tuple(begun);
    Py_DECREF(std::exchange(first_, nullptr));  // the old message has it as well
  }
  ++count_;
  return true;
}

// 1: to be given the next one, too.
int gathering::take_bytes(const char* data, size_t size, bool more) noexcept {
  source_.note_received(static_cast<int>(size));
  if (more && first_ == nullptr) {
    take_first(data, size);
  } else {
    gathered_bytes_ += object_bytes + size;
    PyObject* const begun = std::exchange(reused_, nullptr);
    if (more || !take_last_in_place(begun, data, size)) {
      append(bytes_of(data, size), more);
    }
  }
  // Behind a long part, the next one may be received without the GIL.
  return is_open() && between_.size() < between_.capacity() && size < socket::long_bytes ? 1 : 0;
}

void gathering::add(PyObject* bytes, bool more) noexcept {
  const collector_pause pause;
  if (bytes != nullptr) {
    const auto size = static_cast<size_t>(PyBytes_GET_SIZE(bytes));
    source_.note_received(static_cast<int>(size));
    gathered_bytes_ += object_bytes + size;
  }
  reused_ = nullptr;
  append(bytes, more);
}

PyObject* gathering::messages() noexcept {
  if (count_ == 0) {
    set_error(failed_ ? ENOMEM : errno);
    return nullptr;
  }
  PyObject* const all = std::exchange(list_, nullptr);
  if (PyList_SetSlice(all, static_cast<Py_ssize_t>(count_), PyList_GET_SIZE(all), nullptr) != 0) {
    Py_DECREF(all);
    return nullptr;
  }
  if (gathered_bytes_ <= kept_bytes_max) {
    source_.shelf().put(all);
  }
  return all;
}

}  // namespace slk::python
