#include "batch.hpp"

#include <serverlink/serverlink.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "arguments.hpp"
#include "error.hpp"
#include "gathering.hpp"
#include "interpreter.hpp"
#include "transfer.hpp"

namespace nb = nanobind;

namespace slk::python {

namespace {

// How often a long batch looks at the clock, and how long it holds up other threads: as long as the
// interpreter's own loop by default, since handing the GIL over takes as long as a thousand sends.
constexpr Py_ssize_t messages_per_look = 1024;
constexpr auto turn = std::chrono::milliseconds(5);
constexpr int usual_max = 1000;

constexpr signature<2> send_many_signature{"send_many", 1, {"messages", "flags"}};
constexpr signature<2> recv_many_signature{"recv_many", 0, {"max_messages", "timeout"}};
constexpr signature<3> recv_into_many_signature{
    "recv_into_many", 2, {"buffer", "slot_bytes", "timeout"}};

class turns {
 public:
  // Lets signal handlers and other threads run, if it is time; throws what a handler raised.
  void take(Py_ssize_t done) {
    if (done % messages_per_look == 0) [[unlikely]] {
      check_signals();
      if (clock::now() - start_ >= turn) {
        without_gil([] { return 0; });
        start_ = clock::now();
      }
    }
  }

 private:
  using clock = std::chrono::steady_clock;
  clock::time_point start_ = clock::now();
};

// Answers of send_now() beside those of the library.
constexpr int not_now = INT_MIN;
constexpr Py_ssize_t few_parts = 8;

// The bytes of an object that need no buffer to be held for as long as the GIL is. False: of
// another kind, or so long that other threads should run while they are copied.
bool peek(PyObject* object, slk_part_t& part) noexcept {
  if (PyBytes_CheckExact(object)) {
    part = {PyBytes_AS_STRING(object), static_cast<size_t>(PyBytes_GET_SIZE(object))};
  } else if (PyByteArray_CheckExact(object)) {
    part = {PyByteArray_AS_STRING(object), static_cast<size_t>(PyByteArray_GET_SIZE(object))};
  } else {
    return false;
  }
  return part.size < socket::long_bytes;
}

// What was sent at once: not_now if it would have to wait, and may.
int unless_waiting(int sent, int flags) noexcept {
  const bool may_wait = (flags & SLK_DONTWAIT) == 0;
  return sent < 0 && may_wait && (errno == EAGAIN || errno == EINTR) ? not_now : sent;
}

// Sends a message of several parts of the usual kind: not_now if it is of another one, or would
// have to wait.
int send_parts_now(socket& target, PyObject* message, int flags) {
  std::array<slk_part_t, few_parts> parts;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(message);
  PyObject* const* const items = PySequence_Fast_ITEMS(message);
  if (count < 1 || count > few_parts) {
    return not_now;
  }
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (!peek(items[i], parts[static_cast<size_t>(i)])) {
      return not_now;
    }
  }
  return unless_waiting(slk_send_parts(target.usable(), parts.data(), static_cast<size_t>(count),
                                       flags | SLK_DONTWAIT),
                        flags);
}

// The same for a message of any number of them.
int send_now(socket& target, PyObject* message, int flags) {
  slk_part_t part;
  if (peek(message, part)) {
    return unless_waiting(slk_send(target.usable(), part.data, part.size, flags | SLK_DONTWAIT),
                          flags);
  }
  if (PyTuple_CheckExact(message) || PyList_CheckExact(message)) {
    return send_parts_now(target, message, flags);
  }
  return not_now;
}

// A message of one part (anything with a buffer) or of several (a list or a tuple of such).
int send_message(socket& target, PyObject* message, int flags) {
  if (const int outcome = send_now(target, message, flags); outcome != not_now) [[likely]] {
    return outcome;
  }
  if (PyList_Check(message) || PyTuple_Check(message)) {
    return send_parts(target, part_views(message), flags);
  }
  return send_part(target, buffer_view(message), flags);
}

// Tells in the exception that is set how many messages went before it.
PyObject* failed_after(Py_ssize_t count) noexcept {
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  PyObject* const number = PyLong_FromSsize_t(count);
  if (value == nullptr || number == nullptr || PyObject_SetAttrString(value, "sent", number) != 0) {
    PyErr_Clear();
  }
  Py_XDECREF(number);
  PyErr_Restore(type, value, trace);
  return nullptr;
}

PyObject* send_all(socket& target, PyObject* messages, int flags) {
  const auto items = nb::steal(PyObject_GetIter(messages));
  if (!items.is_valid()) {
    return nullptr;
  }
  Py_ssize_t count = 0;
  turns shared;
  PyObject* const failure = guarded([&]() -> PyObject* {
    while (PyObject* const next = PyIter_Next(items.ptr())) {
      const auto message = nb::steal(next);
      if (send_message(target, message.ptr(), flags) < 0) {
        if (errno == EAGAIN) {
          return Py_None;
        }
        raise_last_error();
      }
      shared.take(++count);
    }
    return PyErr_Occurred() != nullptr ? nullptr : Py_None;
  });
  return failure == nullptr ? failed_after(count) : PyLong_FromSsize_t(count);
}

PyObject* send_many(PyObject* self, PyObject* const* values, Py_ssize_t count,
                    PyObject* names) noexcept {
  return guarded([&]() -> PyObject* {
    std::array<PyObject*, 2> given;
    if (!send_many_signature.read({values, count, names}, given)) {
      return nullptr;
    }
    return send_all(socket_of(self), given[0], int_of(given[1], 0) & ~SLK_SNDMORE);
  });
}

// A time-out in ms as Python gives it: None is the option's, any negative one for ever.
int timeout_of(PyObject* value) {
  if (value == nullptr || value == Py_None) {
    return socket::follow_option;
  }
  const double timeout_ms = PyFloat_AsDouble(value);
  if (timeout_ms == -1.0 && PyErr_Occurred() != nullptr) {
    throw nb::python_error();
  }
  return timeout_ms < 0 || timeout_ms > INT_MAX ? -1 : static_cast<int>(std::ceil(timeout_ms));
}

int take_parts(void* handle, gathering& batch, int flags) noexcept {
  const collector_pause pause;
  return slk_recv_each(handle, gathering::take, &batch, flags);
}

// Waits for a part, and takes what is there; -1 leaves errno, if there was nothing.
int gather(socket& source, gathering& batch, int timeout_ms) {
  received_part awaited;
  bool has_waited = false;
  const int outcome = source.attempt(
      timeout_ms != 0 ? 0 : SLK_DONTWAIT, SLK_RCVTIMEO, source.expects_long(),
      [&](void* handle, int now) { return take_parts(handle, batch, now); },
      [&](void* handle) {
        has_waited = true;
        return awaited.receive_waiting(handle);
      },
      timeout_ms);
  if (outcome < 0) {
    return -1;
  }
  if (has_waited) {
    batch.add(awaited.take(), awaited.more());
  }
  // What stops a later message stops the next call, too, and is told there.
  int more = 0;
  while (more >= 0 && batch.is_open()) {
    batch.make_room();
    if (batch.in_message() && source.expects_long()) {
      received_part rest;
      more = receive_part(source, rest, 0);
      if (more >= 0) {
        batch.add(rest.take(), rest.more());
      }
    } else {
      more = take_parts(source.usable(), batch, SLK_DONTWAIT);
    }
  }
  return 0;
}

PyObject* recv_many(PyObject* self, PyObject* const* values, Py_ssize_t count,
                    PyObject* names) noexcept {
  return guarded([&]() -> PyObject* {
    std::array<PyObject*, 2> given;
    if (!recv_many_signature.read({values, count, names}, given)) {
      return nullptr;
    }
    socket& source = socket_of(self);
    const int most = int_of(given[0], usual_max);
    const int timeout_ms = timeout_of(given[1]);
    if (most < 1) {
      PyErr_Format(PyExc_ValueError, "max_messages is %d and has to be 1 or more", most);
      return nullptr;
    }
    gathering batch(source, most);
    if (gather(source, batch, timeout_ms) < 0 && errno == EAGAIN) {
      return PyList_New(0);
    }
    return batch.messages();
  });
}

PyObject* recv_into_many(PyObject* self, PyObject* const* values, Py_ssize_t count,
                         PyObject* names) noexcept {
  return guarded([&]() -> PyObject* {
    std::array<PyObject*, 3> given;
    if (!recv_into_many_signature.read({values, count, names}, given)) {
      return nullptr;
    }
    socket& source = socket_of(self);
    const int slot_bytes = int_of(given[1], 0);
    const int timeout_ms = timeout_of(given[2]);
    const writable_view target(given[0]);
    if (slot_bytes < 1 || slot_bytes > target.size()) {
      PyErr_Format(PyExc_ValueError, "slot_bytes is %d, and the buffer has %zd bytes", slot_bytes,
                   target.size());
      return nullptr;
    }
    auto sizes = nb::steal(PyList_New(0));
    if (!sizes.is_valid()) {
      return nullptr;
    }
    char* slot = target.data();
    const auto room = static_cast<size_t>(slot_bytes);
    for (Py_ssize_t i = 0; i < target.size() / slot_bytes; ++i, slot += slot_bytes) {
      const int flags = i == 0 && timeout_ms != 0 ? 0 : SLK_DONTWAIT;  // only the first is awaited
      const int size = receive_into(source, slot, room, flags, timeout_ms);
      if (size < 0) {
        // What stops a later part stops the next call, too, and is told there.
        return i > 0 || errno == EAGAIN ? sizes.release().ptr() : (set_error(errno), nullptr);
      }
      const auto number = nb::steal(PyLong_FromLong(size));
      if (!number.is_valid() || PyList_Append(sizes.ptr(), number.ptr()) != 0) {
        throw nb::python_error();
      }
    }
    return sizes.release().ptr();
  });
}

}  // namespace

