#include "wire/handshake.hpp"

#include <algorithm>
#include <cassert>

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
    case failure_reason::incompatible_socket_type:
      return "incompatible socket type";
    case failure_reason::oversize:
      return "oversize";
    case failure_reason::peer_error:
      return "peer error";
  }
  return "unknown";
}

handshake::handshake(socket_type ours, std::string_view routing_id, std::int64_t max_message_bytes)
    : ours_(ours),
      routing_id_(routing_id.substr(0, routing_id_bytes_max)),
      command_bytes_max_(command_limit(max_message_bytes)) {
  assert(routing_id.size() <= routing_id_bytes_max);
  const greeting_buffer greeting = make_greeting();
  std::copy(greeting.begin(), greeting.end(), output_.begin());
  output_end_ = greeting.size();
}

std::span<const std::uint8_t> handshake::output() const noexcept {
  if (failed()) {
    return {};
  }
  return {output_.data() + output_begin_, output_end_ - output_begin_};
}

void handshake::sent(std::size_t n) noexcept {
  assert(n <= output_end_ - output_begin_);
  output_begin_ += n;
}

handshake::state handshake::current() const noexcept {
  if (failed()) {
    return state::failed;
  }
  // READY was received behind a greeting, so ours was appended: nothing left means it went out.
  const bool done = phase_ == phase::ready_received && output_begin_ == output_end_;
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

std::size_t handshake::receive_greeting(const std::uint8_t* data, std::size_t size) noexcept {
  std::size_t i = 0;
  for (; i < size && received_ < greeting_bytes; ++i, ++received_) {
    const greeting_error error = check_greeting_byte(received_, data[i]);
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
    append_ready();
    phase_ = phase::command_header;
    received_ = 0;
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
  const std::size_t missing = static_cast<std::size_t>(body_bytes_) - body_.size();
  const std::size_t taken = std::min(missing, size);
  body_.insert(body_.end(), data, data + taken);
  if (taken == missing) {
    accept_command();
    body_ = {};
  }
  return taken;
}

void handshake::accept_command() {
  command_view command;
  if (!parse_command(body_, command)) {
    fail(failure_reason::malformed_metadata);
  } else if (command.name == "READY") {
    accept_ready(command.data);
  } else if (command.name == "ERROR") {
    std::string_view reason;
    if (parse_error(command.data, reason)) {
      peer_.error_reason = reason;
    }
    fail(failure_reason::peer_error);
  } else {
    fail(failure_reason::unexpected_command);
  }
}

void handshake::accept_ready(byte_view metadata) {
  metadata_reader reader(metadata);
  property_view property;
  while (reader.next(property)) {
    if (!accept_property(property)) {
      return;
    }
  }
  if (reader.malformed()) {
    fail(failure_reason::malformed_metadata);
    return;
  }
  phase_ = phase::ready_received;
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
