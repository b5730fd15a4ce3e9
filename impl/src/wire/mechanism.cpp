#include "wire/mechanism.hpp"

#include <algorithm>
#include <utility>

#include "wire/frame.hpp"

namespace slk {
namespace {

class null_asking final : public mechanism {
 public:
  explicit null_asking(bytes metadata) : ours_(std::move(metadata)) {}

  std::string_view name() const noexcept override { return "NULL"; }
  bool as_server() const noexcept override { return false; }
  std::optional<credentials> inquiry() const override {
    return inquiring_ ? std::optional(credentials{"NULL", {}}) : std::nullopt;
  }

  // Asked before its READY has come: it may be waiting for ours.
  failure_reason start(bytes&) override {
    inquiring_ = true;
    return failure_reason::none;
  }

  failure_reason receive(const command_view& command, std::size_t, bytes&) override {
    if (command.name != "READY" || complete_) {
      return failure_reason::unexpected_command;
    }
    metadata_ = command.data;
    complete_ = true;
    return failure_reason::none;
  }

  failure_reason admitted(bytes& out) override {
    std::copy(ours_.begin(), ours_.end(), append_command(out, "READY", ours_.size()));
    inquiring_ = false;
    return failure_reason::none;
  }

 private:
  const bytes ours_;
};

}  // namespace

std::uint8_t* append_command(mechanism::bytes& out, std::string_view name, std::size_t data_bytes) {
  const std::size_t body_bytes = 1 + name.size() + data_bytes;
  const std::size_t before = out.size();
  const std::size_t header_bytes = frame_header_bytes(body_bytes);
  out.resize(before + header_bytes + body_bytes);
  std::uint8_t* at = out.data() + before;
  at += encode_frame_header(at, body_bytes, flag_command);
  *at++ = static_cast<std::uint8_t>(name.size());
  return std::copy(name.begin(), name.end(), at);
}

std::unique_ptr<mechanism> make_null_asking(mechanism::bytes metadata) {
  return std::make_unique<null_asking>(std::move(metadata));
}

}  // namespace slk
