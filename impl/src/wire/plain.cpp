#include "wire/plain.hpp"

#include <algorithm>
#include <utility>

namespace slk {
namespace {

class plain_client final : public mechanism {
 public:
  plain_client(bytes metadata, const secret_text& username, const secret_text& password)
      : ours_(std::move(metadata)), username_(username), password_(password) {}

  std::string_view name() const noexcept override { return "PLAIN"; }
  bool as_server() const noexcept override { return false; }

  failure_reason start(bytes& out) override {
    const std::string_view name = username_.view();
    const std::string_view password = password_.view();
    std::uint8_t* at = append_command(out, "HELLO", 2 + name.size() + password.size());
    *at++ = static_cast<std::uint8_t>(name.size());
    at = std::copy(name.begin(), name.end(), at);
    *at++ = static_cast<std::uint8_t>(password.size());
    std::copy(password.begin(), password.end(), at);
    return failure_reason::none;
  }

  failure_reason receive(const command_view& command, std::size_t, bytes& out) override {
    if (command.name == "WELCOME" && !welcomed_) {
      if (!command.data.empty()) {
        return failure_reason::malformed_command;
      }
      welcomed_ = true;
      std::copy(ours_.begin(), ours_.end(), append_command(out, "INITIATE", ours_.size()));
      return failure_reason::none;
    }
    if (command.name == "READY" && welcomed_) {
      metadata_ = command.data;
      complete_ = true;
      return failure_reason::none;
    }
    return failure_reason::unexpected_command;
  }

  failure_reason admitted(bytes&) override { return failure_reason::unexpected_command; }

 private:
  const bytes ours_;
  const secret_text username_;
  const secret_text password_;
  bool welcomed_ = false;
};

class plain_server final : public mechanism {
 public:
  explicit plain_server(bytes metadata) : ours_(std::move(metadata)) {}

  std::string_view name() const noexcept override { return "PLAIN"; }
  bool as_server() const noexcept override { return true; }
  std::optional<credentials> inquiry() const override {
    if (!inquiring_) {
      return std::nullopt;
    }
    return credentials{"PLAIN", {std::string(username_.view()), std::string(password_.view())}};
  }

  failure_reason start(bytes&) override { return failure_reason::none; }

  failure_reason receive(const command_view& command, std::size_t, bytes& out) override {
    if (command.name == "HELLO" && expected_ == expected::hello) {
      if (!read_hello(command.data)) {
        return failure_reason::malformed_command;
      }
      expected_ = expected::nothing;
      inquiring_ = true;
      return failure_reason::none;
    }
    if (command.name == "INITIATE" && expected_ == expected::initiate) {
      expected_ = expected::nothing;
      metadata_ = command.data;
      std::copy(ours_.begin(), ours_.end(), append_command(out, "READY", ours_.size()));
      complete_ = true;
      return failure_reason::none;
    }
    return failure_reason::unexpected_command;
  }

  failure_reason admitted(bytes& out) override {
    inquiring_ = false;
    expected_ = expected::initiate;
    password_.assign({});
    append_command(out, "WELCOME", 0);
    return failure_reason::none;
  }

 private:
  enum class expected : std::uint8_t { hello, initiate, nothing };

  static bool take(byte_view& data, secret_text& out) noexcept {
    if (data.empty() || data[0] >= data.size()) {
      return false;
    }
    const std::size_t size = data[0];
    out.assign({reinterpret_cast<const char*>(data.data()) + 1, size});
    data = data.subspan(1 + size);
    return true;
  }
  bool read_hello(byte_view data) noexcept {
    return take(data, username_) && take(data, password_) && data.empty();
  }

  const bytes ours_;
  secret_text username_;
  secret_text password_;
  expected expected_ = expected::hello;
};

}  // namespace

std::unique_ptr<mechanism> make_plain_client(mechanism::bytes metadata, const secret_text& username,
                                             const secret_text& password) {
  return std::make_unique<plain_client>(std::move(metadata), username, password);
}

std::unique_ptr<mechanism> make_plain_server(mechanism::bytes metadata) {
  return std::make_unique<plain_server>(std::move(metadata));
}

}  // namespace slk
