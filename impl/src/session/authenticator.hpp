#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/mechanism.hpp"

namespace slk {

class io_thread;

// The answer about a peer.
struct verdict {
  enum class kind {
    admitted,
    denied,     // with a status
    malformed,  // there was an answer, which is none
    lost,       // there will be no answer
  };
  kind what = kind::lost;
  std::string status;                                         // "300", "400", "500"
  std::vector<std::pair<std::string, std::string>> metadata;  // for the peer's messages
};

// Somebody is being asked.
class inquiry {
 public:
  inquiry() = default;
  inquiry(const inquiry&) = delete;
  inquiry& operator=(const inquiry&) = delete;
  virtual ~inquiry() = default;
  // No answer is wanted any more.
  virtual void cancel() noexcept = 0;
};

// Whom sessions ask whether a peer may come in.
class authenticator {
 public:
  struct question {
    std::string_view domain;
    std::string_view address;
    std::string_view routing_id;
    const credentials& shown;
  };
  // On the I/O thread. Must not throw.
  using answer = std::function<void(const verdict&)>;

  // The answer comes later, once, on the same I/O thread. nullptr: there is nobody to ask.
  // Throws std::bad_alloc, std::system_error.
  [[nodiscard]] virtual std::shared_ptr<inquiry> ask(io_thread& io, const question& about,
                                                     answer then) = 0;

 protected:
  ~authenticator() = default;
};

}  // namespace slk
