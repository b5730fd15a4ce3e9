// What a workload needs of a contender. One role of one workload owns one link.
//
// The loops in workload.hpp are templates over the concrete link classes, so that no virtual call
// is in them; the virtual functions here are for what happens before and after.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "failure.hpp"

namespace slkbench {

// Options read back from the contender; a missing value is one that cannot be read.
using option_map = std::map<std::string, std::string>;

// Besides these, a concrete link has
//   bool send(const std::byte* data, size_t size)            false: see error_text()
//   ptrdiff_t receive(std::byte* data, size_t capacity)      size of the message, negative: error
//   ptrdiff_t receive_now(...)                               the same without waiting
//   void flush()                                             hand over what was sent so far
class link {
 public:
  link() = default;
  link(const link&) = delete;
  link& operator=(const link&) = delete;
  virtual ~link() = default;

  // Makes sockets and binds (receiver: `endpoint` is written) or connects (sender).
  [[nodiscard]] virtual failure open(std::string& endpoint) = 0;
  // Returns when messages pass in all directions that the workload uses.
  [[nodiscard]] virtual failure handshake() = 0;
  // Sender: connects so many idle peers more, each of which says READY once and then nothing.
  // Receiver: returns when so many more have said it.
  [[nodiscard]] virtual failure add_idle_peers(std::size_t) {
    return unsupported("the floor has no idle peers");
  }
  [[nodiscard]] virtual option_map options() const = 0;
  [[nodiscard]] virtual std::string version() const = 0;
  [[nodiscard]] virtual std::string error_text() const = 0;
  virtual void close() = 0;
};

}  // namespace slkbench
