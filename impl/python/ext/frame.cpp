#include "frame.hpp"

namespace nb = nanobind;

namespace slk::python {

namespace {

class frame {
 public:
  // Throws TypeError for what has no contiguous buffer.
  explicit frame(nb::handle data) : data_(nb::borrow(data)) {
    Py_buffer view;
    if (PyObject_GetBuffer(data.ptr(), &view, PyBUF_SIMPLE) != 0) {
      throw nb::python_error();
    }
    PyBuffer_Release(&view);
  }
  const nb::object& data() const noexcept { return data_; }

 private:
  nb::object data_;
};

int lend(PyObject* self, Py_buffer* view, int flags) noexcept {
  return PyObject_GetBuffer(nb::inst_ptr<frame>(self)->data().ptr(), view, flags);
}

PyType_Slot slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(&lend)}, {0, nullptr}};

}  // namespace

void define_frame(nb::module_& m) {
  nb::class_<frame>(m, "Frame", nb::type_slots(slots))
      .def(nb::init<nb::handle>(), nb::arg("data"))
      .def_prop_ro("_data", &frame::data);
}

}  // namespace slk::python
