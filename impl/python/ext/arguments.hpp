// Arguments of the calls that are made for every message. nanobind's dispatch costs as much as such
// a call itself, so these are plain METH_FASTCALL functions, and this is their parser.
#pragma once

#include <nanobind/nanobind.h>

#include <array>
#include <climits>
#include <cstddef>
#include <new>

namespace slk::python {

struct call_arguments {
  PyObject* const* values;
  Py_ssize_t count;
  PyObject* names;  // of the last values; null: none has one
};

// What a call takes, in order; the first `required` must be given.
template <size_t Count>
struct signature {
  const char* function;
  size_t required;
  std::array<const char*, Count> names;

  // Borrowed references to the arguments, null for those left out. False: TypeError is set.
  bool read(const call_arguments& given, std::array<PyObject*, Count>& found) const noexcept {
    found.fill(nullptr);
    const auto positional = static_cast<size_t>(given.count);
    if (positional > Count) {
      PyErr_Format(PyExc_TypeError, "%s() takes at most %zu arguments (%zd given)", function, Count,
                   given.count);
      return false;
    }
    for (size_t i = 0; i < positional; ++i) {
      found[i] = given.values[i];
    }
    return (given.names == nullptr || read_named(given, found)) && has_required(found);
  }

 private:
  bool read_named(const call_arguments& given, std::array<PyObject*, Count>& found) const noexcept {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(given.names); ++i) {
      PyObject* const name = PyTuple_GET_ITEM(given.names, i);
      size_t at = 0;
      while (at < Count && PyUnicode_CompareWithASCIIString(name, names[at]) != 0) {
        ++at;
      }
      if (at == Count || found[at] != nullptr) {
        PyErr_Format(PyExc_TypeError, "%s() got %s argument %R", function,
                     at == Count ? "an unexpected" : "multiple values for", name);
        return false;
      }
      found[at] = given.values[given.count + i];
    }
    return true;
  }
  bool has_required(const std::array<PyObject*, Count>& found) const noexcept {
    for (size_t i = 0; i < required; ++i) {
      if (found[i] == nullptr) {
        PyErr_Format(PyExc_TypeError, "%s() missing argument '%s'", function, names[i]);
        return false;
      }
    }
    return true;
  }
};

// An argument as a number; throws TypeError, OverflowError.
inline int int_of(PyObject* value, int otherwise) {
  if (value == nullptr) [[likely]] {
    return otherwise;
  }
  const long number = PyLong_AsLong(value);
  if (number == -1 && PyErr_Occurred() != nullptr) {
    throw nanobind::python_error();
  }
  if (number < INT_MIN || number > INT_MAX) {
    PyErr_SetString(PyExc_OverflowError, "the number does not fit into a C int");
    throw nanobind::python_error();
  }
  return static_cast<int>(number);
}

inline bool truth_of(PyObject* value, bool otherwise) {
  if (value == nullptr) [[likely]] {
    return otherwise;
  }
  const int truth = PyObject_IsTrue(value);
  if (truth < 0) {
    throw nanobind::python_error();
  }
  return truth != 0;
}

// Runs a call's body; what it throws becomes the Python error of a null result.
template <typename Body>
PyObject* guarded(Body body) noexcept {
  try {
    return body();
  } catch (nanobind::python_error& error) {
    error.restore();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  }
  return nullptr;
}

// Adds METH_FASTCALL functions to a class; the list ends with a null name.
inline void define_methods(nanobind::handle type, PyMethodDef* methods) {
  for (PyMethodDef* method = methods; method->ml_name != nullptr; ++method) {
    const auto made =
        nanobind::steal(PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(type.ptr()), method));
    if (!made.is_valid() || PyObject_SetAttrString(type.ptr(), method->ml_name, made.ptr()) != 0) {
      throw nanobind::python_error();
    }
  }
}

using fastcall = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);

inline PyMethodDef method(const char* name, fastcall function, const char* text) noexcept {
  return {name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function)),
          METH_FASTCALL | METH_KEYWORDS, text};
}

}  // namespace slk::python
