#include "transfer.hpp"

#include <serverlink/serverlink.h>

#include <array>

#include "arguments.hpp"
#include "error.hpp"

namespace nb = nanobind;

namespace slk::python {

namespace {

// What a call does where it would have to wait and may not.
enum class refusal { raise, answer };

constexpr signature<4> send_signature{"send", 1, {"data", "flags", "copy", "track"}};
constexpr signature<4> send_parts_signature{
    "send_multipart", 1, {"msg_parts", "flags", "copy", "track"}};
constexpr signature<3> recv_signature{"recv", 0, {"flags", "copy", "track"}};
constexpr signature<3> recv_parts_signature{"recv_multipart", 0, {"flags", "copy", "track"}};
constexpr signature<3> recv_into_signature{"recv_into", 1, {"buffer", "nbytes", "flags"}};

// serverlink.frame.NAME, called with the arguments.
template <typename... Arguments>
PyObject* call_frame_module(const char* name, const char* format, Arguments... arguments) {
  const auto module = nb::steal(PyImport_ImportModule("serverlink.frame"));
  return module.is_valid() ? PyObject_CallMethod(module.ptr(), name, format, arguments...)
                           : nullptr;
}

// The result of a send: None, or a tracker of what is done already, since the library copied.
PyObject* sent(PyObject* track) {
  if (truth_of(track, false)) [[unlikely]] {
    return call_frame_module("MessageTracker", "()");
  }
  Py_RETURN_NONE;
}

// A received part as the caller wants it; steals `bytes`.
PyObject* shaped(PyObject* bytes, bool more, PyObject* copy, PyObject* track) {
  if (bytes == nullptr || truth_of(copy, true)) [[likely]] {
    return bytes;
  }
  const auto data = nb::steal(bytes);
  return call_frame_module("received_frame", "(Oii)", bytes, more ? 1 : 0,
                           truth_of(track, false) ? 1 : 0);
}

template <refusal WouldWait>
PyObject* failed() {
  if (WouldWait == refusal::answer && errno == EAGAIN) {
    Py_RETURN_NONE;
  }
  set_error(errno);
  return nullptr;
}

template <refusal WouldWait>
constexpr int least_flags = WouldWait == refusal::answer ? SLK_DONTWAIT : 0;

template <refusal WouldWait>
PyObject* send(PyObject* self, PyObject* const* values, Py_ssize_t count,
               PyObject* names) noexcept {
  return guarded([&]() -> PyObject* {
    std::array<PyObject*, 4> given;
    if (!send_signature.read({values, count, names}, given)) {
      return nullptr;
    }
    const buffer_view part(given[0]);
    const int flags = int_of(given[1], 0) | least_flags<WouldWait>;
    if (send_part(socket_of(self), part, flags) < 0) {
      return failed<WouldWait>();
    }
    return WouldWait == refusal::answer ? Py_NewRef(Py_True) : sent(given[3]);
  });
}

template <refusal WouldWait>
PyObject* send_multipart(PyObject* self, PyObject* const* values, Py_ssize_t count,
                         PyObject* names) noexcept {
  return guarded([&]() -> PyObject* {
    std::array<PyObject*, 4> given;
    if (!send_parts_signature.read({values, count, names}, given)) {
      return nullptr;
    }
    const part_views parts(given[0]);
    const int flags = int_of(given[1], 0) | least_flags<WouldWait>;
    if (send_parts(socket_of(self), parts, flags) < 0) {
      return failed<WouldWait>();
    }
    return WouldWait == refusal::answer ? Py_NewRef(Py_True) : sent(given[3]);
  });
}

template <refusal WouldWait>
PyObject* recv(PyObject* self, PyObject* const* values, Py_ssize_t count,
               PyObject* names) noexcept {
  return guarded([&]() -> PyObject* {
    std::array<PyObject*, 3> given;
    if (!recv_signature.read({values, count, names}, given)) {
      return nullptr;
    }
    received_part part;
    const int flags = int_of(given[0], 0) | least_flags<WouldWait>;
    if (receive_part(socket_of(self), part, flags) < 0) {
      return failed<WouldWait>();
    }
    PyObject* const bytes = part.take();
    return shaped(bytes, part.more(), given[1], given[2]);
  });
}

// Steals `bytes`.
PyObject* list_of_one(PyObject* bytes) noexcept {
  PyObject* const parts = bytes == nullptr ? nullptr : PyList_New(1);
  if (parts == nullptr) {
    Py_XDECREF(bytes);
    return nullptr;
  }
  PyList_SET_ITEM(parts, 0, bytes);
  return parts;
}

PyObject* as_frames(PyObject* parts, PyObject* track) {
  const auto list = nb::steal(parts);
  const int tracked = truth_of(track, false) ? 1 : 0;
  const Py_ssize_t count = list.is_valid() ? PyList_GET_SIZE(parts) : 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* const frame = call_frame_module("received_frame", "(Oii)", PyList_GET_ITEM(parts, i),
                                              i + 1 < count ? 1 : 0, tracked);
    if (frame == nullptr || PyList_SetItem(parts, i, frame) != 0) {
      return nullptr;
    }
  }
  return nb::object(list).release().ptr();
}

template <refusal WouldWait>
PyObject* recv_multipart(PyObject* self, PyObject* const* values, Py_ssize_t count,
                         PyObject* names) noexcept {
  return guarded([&]() -> PyObject* {
    std::array<PyObject*, 3> given;
    if (!recv_parts_signature.read({values, count, names}, given)) {
      return nullptr;
    }
    received_part first;
    const int flags = int_of(given[0], 0);
    socket& source = socket_of(self);
    if (receive_part(source, first, flags | least_flags<WouldWait>) < 0) {
      return failed<WouldWait>();
    }
    PyObject* const parts =
        first.more() ? message_of(source, first.take(), flags) : list_of_one(first.take());
    return parts == nullptr || truth_of(given[1], true) ? parts : as_frames(parts, given[2]);
  });
}

PyObject* recv_into(PyObject* self, PyObject* const* values, Py_ssize_t count,
                    PyObject* names) noexcept {
  return guarded([&]() -> PyObject* {
    std::array<PyObject*, 3> given;
    if (!recv_into_signature.read({values, count, names}, given)) {
      return nullptr;
    }
    const int at_most = int_of(given[1], 0);
    const int flags = int_of(given[2], 0);
    const writable_view target(given[0]);
    if (at_most < 0 || at_most > target.size()) {
      PyErr_Format(PyExc_ValueError, "nbytes is %d, and the buffer has %zd bytes", at_most,
                   target.size());
      return nullptr;
    }
    const size_t room = static_cast<size_t>(at_most > 0 ? at_most : target.size());
    char none;  // a null pointer is what an empty buffer may have
    const int size = receive_into(socket_of(self), room > 0 ? target.data() : &none, room, flags);
    return size < 0 ? failed<refusal::raise>() : PyLong_FromLong(size);
  });
}

}  // namespace

