// The Python face of the driver. Failures become DriverError, with the reason as text.
#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <utility>

#include "function_table.hpp"
#include "histogram.hpp"
#include "library_context.hpp"
#include "line_trip.hpp"
#include "python_account.hpp"
#include "session.hpp"
#include "watcher.hpp"

namespace nb = nanobind;

namespace {

using namespace slkbench;

struct driver_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct unsupported_error : driver_error {
  using driver_error::driver_error;
};
struct saturated_error : driver_error {
  using driver_error::driver_error;
};

void raise_if(const failure& problem) {
  if (!problem)
    return;
  if (problem->kind == failure_kind::unsupported)
    throw unsupported_error(problem->text);
  if (problem->kind == failure_kind::saturated)
    throw saturated_error(problem->text);
  throw driver_error(problem->text);
}

template <class Value>
Value choice(const nb::dict& spec, const char* key,
             std::initializer_list<std::pair<std::string_view, Value>> choices) {
  const auto name = nb::cast<std::string>(spec[key]);
  for (const auto& [text, value] : choices) {
    if (text == name)
      return value;
  }
  throw nb::value_error((std::string(key) + " cannot be " + name).c_str());
}

std::optional<abi_kind> abi_of(const std::string& name) {
  if (name.empty())
    return std::nullopt;
  const std::optional<abi_kind> kind = abi_by_name(name);
  if (!kind)
    throw nb::value_error(("abi cannot be " + name).c_str());
  return kind;
}

workload_spec spec_of(const nb::dict& values) {
  workload_spec spec;
  spec.role = choice<role_kind>(values, "role",
                                {{"sender", role_kind::sender},
                                 {"receiver", role_kind::receiver},
                                 {"both", role_kind::both}});
  spec.contender = choice<contender_kind>(
      values, "kind", {{"library", contender_kind::library}, {"floor", contender_kind::floor}});
  spec.pattern = choice<pattern_kind>(
      values, "pattern",
      {{"router-router", pattern_kind::router_router}, {"push-pull", pattern_kind::push_pull}});
  spec.transport = choice<transport_kind>(values, "transport",
                                          {{"tcp", transport_kind::tcp},
                                           {"ipc", transport_kind::ipc},
                                           {"inproc", transport_kind::inproc}});
  spec.metric = choice<metric_kind>(values, "metric",
                                    {{"throughput", metric_kind::throughput},
                                     {"round-trip", metric_kind::round_trip},
                                     {"paced", metric_kind::paced}});
  spec.path = nb::cast<std::string>(values["path"]);
  spec.abi = abi_of(nb::cast<std::string>(values["abi"]));
  spec.size_bytes = nb::cast<std::size_t>(values["size_bytes"]);
  spec.messages = nb::cast<std::int64_t>(values["messages"]);
  spec.warmup = nb::cast<std::int64_t>(values["warmup"]);
  spec.senders = nb::cast<std::size_t>(values["senders"]);
  spec.receivers = nb::cast<std::size_t>(values["receivers"]);
  spec.idle_peers = nb::cast<std::size_t>(values["idle_peers"]);
  spec.offered_msgs_per_s = nb::cast<std::int64_t>(values["offered_msgs_per_s"]);
  spec.io_threads = nb::cast<int>(values["io_threads"]);
  spec.sndhwm = nb::cast<int>(values["sndhwm"]);
  spec.rcvhwm = nb::cast<int>(values["rcvhwm"]);
  spec.endpoint = nb::cast<std::string>(values["endpoint"]);
  spec.stall_ms = nb::cast<int>(values["stall_ms"]);
  spec.limit_ms = nb::cast<int>(values["limit_ms"]);
  spec.sender_cpus = nb::cast<std::vector<int>>(values["sender_cpus"]);
  spec.receiver_cpus = nb::cast<std::vector<int>>(values["receiver_cpus"]);
  spec.control_fd = nb::cast<int>(values["control_fd"]);
  return spec;
}

nb::dict as_dict(const usage& used) {
  nb::dict result;
  result["user_ns"] = used.user_ns;
  result["system_ns"] = used.system_ns;
  result["voluntary_switches"] = used.voluntary_switches;
  result["involuntary_switches"] = used.involuntary_switches;
  return result;
}

// Nearest rank: the smallest value that at least `fraction` of all do not exceed.
std::size_t rank_of(double fraction, std::size_t count) noexcept {
  return static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(count)));
}

