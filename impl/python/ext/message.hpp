// Owners of what a send or a receive borrows for its duration.
#pragma once

#include <nanobind/nanobind.h>
#include <serverlink/serverlink.h>

namespace slk::python {

// The bytes of a Python object: of `bytes` directly, of anything else through the buffer protocol.
class buffer_view {
 public:
  // Throws TypeError if the object has no contiguous buffer.
  explicit buffer_view(PyObject* object) {
    if (PyBytes_CheckExact(object)) {
      Py_INCREF(object);
      bytes_ = object;
      data_ = PyBytes_AS_STRING(object);
      size_ = static_cast<size_t>(PyBytes_GET_SIZE(object));
      return;
    }
    if (PyObject_GetBuffer(object, &buffer_, PyBUF_SIMPLE) != 0) {
      throw nanobind::python_error();
    }
    data_ = buffer_.buf;
    size_ = static_cast<size_t>(buffer_.len);
  }

  buffer_view(buffer_view&& other) noexcept
      : bytes_(other.bytes_), buffer_(other.buffer_), data_(other.data_), size_(other.size_) {
    other.bytes_ = nullptr;
    other.buffer_.obj = nullptr;
  }
  buffer_view(const buffer_view&) = delete;
  buffer_view& operator=(const buffer_view&) = delete;
  buffer_view& operator=(buffer_view&&) = delete;

  ~buffer_view() {
    Py_XDECREF(bytes_);
    if (buffer_.obj != nullptr) {
      PyBuffer_Release(&buffer_);
    }
  }

  const void* data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }

 private:
  PyObject* bytes_ = nullptr;
  Py_buffer buffer_{};
  const void* data_ = nullptr;
  size_t size_ = 0;
};

// A received part.
class received_part {
 public:
  received_part() noexcept { slk_msg_init(&msg_); }
  ~received_part() { slk_msg_close(&msg_); }
  received_part(const received_part&) = delete;
  received_part& operator=(const received_part&) = delete;

  slk_msg_t* get() noexcept { return &msg_; }
  bool more() const noexcept { return slk_msg_more(&msg_) != 0; }

  // A new bytes object with the body; null with MemoryError set.
  PyObject* to_bytes() noexcept {
    return PyBytes_FromStringAndSize(static_cast<const char*>(slk_msg_data(&msg_)),
                                     static_cast<Py_ssize_t>(slk_msg_size(&msg_)));
  }

 private:
  slk_msg_t msg_;
};

}  // namespace slk::python