socket& socket_of(PyObject* self) {
  if (!nb::inst_ready(self)) [[unlikely]] {
    PyErr_SetString(PyExc_TypeError, "Socket.__init__() was not called");
    throw nb::python_error();
  }
  return *nb::inst_ptr<socket>(self);
}

int send_part(socket& target, const buffer_view& part, int flags) {
  return target.attempt(
      flags, SLK_SNDTIMEO, part.size() >= socket::long_bytes,
      [&](void* handle, int now) { return slk_send(handle, part.data(), part.size(), now); },
      [&](void* handle) { return slk_send(handle, part.data(), part.size(), flags); });
}

int send_parts(socket& target, const part_views& parts, int flags) {
  if (parts.size() == 0) {
    errno = EINVAL;
    return -1;
  }
  const size_t last = parts.size() - 1;
  for (size_t i = 0; i < last; ++i) {
    if (send_part(target, parts[i], flags | SLK_SNDMORE) < 0) {
      return -1;
    }
  }
  return send_part(target, parts[last], flags);
}

int receive_part(socket& source, received_part& part, int flags, int timeout_ms) {
  const int size = source.attempt(
      flags, SLK_RCVTIMEO, source.expects_long(),
      [&](void* handle, int now) { return part.receive(handle, now); },
      [&](void* handle) { return part.receive_waiting(handle); }, timeout_ms);
  source.note_received(size);
  return size;
}

