#pragma once
// What must not outlive its use in memory, nor be told by the time that a comparison takes.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace slk {

// Overwrites memory with zeros, whatever the optimiser knows of its further use.
void wipe(void* memory, std::size_t size_bytes) noexcept;

// Takes as long for any content.
[[nodiscard]] bool same_secret(const void* a, const void* b, std::size_t size_bytes) noexcept;

// Bytes that are wiped with the object. A copy is one more that is.
template <std::size_t N>
class secret_array {
 public:
  secret_array() = default;
  secret_array(const secret_array&) = default;
  secret_array& operator=(const secret_array&) = default;
  ~secret_array() { wipe(bytes_.data(), N); }

  [[nodiscard]] std::uint8_t* data() noexcept { return bytes_.data(); }
  [[nodiscard]] const std::uint8_t* data() const noexcept { return bytes_.data(); }
  [[nodiscard]] static constexpr std::size_t size() noexcept { return N; }

 private:
  std::array<std::uint8_t, N> bytes_{};
};

// A password: at most 255 bytes, which never move to memory that is not wiped.
class secret_text {
 public:
  static constexpr std::size_t bytes_max = 255;

  // REQUIRES: at most bytes_max bytes.
  void assign(std::string_view text) noexcept;
  [[nodiscard]] std::string_view view() const noexcept {
    return {reinterpret_cast<const char*>(bytes_.data()), size_bytes_};
  }
  [[nodiscard]] bool empty() const noexcept { return size_bytes_ == 0; }

 private:
  secret_array<bytes_max> bytes_;
  std::size_t size_bytes_ = 0;
};

// Random bytes that nobody can foretell. False: the system has none to give.
[[nodiscard]] bool fill_random(void* memory, std::size_t size_bytes) noexcept;

}  // namespace slk
