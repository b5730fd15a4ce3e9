// Owners of what a send or a receive borrows for its duration.
#pragma once

#include <nanobind/nanobind.h>
#include <serverlink/serverlink.h>

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "interpreter.hpp"

namespace slk::python {

// The bytes of a Python object: of `bytes` directly, of anything else through the buffer protocol.
class buffer_view {
 public:
  // Throws TypeError if the object has no contiguous buffer.
  explicit buffer_view(PyObject* object) {
    if (PyBytes_CheckExact(object)) [[likely]] {
      Py_INCREF(object);
      bytes_ = object;
      data_ = PyBytes_AS_STRING(object);
      size_ = static_cast<size_t>(PyBytes_GET_SIZE(object));
      return;
    }
    if (PyObject_GetBuffer(object, &buffer_, PyBUF_SIMPLE) != 0) {
      explain(object);
      throw nanobind::python_error();
    }
    bytes_ = nullptr;
    data_ = buffer_.buf;
    size_ = static_cast<size_t>(buffer_.len);
  }
  buffer_view(const buffer_view&) = delete;
  buffer_view& operator=(const buffer_view&) = delete;

  ~buffer_view() {
    if (bytes_ != nullptr) {
      Py_DECREF(bytes_);
    } else {
      PyBuffer_Release(&buffer_);
    }
  }

  const void* data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }

 private:
  static void explain(PyObject* object) noexcept {
    if (PyUnicode_Check(object)) {
      PyErr_SetString(PyExc_TypeError,
                      "bytes are wanted, not str: encode the text, or use send_string()");
    }
  }

  PyObject* bytes_;
  const void* data_;
  size_t size_;
  Py_buffer buffer_;  // not initialised where bytes_ is not null
};

// A writable buffer, held while a message is received into it. Throws BufferError, TypeError.
class writable_view {
 public:
  explicit writable_view(PyObject* object) {
    if (PyObject_GetBuffer(object, &buffer_, PyBUF_WRITABLE) != 0) {
      throw nanobind::python_error();
    }
  }
  writable_view(const writable_view&) = delete;
  writable_view& operator=(const writable_view&) = delete;
  ~writable_view() { PyBuffer_Release(&buffer_); }

  char* data() const noexcept { return static_cast<char*>(buffer_.buf); }
  Py_ssize_t size() const noexcept { return buffer_.len; }

 private:
  Py_buffer buffer_;
};

// The views of all parts of a message, taken before the first is sent: a wrong last part must not
// leave half of it behind. Few parts need no memory.
class part_views {
 public:
  // Throws TypeError for what is no iterable of buffers.
  explicit part_views(PyObject* parts) {
    const auto items = nanobind::steal(PySequence_Fast(parts, "a message is an iterable of parts"));
    if (!items.is_valid()) {
      throw nanobind::python_error();
    }
    try {
      for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.ptr()); ++i) {
        add(PySequence_Fast_GET_ITEM(items.ptr(), i));
      }
    } catch (...) {
      release();
      throw;
    }
  }
  ~part_views() { release(); }
  part_views(const part_views&) = delete;
  part_views& operator=(const part_views&) = delete;

  size_t size() const noexcept { return size_; }
  const buffer_view& operator[](size_t index) const noexcept {
    return index < few
               ? *reinterpret_cast<const buffer_view*>(few_.data() + index * sizeof(buffer_view))
               : *more_[index - few];
  }

 private:
  static constexpr size_t few = 4;

  void add(PyObject* part) {
    if (size_ < few) {
      new (few_.data() + size_ * sizeof(buffer_view)) buffer_view(part);
    } else {
      more_.push_back(std::make_unique<buffer_view>(part));
    }
    ++size_;
  }
  void release() noexcept {
    for (size_t i = 0; i < size_ && i < few; ++i) {
      reinterpret_cast<buffer_view*>(few_.data() + i * sizeof(buffer_view))->~buffer_view();
    }
    size_ = 0;
  }

  size_t size_ = 0;
  alignas(buffer_view) std::array<std::byte, few * sizeof(buffer_view)> few_;
  std::vector<std::unique_ptr<buffer_view>> more_;
};

// A part to receive, as a new bytes object of just its size.
class received_part {
 public:
  received_part() noexcept {}
  ~received_part() { Py_XDECREF(bytes_); }
  received_part(const received_part&) = delete;
  received_part& operator=(const received_part&) = delete;

  // With the GIL: the library copies straight into the object.
  int receive(void* handle, int flags) noexcept {
    return slk_recv_alloc(handle, &received_part::allocate, this, flags);
  }

  // Without the GIL, which it takes only to make the object of a part that is not short.
  int receive_waiting(void* handle) noexcept {
    return slk_recv_alloc(handle, &received_part::allocate_without_gil, this, 0);
  }

  bool more() const noexcept { return more_; }

  // The object; null with MemoryError set. Call it once, after success.
  PyObject* take() noexcept {
    if (is_noted_) {
      is_noted_ = false;
      return PyBytes_FromStringAndSize(noted_.data(), static_cast<Py_ssize_t>(noted_size_));
    }
    return std::exchange(bytes_, nullptr);
  }

 private:
  static constexpr size_t short_bytes_max = 1024;

  static void* allocate(size_t size, int more, void* hint) noexcept {
    auto& part = *static_cast<received_part*>(hint);
    part.more_ = more != 0;
    part.bytes_ = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size));
    if (part.bytes_ == nullptr) {
      PyErr_Clear();  // ENOMEM tells
      return nullptr;
    }
    return PyBytes_AS_STRING(part.bytes_);
  }
  static void* allocate_without_gil(size_t size, int more, void* hint) noexcept {
    if (size > short_bytes_max) {
      return with_gil([&] { return allocate(size, more, hint); });
    }
    auto& part = *static_cast<received_part*>(hint);
    part.more_ = more != 0;
    part.is_noted_ = true;
    part.noted_size_ = size;
    return part.noted_.data();
  }

  PyObject* bytes_ = nullptr;
  bool more_ = false;
  bool is_noted_ = false;
  size_t noted_size_ = 0;
  std::array<char, short_bytes_max> noted_;  // content where is_noted_
};

}  // namespace slk::python
