// The lower bound within a process: one copy into a ring, one copy out of it.
#pragma once

#include <memory>
#include <string>

#include "byte_ring.hpp"
#include "link.hpp"
#include "workload_spec.hpp"

namespace slkbench {

// Both ways between the two roles.
struct ring_pair {
  explicit ring_pair(std::size_t message_bytes);
  byte_ring there;
  byte_ring back;
};

class ring_link final : public link {
 public:
  ring_link(const workload_spec& spec, role_kind role, std::shared_ptr<ring_pair> rings);

  [[nodiscard]] failure open(std::string& endpoint) override;
  [[nodiscard]] failure handshake() override { return {}; }
  [[nodiscard]] option_map options() const override;
  [[nodiscard]] std::string version() const override { return {}; }
  [[nodiscard]] std::string error_text() const override;
  void close() override { rings_.reset(); }

  bool send(const std::byte* data, std::size_t size) noexcept;
  std::ptrdiff_t receive(std::byte* data, std::size_t capacity) noexcept;
  std::ptrdiff_t receive_now(std::byte* data, std::size_t) noexcept { return in_->read(data); }
  void flush() noexcept { out_->publish(); }

 private:
  const workload_spec& spec_;
  std::shared_ptr<ring_pair> rings_;
  byte_ring* out_;
  byte_ring* in_;
};

}  // namespace slkbench
