// serverlink._ext: the classes over serverlink.h. The package adds names, options and conveniences.
// Every method can raise ServerLinkError with the errors its text names by number.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <serverlink/serverlink.h>

#include <string>
#include <tuple>

#include "arguments.hpp"
#include "batch.hpp"
#include "context.hpp"
#include "curve.hpp"
#include "frame.hpp"
#include "interpreter.hpp"
#include "poll.hpp"
#include "socket.hpp"
#include "transfer.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using slk::python::context;
using slk::python::socket;

namespace {

constexpr int keep_linger = -2;

void define_context(nb::module_& m) {
  nb::class_<context>(m, "Context")
      .def(nb::init<int>(), "io_threads"_a = 1)
      .def(nb::init<const context&>(), "shared"_a)
      .def_prop_ro("closed", &context::closed, "True once terminated, and in a forked child.")
      .def("set", &context::set, "option"_a, "optval"_a,
           "Set an option. Raises EINVAL (unknown, read only, out of range).")
      .def("get", &context::get, "option"_a, "The value of an option. Raises EINVAL (unknown).")
      .def("shutdown", &context::shutdown,
           "Make every call on the sockets raise ContextTerminated; does not wait.")
      .def("term", &context::term,
           "Wait until all sockets are closed and lingering is over, then end the context.\n\n"
           "Calls on its sockets raise ContextTerminated meanwhile. Idempotent. If a signal "
           "handler\n"
           "raises, the exception leaves and the call can be repeated.")
      .def("_abandon", &context::abandon, "grace_ms"_a);
}

void define_socket(nb::module_& m) {
  auto type = nb::class_<socket>(m, "Socket");
  type.def(nb::init<context&, int>(), "context"_a, "socket_type"_a)
      .def_prop_ro("closed", &socket::closed, "True once closed, and in a forked child.")
      .def("_close", &socket::close, "linger_ms"_a = keep_linger)
      .def("_close_soon", &socket::close_soon, "linger_ms"_a = keep_linger)
      .def("_bind", &socket::bind, "endpoint"_a)
      .def("_unbind", &socket::unbind, "endpoint"_a)
      .def("_connect", &socket::connect, "endpoint"_a)
      .def("_disconnect", &socket::disconnect, "endpoint"_a)
      .def("_set_int", &socket::set_int, "option"_a, "value"_a)
      .def("_set_int64", &socket::set_int64, "option"_a, "value"_a)
      .def("_set_bytes", &socket::set_bytes, "option"_a, "value"_a.none())
      .def("_get_int", &socket::get_int, "option"_a)
      .def("_get_int64", &socket::get_int64, "option"_a)
      .def("_get_bytes", &socket::get_bytes, "option"_a)
      .def("_monitor", &socket::monitor, "endpoint"_a.none(), "events"_a)
      .def("is_connected", &socket::is_connected, "routing_id"_a.none(),
           "Whether a ROUTER could address the peer now. Raises ENOTSUP (not a ROUTER).");
  slk::python::define_transfers(type);
  slk::python::define_batches(type);
}

std::tuple<int, int, int> version_info() {
  int major = 0, minor = 0, patch = 0;
  slk_version(&major, &minor, &patch);
  return {major, minor, patch};
}

const char* error_text(nb::handle errnum) {
  return slk_strerror(slk::python::int_of(errnum.ptr(), 0));
}

bool has(nb::handle capability) {
  if (!PyUnicode_Check(capability.ptr())) {
    throw nb::type_error("what the library may have is named by text, such as 'curve'");
  }
  return slk_has(nb::cast<std::string>(capability).c_str()) != 0;
}

}  // namespace

NB_MODULE(_ext, m) {
  // Objects that live until the process ends are normal here: a socket in a global, a daemon
  // thread.
  nb::set_leak_warnings(false);
  slk::python::watch_forks();
  define_context(m);
  define_socket(m);
  slk::python::define_curve(m);
  slk::python::define_frame(m);
  m.def("poll", &slk::python::poll, "items"_a, "timeout_ms"_a = -1);
  m.def("version_info", &version_info);
  m.def("zmq_errno", &slk_errno, "Why the last call of this thread into the library failed.");
  m.def("strerror", &error_text, "errnum"_a.none());
  m.def("has", &has, "capability"_a.none());
}
