#pragma once
// The ZMTP 3.1 handshake: bytes in, bytes out; no fd, no clock.
//
//   each side = greeting(64) READY                         under the NULL mechanism
//   each side = greeting(64), what the mechanism says      under others: mechanism.hpp
//
// The greeting is on offer from the start; READY follows as soon as the peer's greeting was
// accepted. After READY went both ways the connection carries frames (frame.hpp).
//
// Example: what a PUSH sends, as client or as server.
//   FF 00 00 00 00 00 00 00 00 7F                  signature
//   03 01                                          ZMTP 3.1
//   4E 55 4C 4C 00 (16 times)                      mechanism "NULL"
//   00 (32 times)                                  as-server, filler
//   04 1A                                          command frame, 26 bytes
//   05 52 45 41 44 59                              "READY"
//   0B 53 6F 63 6B 65 74 2D 54 79 70 65            "Socket-Type"
//   00 00 00 04 50 55 53 48                        "PUSH"
// REQ, DEALER and ROUTER add Identity, even when it is empty:
//   08 49 64 65 6E 74 69 74 79 00 00 00 00         "Identity", ""
//
// Refused: anything that is not ZMTP >= 3.0, another mechanism, a message or a command other than
// READY before READY, malformed metadata, a socket type that doesn't go with ours. Higher versions
// are met as 3.1; unknown properties are kept and otherwise ignored.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/command.hpp"
#include "wire/failure_reason.hpp"
#include "wire/frame.hpp"
#include "wire/greeting.hpp"
#include "wire/mechanism.hpp"
#include "wire/socket_type.hpp"

namespace slk {

constexpr std::size_t routing_id_bytes_max = 255;
// No peer has a reason to send a larger READY.
constexpr std::uint64_t handshake_command_bytes_max = 64 * 1024;

struct peer_info {
  std::string routing_id;
  std::string socket_type_name;  // empty when the peer didn't say
  int minor = 0;                 // of ZMTP 3.x as we speak it with this peer: 0 or 1
  std::vector<std::pair<std::string, std::string>> properties;  // as received, in order
  std::string error_reason;                                     // what an ERROR said
};

class handshake {
 public:
  // done: READY was received, and ours was handed out completely (sent()).
  enum class state { running, done, failed };

  // routing_id has at most routing_id_bytes_max bytes; max_message_bytes -1: no limit.
  // Without a mechanism it is NULL's.
  handshake(socket_type ours, std::string_view routing_id, std::int64_t max_message_bytes,
            std::unique_ptr<mechanism> security = nullptr);
  // What such a socket says of itself: the metadata of a READY.
  [[nodiscard]] static std::vector<std::uint8_t> metadata_of(socket_type type,
                                                             std::string_view routing_id);

  // Bytes to put on the wire now; call sent(n) after writing n of them. Empty once failed.
  std::span<const std::uint8_t> output() const noexcept;
  void sent(std::size_t n) noexcept;

  // Consumes a prefix of the data, never a byte behind READY, and returns its length. May throw
  // std::bad_alloc; the bytes of a peer cannot make it allocate more than a small multiple of
  // handshake_command_bytes_max.
  std::size_t receive(const std::uint8_t* data, std::size_t size);

  state current() const noexcept;
  failure_reason reason() const noexcept { return reason_; }
  // Complete once READY was received, or what stands for it.
  const peer_info& peer() const noexcept { return peer_; }

  // Somebody is to be asked about the peer, by these; nothing to be asked now. Until admit() or
  // deny() the handshake goes no further.
  [[nodiscard]] std::optional<credentials> inquiry() const;
  void admit();
  // ERROR is then the last of output(): the caller ends the connection behind it.
  void deny(std::string_view status);
  // The keys of the frames that follow; nullptr: they are not encrypted. REQUIRES: done.
  [[nodiscard]] const curve_traffic_keys* traffic_keys() const noexcept;

 private:
  enum class phase { greeting, command_header, command_body, ready_received };

  // header, name, Socket-Type and the longest type name, Identity and the longest value
  static constexpr std::size_t ready_bytes_max =
      frame_header_bytes_max + (1 + 5) + (1 + 11 + 4 + 6) + (1 + 8 + 4 + routing_id_bytes_max);

  void append_ready() noexcept;
  std::size_t receive_greeting(const std::uint8_t* data, std::size_t size);
  std::size_t receive_command_header(const std::uint8_t* data, std::size_t size) noexcept;
  std::size_t receive_command_body(const std::uint8_t* data, std::size_t size);
  void accept_command();
  void accept_ready(byte_view metadata);
  void continue_mechanism(const command_view& command);
  [[nodiscard]] bool accept_metadata(byte_view metadata);
  bool accept_property(const property_view& property);
  void fail(failure_reason reason) noexcept { reason_ = reason; }
  bool failed() const noexcept { return reason_ != failure_reason::none; }

  const socket_type ours_;
  const std::string routing_id_;
  const std::uint64_t command_bytes_max_;

  phase phase_ = phase::greeting;
  failure_reason reason_ = failure_reason::none;
  std::size_t received_ = 0;  // bytes of the current phase
  std::array<std::uint8_t, frame_header_bytes_max> header_{};
  std::uint64_t body_bytes_ = 0;
  std::vector<std::uint8_t> body_;  // grows as bytes arrive, not by what a header announces
  peer_info peer_;

  const std::unique_ptr<mechanism> security_;  // none: NULL
  std::vector<std::uint8_t> frames_;           // of its, to be sent behind output_
  std::size_t frames_begin_ = 0;

  std::array<std::uint8_t, greeting_bytes + ready_bytes_max> output_{};
  std::size_t output_begin_ = 0;
  std::size_t output_end_ = 0;
};

}  // namespace slk