// A percentile is given where 100 round trips or more lie above it.
constexpr std::size_t needed_for_p99 = 10'000;
constexpr std::tuple<const char*, double, std::size_t> percentiles[] = {
    {"p50_ns", 0.5, 1},
    {"p90_ns", 0.9, 1000},
    {"p99_ns", 0.99, needed_for_p99},
    {"p999_ns", 0.999, 100'000}};

nb::bytes bytes_of(const std::string& text) {
  return nb::bytes(text.data(), text.size());
}

nb::dict as_dict(const role_report& report) {
  nb::dict result;
  result["thread"] = as_dict(report.of_thread);
  result["process"] = as_dict(report.of_process);
  if (report.idle_peers_bytes >= 0)
    result["idle_peers_bytes"] = report.idle_peers_bytes;
  if (report.core_probe_ns >= 0)
    result["core_probe_ns"] = report.core_probe_ns;
  if (report.slice_sd >= 0)
    result["slice_sd"] = report.slice_sd;
  if (report.slowest_sender_share >= 0)
    result["slowest_sender_share"] = report.slowest_sender_share;
  if (report.elapsed_ns < 0)
    return result;
  result["elapsed_ns"] = report.elapsed_ns;
  const std::optional<paced_record>& paced = report.paced;
  const std::vector<std::int64_t>& sorted = report.round_trips_ns;
  const std::size_t count = paced ? paced->round_trips.total() : sorted.size();
  for (const auto& [name, fraction, needed] : percentiles) {
    if (count >= needed)
      result[name] =
          paced ? paced->round_trips.value_at(fraction) : sorted[rank_of(fraction, count) - 1];
  }
  if (!paced)
    return result;
  result["max_ns"] = paced->round_trips.max();
  if (count >= needed_for_p99)
    result["send_lag_p99_ns"] = paced->send_lag.value_at(0.99);
  result["round_trips"] = bytes_of(paced->round_trips.encoded());
  result["send_lag"] = bytes_of(paced->send_lag.encoded());
  return result;
}

nb::dict run(session& self) {
  session_report report;
  failure problem;
  {
    nb::gil_scoped_release released;
    problem = self.run(report);
  }
  raise_if(problem);
  nb::dict result;
  if (self.spec().role != role_kind::receiver)
    result["sender"] = as_dict(report.sender);
  if (self.spec().role != role_kind::sender)
    result["receiver"] = as_dict(report.receiver);
  result["max_rss_bytes"] = report.max_rss_bytes;
  return result;
}

// What a shared object is: loads it, so call it in a process that may crash. The context is left
// open, because closing it may take for ever; end that process without running destructors.
nb::dict probe(const std::string& path, const std::string& abi) {
  std::shared_ptr<const function_table> table;
  raise_if(function_table::load(path, abi_of(abi), table));
  static std::shared_ptr<library_context> context;
  raise_if(library_context::make(table, 1, 1, context));
  auto has_type = [&table](int type) {
    void* socket = table->socket_new(context->get(), type);
    if (socket != nullptr)
      table->close(socket);
    return socket != nullptr;
  };
  nb::dict result;
  result["abi"] = std::string(table->abi().name);
  result["version"] = table->version();
  nb::list patterns;
  if (has_type(socket_type::router))
    patterns.append("router-router");
  if (has_type(socket_type::push) && has_type(socket_type::pull))
    patterns.append("push-pull");
  result["patterns"] = patterns;
  return result;
}

}  // namespace

NB_MODULE(_driver, m) {
  nb::exception<driver_error> base(m, "DriverError", PyExc_RuntimeError);
  nb::exception<unsupported_error>(m, "UnsupportedError", base.ptr());
  nb::exception<saturated_error>(m, "SaturatedError", base.ptr());
  nb::class_<histogram>(m, "Histogram")
      .def(nb::init<>())
      .def("record", &histogram::record, nb::arg("value"))
      .def("value_at", &histogram::value_at, nb::arg("fraction"))
      .def("encoded", [](const histogram& self) { return bytes_of(self.encoded()); })
      .def_prop_ro("total", &histogram::total)
      .def_prop_ro("max", &histogram::max);
  nb::class_<session>(m, "Session")
      .def("__init__",
           [](session* self, const nb::dict& spec) { new (self) session(spec_of(spec)); })
      .def("open",
           [](session& self) {
             failure problem;
             {
               nb::gil_scoped_release released;
               problem = self.open();
             }
             raise_if(problem);
           })
      .def("run", &run)
      .def("close", &session::close, nb::call_guard<nb::gil_scoped_release>())
      .def_prop_ro("endpoint", &session::endpoint)
      .def_prop_ro("options", &session::options)
      .def_prop_ro("version", &session::version);
  define_python_account(m);
  m.def("probe", &probe, nb::arg("path"), nb::arg("abi") = "");
  m.def("line_trip_ns", &line_trip_ns, nb::arg("first_cpu"), nb::arg("second_cpu"),
        nb::call_guard<nb::gil_scoped_release>());
  m.def("prepare_to_watch", &prepare_to_watch, nb::arg("parent"));
  m.def("watch", &watch, nb::arg("child"));
  m.def("be_watched", &be_watched, nb::arg("watcher"));
}