int receive_into(socket& source, char* into, size_t room_bytes, int flags, int timeout_ms) {
  const int stored = source.attempt(
      flags, SLK_RCVTIMEO, source.expects_long(),
      [&](void* handle, int now) { return slk_recv(handle, into, room_bytes, now); },
      [&](void* handle) { return slk_recv(handle, into, room_bytes, 0); }, timeout_ms);
  source.note_received(stored);
  return stored;
}

PyObject* message_of(socket& source, PyObject* head, int flags) {
  const auto first = nb::steal(head);
  received_part part;
  if (!first.is_valid()) {
    return nullptr;
  }
  if (receive_part(source, part, flags) < 0) {
    set_error(errno);
    return nullptr;
  }
  const auto second = nb::steal(part.take());
  auto parts = nb::steal(second.is_valid() ? PyList_New(2) : nullptr);
  if (!parts.is_valid()) {
    return nullptr;
  }
  PyList_SET_ITEM(parts.ptr(), 0, Py_NewRef(head));
  PyList_SET_ITEM(parts.ptr(), 1, Py_NewRef(second.ptr()));
  for (bool more = part.more(); more; more = part.more()) {
    if (receive_part(source, part, flags) < 0) {
      set_error(errno);
      return nullptr;
    }
    const auto bytes = nb::steal(part.take());
    if (!bytes.is_valid() || PyList_Append(parts.ptr(), bytes.ptr()) != 0) {
      return nullptr;
    }
  }
  return parts.release().ptr();
}

void define_transfers(nb::handle type) {
  static PyMethodDef methods[] = {
      method(
          "send", send<refusal::raise>,
          "send($self, data, flags=0, copy=True, track=False)\n--\n\n"
          "Send one part: bytes, or anything with a contiguous buffer.\n\n"
          "It is always copied; `copy` is accepted for pyzmq's sake. With `track` returns a\n"
          "MessageTracker, which is done. Raises Again, ServerLinkError (ENOTSUP, EHOSTUNREACH,\n"
          "ENOTSOCK, EBUSY), ContextTerminated; TypeError for text."),
      method("send_multipart", send_multipart<refusal::raise>,
             "send_multipart($self, msg_parts, flags=0, copy=True, track=False)\n--\n\n"
             "Send one message of several parts, all or none of them.\n\n"
             "Raises as send, and EINVAL without any part."),
      method("recv", recv<refusal::raise>,
             "recv($self, flags=0, copy=True, track=False)\n--\n\n"
             "Receive one part as bytes, or, if not `copy`, as a Frame.\n\n"
             "Raises Again, ServerLinkError (ENOTSUP, ENOTSOCK, EBUSY), ContextTerminated."),
      method("recv_multipart", recv_multipart<refusal::raise>,
             "recv_multipart($self, flags=0, copy=True, track=False)\n--\n\n"
             "Receive one message as the list of its parts. Raises as recv."),
      method("recv_into", recv_into,
             "recv_into($self, buffer, nbytes=0, flags=0)\n--\n\n"
             "Receive one part into a writable buffer, at most `nbytes` of it (0: what fits).\n\n"
             "Returns the part's size, which is more than was stored if the part was cut. Raises\n"
             "as recv; ValueError (nbytes is more than the buffer has), BufferError."),
      method("_try_send", send<refusal::answer>,
             "_try_send($self, data, flags=0, copy=True, track=False)\n--\n\n"
             "send without waiting: True, or None if it would have to wait."),
      method("_try_send_multipart", send_multipart<refusal::answer>,
             "_try_send_multipart($self, msg_parts, flags=0, copy=True, track=False)\n--\n\n"
             "send_multipart without waiting: True, or None if it would have to wait."),
      method("_try_recv", recv<refusal::answer>,
             "_try_recv($self, flags=0, copy=True, track=False)\n--\n\n"
             "recv without waiting: None if it would have to wait."),
      method("_try_recv_multipart", recv_multipart<refusal::answer>,
             "_try_recv_multipart($self, flags=0, copy=True, track=False)\n--\n\n"
             "recv_multipart without waiting: None if it would have to wait."),
      {nullptr, nullptr, 0, nullptr}};
  define_methods(type, methods);
}

}  // namespace slk::python
