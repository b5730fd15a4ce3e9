#pragma once

#include <cstddef>
#include <memory>

#include "session/security_settings.hpp"

namespace slk {

// The options of a socket that are about security. Setting one chooses the mechanism.
class security_options {
 public:
  // 0, EINVAL, or ENOTSUP: CURVE, which this build has not. May throw std::bad_alloc.
  [[nodiscard]] int set(int option, const void* value, std::size_t size_bytes);
  [[nodiscard]] int get(int option, void* value, std::size_t* size_bytes) const noexcept;

  // 0, or EINVAL: something that the mechanism needs is missing.
  [[nodiscard]] int check() const noexcept;
  // nullptr: mechanism NULL, and nobody is to be asked.
  [[nodiscard]] std::shared_ptr<const security_settings> for_session() const;

 private:
  [[nodiscard]] int choose_server(mechanism_kind kind, const void* value, std::size_t size_bytes);
  [[nodiscard]] int set_text(secret_text& text, const void* value, std::size_t size_bytes);
  [[nodiscard]] int set_key(int option, const void* value, std::size_t size_bytes);

  security_settings settings_;
  bool have_public_ = false;
  bool have_secret_ = false;
  bool have_server_ = false;
};

}  // namespace slk