void define_batches(nb::handle type) {
  static PyMethodDef methods[] = {
      method("send_many", send_many,
             "send_many($self, messages, flags=0)\n--\n\n"
             "Send messages in order and return how many were sent.\n\n"
             "A message is bytes or the like, or a list or tuple of parts. Waits for room as send\n"
             "does; the number is less than there are messages if SNDTIMEO was over, or with\n"
             "DONTWAIT. Give a sequence then: the message that did not go has left an iterator.\n"
             "Raises as send; what is raised has the number in `sent`."),
      method(
          "recv_many", recv_many,
          "recv_many($self, max_messages=1000, timeout=None)\n--\n\n"
          "Wait for a message and receive it and what is there behind it.\n\n"
          "A message of one part is bytes, one of several the tuple of them. `timeout` is in ms:\n"
          "None as RCVTIMEO says, negative for ever. Returns [] if the time is over, and ends a\n"
          "batch that fills 64 KiB of memory: the next call takes what is left. Raises as recv; "
          "ValueError\n"
          "(max_messages < 1)."),
      method("recv_into_many", recv_into_many,
             "recv_into_many($self, buffer, slot_bytes, timeout=None)\n--\n\n"
             "Receive parts into a writable buffer, each at a multiple of `slot_bytes`.\n\n"
             "Waits for the first, and takes what is there behind it and has a slot. Returns the\n"
             "size of each; one above `slot_bytes` was cut. `timeout` as for recv_many. Raises as\n"
             "recv; ValueError (slot_bytes < 1, or more than the buffer has), BufferError."),
      {nullptr, nullptr, 0, nullptr}};
  define_methods(type, methods);
}

}  // namespace slk::python
