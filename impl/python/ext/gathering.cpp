#include "gathering.hpp"

#include <cerrno>
#include <cstring>

#include "error.hpp"

namespace slk::python {

gathering::gathering(socket& source, int most) : source_(source), most_(most) {
  parts_.reserve(usual_parts);
}

gathering::~gathering() {
  for (size_t i = next_; i < parts_.size(); ++i) {
    Py_DECREF(parts_[i].bytes);
  }
  Py_XDECREF(name_);
}

void gathering::make_room() {
  if (parts_.size() == parts_.capacity()) {
    parts_.reserve(2 * parts_.size());
  }
}

void gathering::append(PyObject* bytes, size_t size, bool more) noexcept {
  source_.note_received(static_cast<int>(size));
  if (more && !in_message_) {
    gathered_bytes_ += object_bytes;  // the tuple's
  }
  in_message_ = more;
  messages_ += more ? 0 : 1;
  parts_.push_back({bytes, more});
}

// 1: to be given the next one, too.
int gathering::take_bytes(const char* data, size_t size, bool more) noexcept {
  PyObject* bytes = nullptr;
  // Messages of one peer tend to follow each other.
  const bool is_name = more && !in_message_ && size <= name_bytes_max;
  if (is_name && name_ != nullptr && PyBytes_GET_SIZE(name_) == static_cast<Py_ssize_t>(size) &&
      std::memcmp(PyBytes_AS_STRING(name_), data, size) == 0) {
    bytes = Py_NewRef(name_);
  } else {
    gathered_bytes_ += object_bytes + size;
    bytes = PyBytes_FromStringAndSize(data, static_cast<Py_ssize_t>(size));
    if (bytes == nullptr) [[unlikely]] {
      PyErr_Clear();
      failed_ = true;
      return 0;
    }
    if (is_name) {
      Py_XSETREF(name_, Py_NewRef(bytes));
    }
  }
  append(bytes, size, more);
  // Behind a long part, the next one may be received without the GIL.
  return parts_.size() < parts_.capacity() && size < socket::long_bytes && is_open() ? 1 : 0;
}

void gathering::add(PyObject* bytes, bool more) noexcept {
  if (bytes == nullptr) {
    PyErr_Clear();
    failed_ = true;
    return;
  }
  const auto size = static_cast<size_t>(PyBytes_GET_SIZE(bytes));
  gathered_bytes_ += object_bytes + size;
  append(bytes, size, more);
}

PyObject* gathering::next_message() noexcept {
  size_t count = 1;
  while (parts_[next_ + count - 1].more) {
    ++count;
  }
  if (count == 1) {
    return parts_[next_++].bytes;
  }
  PyObject* const message = PyTuple_New(static_cast<Py_ssize_t>(count));
  if (message != nullptr) {
    for (size_t i = 0; i < count; ++i) {
      PyTuple_SET_ITEM(message, static_cast<Py_ssize_t>(i), parts_[next_++].bytes);
    }
  }
  return message;
}

PyObject* gathering::messages() noexcept {
  if (messages_ == 0) {
    set_error(failed_ ? ENOMEM : errno);
    return nullptr;
  }
  PyObject* const all = PyList_New(messages_);
  if (all == nullptr) {
    return nullptr;
  }
  PyObject_GC_UnTrack(all);  // nobody is to find it with items missing
  for (Py_ssize_t i = 0; i < messages_; ++i) {
    PyObject* const message = next_message();
    if (message == nullptr) {
      Py_DECREF(all);
      return nullptr;
    }
    PyList_SET_ITEM(all, i, message);
  }
  PyObject_GC_Track(all);
  return all;
}

}  // namespace slk::python
