// The last batches that a socket gave away, for the objects of the next one.
#pragma once

#include <Python.h>

#include <array>
#include <utility>

namespace slk::python {

// A batch that its receiver has dropped is only here still, and nobody can tell whether its objects
// are new when they come again: which takes half as long as to free them and to make others. Two
// batches, since `batch = socket.recv_many()` drops the last one only when it has the next.
//
// To be used, and to end, with the GIL.
class batch_shelf {
 public:
  batch_shelf() noexcept = default;
  ~batch_shelf() { clear(); }
  batch_shelf(const batch_shelf&) = delete;
  batch_shelf& operator=(const batch_shelf&) = delete;

  // A list that nobody else has, or null; the caller owns it.
  PyObject* take() noexcept {
    for (PyObject*& list : lists_) {
      if (list != nullptr && Py_REFCNT(list) == 1) {
        return std::exchange(list, nullptr);
      }
    }
    return nullptr;
  }

  // Keeps a list, with a reference of its own, in place of the one that was put here first.
  void put(PyObject* list) noexcept {
    const bool is_first_free = lists_[0] == nullptr;
    PyObject* const dropped = is_first_free ? nullptr : lists_[1];
    lists_[1] = is_first_free ? lists_[1] : lists_[0];
    lists_[0] = Py_NewRef(list);
    Py_XDECREF(dropped);  // may run any code
  }

  void clear() noexcept {
    const auto dropped = std::exchange(lists_, {});
    for (PyObject* const list : dropped) {
      Py_XDECREF(list);
    }
  }

 private:
  std::array<PyObject*, 2> lists_{};
};

}  // namespace slk::python
