#include "python_account.hpp"

#include <nanobind/stl/string.h>

#include <cstdint>
#include <cstring>

#include "ledger.hpp"

namespace nb = nanobind;

namespace slkbench {
namespace {

// The sender's one payload, as a bytearray that is stamped in place.
class python_payload {
 public:
  explicit python_payload(std::size_t size_bytes)
      : stamps_(size_bytes),
        bytes_(nb::steal(PyByteArray_FromStringAndSize(
            reinterpret_cast<const char*>(stamps_.data()), static_cast<Py_ssize_t>(size_bytes)))) {
    if (!bytes_.is_valid())
      throw nb::python_error();
  }

  nb::object stamped(std::uint64_t number) {
    stamp(number);
    return bytes_;
  }

  // As stamped_payload does, with nothing stored twice. Where there is room, each check word goes
  // out together with the word before it: whoever copies by 16 bytes finds them in one store, and
  // need not wait for two.
  void stamp(std::uint64_t number) noexcept {
    using two_words = std::uint64_t __attribute__((vector_size(16)));
    const std::size_t size = stamps_.size();
    char* to = PyByteArray_AS_STRING(bytes_.ptr());
    if (size < 2 * sizeof(two_words)) {
      std::memcpy(to, stamps_.stamped(number), size);
      return;
    }
    const std::size_t last_at = size - sizeof(two_words);
    const std::uint64_t check = stamp::check_word(number, size);
    const two_words head = {number, check};
    const two_words tail = {stamp::read_word(stamps_.data() + last_at), check};
    std::memcpy(to, &head, sizeof head);
    std::memcpy(to + last_at, &tail, sizeof tail);
  }

  const nb::object& bytes() const noexcept { return bytes_; }

 private:
  stamped_payload stamps_;
  nb::object bytes_;
};

// Goes through a range of numbers; each step stamps the payload and gives the same object.
class stamping {
 public:
  stamping(nb::object owner, std::uint64_t begin, std::uint64_t end, nb::object peer)
      : owner_(std::move(owner)),
        payload_(nb::cast<python_payload&>(owner_)),
        next_(begin),
        end_(end),
        given_(peer.is_none() ? payload_.bytes()
                              : nb::object(nb::make_tuple(peer, payload_.bytes()))) {}

  // The number that was given last; before the first step the one before it.
  std::int64_t number() const noexcept { return static_cast<std::int64_t>(next_) - 1; }

  PyObject* step() noexcept {
    if (next_ == end_)
      return nullptr;
    payload_.stamp(next_++);
    return Py_NewRef(given_.ptr());
  }

 private:
  nb::object owner_;
  python_payload& payload_;
  std::uint64_t next_;
  std::uint64_t end_;
  nb::object given_;
};

PyObject* next_stamped(PyObject* self) noexcept {
  return nb::inst_ptr<stamping>(self)->step();
}

PyType_Slot stamping_slots[] = {{Py_tp_iter, reinterpret_cast<void*>(&PyObject_SelfIter)},
                                {Py_tp_iternext, reinterpret_cast<void*>(&next_stamped)},
                                {0, nullptr}};

bool take_bytes(ledger& into, PyObject* message) noexcept {
  if (!PyBytes_Check(message)) {
    PyErr_SetString(PyExc_TypeError, "a received message is bytes");
    return false;
  }
  into.take(reinterpret_cast<const std::byte*>(PyBytes_AS_STRING(message)),
            PyBytes_GET_SIZE(message));
  return true;
}

PyObject* take(PyObject* self, PyObject* message) noexcept {
  auto* const into = nb::inst_ptr<ledger>(self);
  return take_bytes(*into, message) ? PyLong_FromUnsignedLongLong(into->next()) : nullptr;
}

// Messages of a batch: bytes, or lists or tuples whose last part is the payload.
PyObject* take_many(PyObject* self, PyObject* messages) noexcept {
  auto* const into = nb::inst_ptr<ledger>(self);
  if (!PyList_Check(messages)) {
    PyErr_SetString(PyExc_TypeError, "a batch is a list");
    return nullptr;
  }
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(messages); ++i) {
    PyObject* message = PyList_GET_ITEM(messages, i);
    if ((PyList_Check(message) || PyTuple_Check(message)) && PySequence_Fast_GET_SIZE(message) > 0)
      message = PySequence_Fast_GET_ITEM(message, PySequence_Fast_GET_SIZE(message) - 1);
    if (!take_bytes(*into, message))
      return nullptr;
  }
  return PyLong_FromUnsignedLongLong(into->next());
}

void define_method(nb::handle type, PyMethodDef* method) {
  const auto made =
      nb::steal(PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(type.ptr()), method));
  if (!made.is_valid() || PyObject_SetAttrString(type.ptr(), method->ml_name, made.ptr()) != 0)
    throw nb::python_error();
}

}  // namespace

void define_python_account(nb::module_& m) {
  nb::class_<stamping>(m, "Stamping", nb::type_slots(stamping_slots))
      .def_prop_ro("number", &stamping::number);
  nb::class_<python_payload>(m, "Payload")
      .def(nb::init<std::size_t>(), nb::arg("size_bytes"))
      .def("stamped", &python_payload::stamped, nb::arg("number"),
           "The payload with the number in it; the same object every time.")
      .def(
          "range",
          [](nb::handle self, std::uint64_t begin, std::uint64_t end, nb::object peer) {
            return stamping(nb::borrow(self), begin, end, std::move(peer));
          },
          nb::arg("begin"), nb::arg("end"), nb::arg("peer") = nb::none(),
          "The payload with each number in turn, in a tuple behind the peer if there is one.");
  auto account =
      nb::class_<ledger>(m, "Ledger")
          .def(nb::init<std::size_t, std::uint64_t>(), nb::arg("size_bytes"), nb::arg("total"))
          .def_prop_ro("next", &ledger::next)
          .def_prop_ro("received", &ledger::received)
          .def_prop_ro("is_clean", &ledger::is_clean)
          .def("describe", &ledger::describe);
  // Called for every message: nanobind's dispatch would be most of what they take.
  static PyMethodDef take_method{"take", take, METH_O,
                                 "Take a message into account; the number expected next."};
  static PyMethodDef take_many_method{"take_many", take_many, METH_O,
                                      "Take a batch into account; the number expected next."};
  define_method(account, &take_method);
  define_method(account, &take_many_method);
}

}  // namespace slkbench
