#include "spec_text.hpp"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <string>
#include <utility>

namespace slkbench {
namespace {

// One word on its way into the field that it names.
class assignment {
 public:
  assignment(std::string_view key, std::string_view value) noexcept : key_(key), value_(value) {}

  template <class Value>
  void choice(std::string_view key, Value& field,
              std::initializer_list<std::pair<std::string_view, Value>> choices) {
    if (!is_for(key))
      return;
    is_right_ = false;
    for (const auto& [text, value] : choices) {
      if (text == value_) {
        field = value;
        is_right_ = true;
      }
    }
  }

  template <class Number>
  void number(std::string_view key, Number& field) {
    if (!is_for(key))
      return;
    const char* const end = value_.data() + value_.size();
    const auto [stopped, error] = std::from_chars(value_.data(), end, field);
    is_right_ = error == std::errc{} && stopped == end;
  }

  void text(std::string_view key, std::string& field) {
    if (is_for(key))
      field = value_;
  }

  void abi(std::string_view key, std::optional<abi_kind>& field) {
    if (!is_for(key) || value_.empty())
      return;
    field = abi_by_name(value_);
    is_right_ = field.has_value();
  }

  void cpus(std::string_view key, std::vector<int>& field) {
    if (!is_for(key))
      return;
    for (std::string_view rest = value_; is_right_ && !rest.empty();) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      int cpu = 0;
      const auto [stopped, error] = std::from_chars(rest.data(), rest.data() + comma, cpu);
      is_right_ = error == std::errc{} && stopped == rest.data() + comma;
      field.push_back(cpu);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }

  [[nodiscard]] failure outcome() const {
    if (is_known_ && is_right_)
      return {};
    const std::string key(key_);
    return failed(is_known_ ? key + " cannot be " + std::string(value_) : "no such key: " + key);
  }

 private:
  bool is_for(std::string_view key) noexcept {
    const bool is_it = key == key_;
    is_known_ = is_known_ || is_it;
    return is_it;
  }

  std::string_view key_;
  std::string_view value_;
  bool is_known_ = false;
  bool is_right_ = true;
};

failure assign(std::string_view key, std::string_view value, workload_spec& spec) {
  assignment to(key, value);
  to.choice("role", spec.role,
            {{"sender", role_kind::sender},
             {"receiver", role_kind::receiver},
             {"both", role_kind::both}});
  to.choice("kind", spec.contender,
            {{"library", contender_kind::library}, {"floor", contender_kind::floor}});
  to.choice(
      "pattern", spec.pattern,
      {{"router-router", pattern_kind::router_router}, {"push-pull", pattern_kind::push_pull}});
  to.choice("transport", spec.transport,
            {{"tcp", transport_kind::tcp},
             {"ipc", transport_kind::ipc},
             {"inproc", transport_kind::inproc}});
  to.choice("metric", spec.metric,
            {{"throughput", metric_kind::throughput}, {"round-trip", metric_kind::round_trip}});
  to.text("path", spec.path);
  to.abi("abi", spec.abi);
  to.number("size_bytes", spec.size_bytes);
  to.number("messages", spec.messages);
  to.number("warmup", spec.warmup);
  to.number("io_threads", spec.io_threads);
  to.number("sndhwm", spec.sndhwm);
  to.number("rcvhwm", spec.rcvhwm);
  to.text("endpoint", spec.endpoint);
  to.number("stall_ms", spec.stall_ms);
  to.number("limit_ms", spec.limit_ms);
  to.cpus("sender_cpus", spec.sender_cpus);
  to.cpus("receiver_cpus", spec.receiver_cpus);
  to.number("time_one_in", spec.time_one_in);
  to.number("control_fd", spec.control_fd);
  return to.outcome();
}

}  // namespace

failure read_spec(const std::vector<std::string_view>& words, workload_spec& spec) {
  for (const std::string_view word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos)
      return failed("not of the form KEY=VALUE: " + std::string(word));
    if (failure problem = assign(word.substr(0, equals), word.substr(equals + 1), spec))
      return problem;
  }
  return {};
}

}  // namespace slkbench
