#include "error.hpp"

#include <cerrno>

namespace nb = nanobind;

namespace slk::python {

void set_error(int errnum, const char* text) noexcept {
  // Looked up each time: a cached type would have to be released before the interpreter ends, and a
  // dictionary look-up is small against making the exception.
  PyObject* module = PyImport_ImportModule("serverlink.error");
  if (module == nullptr) {
    return;
  }
  PyObject* exception = PyObject_CallMethod(module, "from_errno", "iz", errnum, text);
  if (exception != nullptr) {
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception)), exception);
    Py_DECREF(exception);
  }
  Py_DECREF(module);
}

void raise_error(int errnum, const char* text) {
  set_error(errnum, text);
  throw nb::python_error();
}

void raise_last_error() {
  raise_error(errno);
}

void check_signals() {
  if (PyErr_CheckSignals() != 0) {
    throw nb::python_error();
  }
}

}  // namespace slk::python
