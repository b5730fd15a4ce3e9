#include "wire/handshake.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/secret.hpp"

namespace slk {
namespace {

failure_reason reason_of(greeting_error error) noexcept {
  switch (error) {
    case greeting_error::signature:
      return failure_reason::signature;
    case greeting_error::version:
      return failure_reason::version;
    case greeting_error::mechanism:
      return failure_reason::mechanism;
    case greeting_error::none:
      break;
  }
  return failure_reason::none;
}

std::uint64_t command_limit(std::int64_t max_message_bytes) noexcept {
  if (max_message_bytes < 0) {
    return handshake_command_bytes_max;
  }
  return std::min(handshake_command_bytes_max, static_cast<std::uint64_t>(max_message_bytes));
}

}  // namespace

std::string_view name(failure_reason reason) noexcept {
  switch (reason) {
    case failure_reason::none:
      return "none";
    case failure_reason::signature:
      return "signature";
    case failure_reason::version:
      return "version";
    case failure_reason::mechanism:
      return "mechanism";
    case failure_reason::unexpected_command:
      return "unexpected command";
    case failure_reason::malformed_metadata:
      return "malformed metadata";
    case failure_reason::malformed_command:
      return "malformed command";
    case failure_reason::incompatible_socket_type:
      return "incompatible socket type";
    case failure_reason::oversize:
      return "oversize";
    case failure_reason::peer_error:
      return "peer error";
    case failure_reason::cryptography:
      return "cryptography";
    case failure_reason::denied:
      return "denied";
  }
  return "unknown";
}

handshake::handshake(socket_type ours, std::string_view routing_id, std::int64_t max_message_bytes,
                     std::unique_ptr<mechanism> security)
    : ours_(ours),
      routing_id_(routing_id.substr(0, routing_id_bytes_max)),
      command_bytes_max_(command_limit(max_message_bytes)),
      security_(std::move(security)) {
  assert(routing_id.size() <= routing_id_bytes_max);
  const greeting_buffer greeting = security_ == nullptr
                                       ? make_greeting()
                                       : make_greeting(security_->name(), security_->as_server());
  std::copy(greeting.begin(), greeting.end(), output_.begin());
  output_end_ = greeting.size();
}

std::span<const std::uint8_t> handshake::output() const noexcept {
  if (failed() && reason_ != failure_reason::denied) {
    return {};
  }
  if (output_begin_ == output_end_) {
    return {frames_.data() + frames_begin_, frames_.size() - frames_begin_};
  }
  return {output_.data() + output_begin_, output_end_ - output_begin_};
}

void handshake::sent(std::size_t n) noexcept {
  if (output_begin_ < output_end_) {
    assert(n <= output_end_ - output_begin_);
    output_begin_ += n;
    return;
  }
  frames_begin_ += n;
  if (frames_begin_ == frames_.size()) {
    wipe(frames_.data(), frames_.size());  // there may be a password in it
    frames_.clear();
    frames_begin_ = 0;
  }
}

handshake::state handshake::current() const noexcept {
  if (failed()) {
    return state::failed;
  }
  // READY was received behind a greeting, so ours was appended: nothing left means it went out.
  const bool done = phase_ == phase::ready_received && output_begin_ == output_end_ &&
                    frames_.empty() && (security_ == nullptr || !security_->inquiring());
  return done ? state::done : state::running;
}

std::size_t handshake::receive(const std::uint8_t* data, std::size_t size) {
  std::size_t consumed = 0;
  while (consumed < size && !failed() && phase_ != phase::ready_received) {
    const std::uint8_t* rest = data + consumed;
    const std::size_t rest_bytes = size - consumed;
    switch (phase_) {
      case phase::greeting:
        consumed += receive_greeting(rest, rest_bytes);
        break;
      case phase::command_header:
        consumed += receive_command_header(rest, rest_bytes);
        break;
      case phase::command_body:
        consumed += receive_command_body(rest, rest_bytes);
        break;
      case phase::ready_received:
        break;
    }
  }
  return consumed;
}

std::size_t handshake::receive_greeting(const std::uint8_t* data, std::size_t size) {
  std::size_t i = 0;
  for (; i < size && received_ < greeting_bytes; ++i, ++received_) {
    const greeting_error error =
        check_greeting_byte(received_, data[i], security_ == nullptr ? "NULL" : security_->name());
    if (error != greeting_error::none) {
      fail(reason_of(error));
      return i + 1;
    }
    if (received_ == greeting_major_at && data[i] > zmtp_major) {
      peer_.minor = 1;  // a version above ours is met as 3.1
    }
    if (received_ == greeting_minor_at && data[i] > 0) {
      peer_.minor = 1;
    }
  }
  if (received_ == greeting_bytes) {
    phase_ = phase::command_header;
    received_ = 0;
    if (security_ == nullptr) {
      append_ready();
    } else {
      fail(security_->start(frames_));
    }
  }
  return i;
}

void handshake::append_ready() noexcept {
  constexpr std::string_view type_property = "Socket-Type";
  constexpr std::string_view identity_property = "Identity";
  constexpr std::string_view ready = "\x05READY";
  const bool with_identity = announces_identity(ours_);
  std::size_t body_bytes = ready.size() + property_bytes(type_property, name(ours_));
  if (with_identity) {
    body_bytes += property_bytes(identity_property, routing_id_);
  }
  std::uint8_t* end = output_.data() + output_end_;
  end += encode_frame_header(end, body_bytes, flag_command);
  end = std::copy(ready.begin(), ready.end(), end);
  end += encode_property(end, type_property, name(ours_));
  if (with_identity) {
    end += encode_property(end, identity_property, routing_id_);
  }
  output_end_ = static_cast<std::size_t>(end - output_.data());
  assert(output_end_ <= output_.size());
}

std::size_t handshake::receive_command_header(const std::uint8_t* data, std::size_t size) noexcept {
  for (std::size_t i = 0; i < size; ++i) {
    header_[received_++] = data[i];
    if ((header_[0] & flag_command) == 0) {
      fail(failure_reason::unexpected_command);
      return i + 1;
    }
    frame_header header;
    if (!decode_frame_header(header_.data(), received_, header)) {
      continue;
    }
    received_ = 0;
    body_bytes_ = header.body_bytes;
    if (body_bytes_ > command_bytes_max_) {
      fail(failure_reason::oversize);
    } else if (body_bytes_ == 0) {
      fail(failure_reason::malformed_metadata);
    } else {
      phase_ = phase::command_body;
    }
    return i + 1;
  }
  return size;
}

std::size_t handshake::receive_command_body(const std::uint8_t* data, std::size_t size) {
  constexpr std::uint64_t secret_bytes_max = 1024;
  if (security_ != nullptr && body_.empty()) {
    // What may hold a password must not move, and leave copies behind.
    body_.reserve(static_cast<std::size_t>(std::min(body_bytes_, secret_bytes_max)));
  }
  const std::size_t missing = static_cast<std::size_t>(body_bytes_) - body_.size();
  const std::size_t taken = std::min(missing, size);
  body_.insert(body_.end(), data, data + taken);
  if (taken == missing) {
    accept_command();
    wipe(body_.data(), body_.size());  // there may be a password in it
    body_ = {};
  }
  return taken;
}

void handshake::accept_command() {
  command_view command;
  if (!parse_command(body_, command)) {
    fail(failure_reason::malformed_metadata);
  } else if (security_ == nullptr && command.name == "READY") {
    accept_ready(command.data);
  } else if (command.name == "ERROR") {
    std::string_view reason;
    if (parse_error(command.data, reason)) {
      peer_.error_reason = reason;
    }
    fail(failure_reason::peer_error);
  } else if (security_ != nullptr) {
    continue_mechanism(command);
  } else {
    fail(failure_reason::unexpected_command);
  }
}

void handshake::continue_mechanism(const command_view& command) {
  fail(security_->receive(command, body_.size(), frames_));
  if (failed() || (security_->metadata() && !accept_metadata(*security_->metadata()))) {
    return;
  }
  phase_ = security_->complete() ? phase::ready_received : phase::command_header;
}

std::optional<credentials> handshake::inquiry() const {
  return security_ == nullptr || failed() ? std::nullopt : security_->inquiry();
}

void handshake::admit() {
  fail(security_->admitted(frames_));
  if (!failed() && security_->complete()) {
    phase_ = phase::ready_received;
  }
}

void handshake::deny(std::string_view status) {
  frames_.resize(error_frame_bytes_max);
  frames_.resize(encode_error(frames_.data(), status));
  frames_begin_ = 0;
  fail(failure_reason::denied);
}

const curve_traffic_keys* handshake::traffic_keys() const noexcept {
  return security_ == nullptr ? nullptr : security_->traffic_keys();
}

std::vector<std::uint8_t> handshake::metadata_of(socket_type type, std::string_view routing_id) {
  std::vector<std::uint8_t> metadata;
  const auto append = [&metadata](std::string_view key, std::string_view value) {
    const std::size_t before = metadata.size();
    metadata.resize(before + property_bytes(key, value));
    encode_property(metadata.data() + before, key, value);
  };
  append("Socket-Type", name(type));
  if (announces_identity(type)) {
    append("Identity", routing_id);
  }
  return metadata;
}

void handshake::accept_ready(byte_view metadata) {
  if (accept_metadata(metadata)) {
    phase_ = phase::ready_received;
  }
}

bool handshake::accept_metadata(byte_view metadata) {
  metadata_reader reader(metadata);
  property_view property;
  while (reader.next(property)) {
    if (!accept_property(property)) {
      return false;
    }
  }
  if (reader.malformed()) {
    fail(failure_reason::malformed_metadata);
    return false;
  }
  return true;
}

bool handshake::accept_property(const property_view& property) {
  if (equal_ignoring_case(property.name, "Socket-Type")) {
    const std::optional<socket_type> theirs = parse_socket_type(property.value);
    peer_.socket_type_name = property.value;
    if (!theirs || !compatible(ours_, *theirs)) {
      fail(failure_reason::incompatible_socket_type);
      return false;
    }
  } else if (equal_ignoring_case(property.name, "Identity")) {
    if (property.value.size() > routing_id_bytes_max) {
      fail(failure_reason::malformed_metadata);
      return false;
    }
    peer_.routing_id = property.value;
  }
  peer_.properties.emplace_back(property.name, property.value);
  return true;
}

}  // namespace slk
