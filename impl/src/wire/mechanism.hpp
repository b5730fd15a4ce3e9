#pragma once
// Security mechanisms: what goes on between the greeting and the first frame, other than a bare
// READY each way. Bytes in, bytes out, as handshake.hpp, which frames what they say.
//
//   NULL    client and server: READY                           with somebody to ask: null_asking
//   PLAIN   HELLO -> (asked) <- WELCOME, INITIATE -> <- READY   plain.hpp
//   CURVE   HELLO -> <- WELCOME, INITIATE -> (asked) <- READY   curve.hpp
//
// A server pauses where somebody has to be asked whether the peer may come in (inquiring()), until
// admitted() or a denial.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/command.hpp"
#include "wire/curve_box.hpp"
#include "wire/failure_reason.hpp"

namespace slk {

enum class mechanism_kind : std::uint8_t { null, plain, curve };  // numbered as in serverlink.h

// What a peer shows for itself.
struct credentials {
  std::string_view mechanism;
  std::vector<std::string> shown;  // PLAIN: name, password. CURVE: public key. NULL: none

  ~credentials() {
    for (std::string& one : shown) {
      wipe(one.data(), one.size());
    }
  }
};

// Both directions of a connection that is encrypted.
struct curve_traffic_keys {
  curve_secret_key shared;
  bool server = false;
  std::uint64_t sent_nonce = 0;  // the last one used
  std::uint64_t received_nonce = 0;
};

class mechanism {
 public:
  using bytes = std::vector<std::uint8_t>;

  mechanism() = default;
  mechanism(const mechanism&) = delete;
  mechanism& operator=(const mechanism&) = delete;
  virtual ~mechanism() = default;

  // As in the greeting.
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  [[nodiscard]] virtual bool as_server() const noexcept = 0;

  // `out` takes whole frames. What throws ends the handshake.
  virtual failure_reason start(bytes& out) = 0;  // the greetings have crossed
  // A command other than ERROR. body_bytes: all of it, with its name.
  virtual failure_reason receive(const command_view& command, std::size_t body_bytes,
                                 bytes& out) = 0;
  // REQUIRES: inquiring().
  virtual failure_reason admitted(bytes& out) = 0;

  // Whom to ask about.
  [[nodiscard]] virtual std::optional<credentials> inquiry() const { return std::nullopt; }
  [[nodiscard]] bool inquiring() const noexcept { return inquiring_; }
  // The peer has said all, and so have we, but for what is in `out`.
  [[nodiscard]] bool complete() const noexcept { return complete_; }
  // What came with the last receive(), or nothing.
  [[nodiscard]] std::optional<byte_view> metadata() const noexcept { return metadata_; }
  // The keys of the frames that follow; none: they are not encrypted. REQUIRES: complete().
  [[nodiscard]] virtual const curve_traffic_keys* traffic_keys() const noexcept { return nullptr; }

 protected:
  std::optional<byte_view> metadata_;
  bool inquiring_ = false;
  bool complete_ = false;
};

// Appends a command frame; returns where its data begins.
std::uint8_t* append_command(mechanism::bytes& out, std::string_view name, std::size_t data_bytes);

// NULL, but the peer gets our READY when it was admitted only.
[[nodiscard]] std::unique_ptr<mechanism> make_null_asking(mechanism::bytes metadata);

}  // namespace slk
