// The lower bound over a bare stream socket: what any library at least has to do on tcp and ipc.
//
// Frames are a 4-byte length and the payload. Each message is copied once into a buffer and once
// out of one; the kernel is called with whole buffers (throughput) or for each message, spinning
// (round trips).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "link.hpp"
#include "unique_fd.hpp"
#include "workload_spec.hpp"

namespace slkbench {

class stream_link final : public link {
 public:
  stream_link(const workload_spec& spec, role_kind role);

  [[nodiscard]] failure open(std::string& endpoint) override;
  [[nodiscard]] failure handshake() override;
  [[nodiscard]] option_map options() const override;
  [[nodiscard]] std::string version() const override { return {}; }
  [[nodiscard]] std::string error_text() const override { return error_; }
  void close() override;

  bool send(const std::byte* data, std::size_t size);
  std::ptrdiff_t receive(std::byte* data, std::size_t capacity);
  std::ptrdiff_t receive_now(std::byte*, std::size_t) noexcept {
    return in_begin_ == in_end_ ? -1 : 0;  // bytes after the last message: more than was sent
  }
  void flush() { (void)flush_out(); }

 private:
  // What is handed over at once: whole segments of a loopback connection, since a send costs as
  // much as some 33 KiB of its bytes, and a short rest is paced. Over tcp four to twelve (million
  // messages of 1 KiB a second with one / three / six / twelve 4.4 / 4.8 / 5.1 / 5.4), but no more
  // than are filled while a receiver looks before it sleeps. ipc gains nothing from more than four.
  static constexpr std::size_t segment_bytes = 65483;
  static std::size_t piece_bytes(const workload_spec& spec);
  static constexpr std::size_t slab_bytes = 128 * 1024;

  [[nodiscard]] failure listen_at(std::string& endpoint);
  [[nodiscard]] failure connect_to(const std::string& endpoint);
  [[nodiscard]] failure set_up_stream();
  [[nodiscard]] failure limit_waiting(int fd) const;
  bool put(const std::byte* data, std::size_t size);
  bool get(std::byte* data, std::size_t size);
  bool flush_out();
  bool refill_in();
  bool note_error(const char* call);

  const workload_spec& spec_;
  const role_kind role_;
  const bool is_spinning_;
  unique_fd listener_;
  unique_fd stream_;
  std::string socket_file_;  // removed on close
  std::string error_;
  std::vector<std::byte> out_;
  std::size_t out_size_ = 0;
  std::vector<std::byte> in_;
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
};

}  // namespace slkbench
