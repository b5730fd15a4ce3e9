#pragma once
// The cryptography that CURVE is made of: boxes of Curve25519, XSalsa20 and Poly1305, by libsodium.
// One of two files implements it: curve_box_sodium.cpp, or curve_box_none.cpp where the library is
// built without; then is_curve_available() is false and nothing else succeeds.
//
// A box is 16 bytes longer than its content. No nonce may be used twice with a key.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/secret.hpp"

namespace slk {

constexpr std::size_t curve_key_bytes = 32;
constexpr std::size_t curve_nonce_bytes = 24;
constexpr std::size_t box_overhead_bytes = 16;

using curve_public_key = std::array<std::uint8_t, curve_key_bytes>;
using curve_secret_key = secret_array<curve_key_bytes>;
using curve_nonce = std::array<std::uint8_t, curve_nonce_bytes>;

[[nodiscard]] bool is_curve_available() noexcept;

// False: there is no CURVE.
[[nodiscard]] bool derive_public_key(curve_public_key& out,
                                     const curve_secret_key& secret) noexcept;

// What two ends have in common. False: a public key that is none; there is no CURVE.
[[nodiscard]] bool derive_shared_key(curve_secret_key& out, const curve_public_key& theirs,
                                     const curve_secret_key& ours) noexcept;

// Writes content.size() + box_overhead_bytes. REQUIRES: out does not overlap content.
[[nodiscard]] bool seal_box(std::uint8_t* out, std::span<const std::uint8_t> content,
                            const curve_nonce& nonce, const curve_secret_key& key) noexcept;

// Writes box.size() - box_overhead_bytes. False: it is not what the other end sealed with this
// nonce; nothing is written then. REQUIRES: out does not overlap box.
[[nodiscard]] bool open_box(std::uint8_t* out, std::span<const std::uint8_t> box,
                            const curve_nonce& nonce, const curve_secret_key& key) noexcept;

}  // namespace slk
