#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "pipe/inproc_pipe.hpp"

namespace slk {

// The inproc names of one context: who is bound to them, and who connected to a name that nobody
// has bound yet. Thread-safe.
class inproc_registry {
 public:
  // What a socket brings along to an inproc connection.
  struct party {
    std::shared_ptr<slk::inbox> inbox;
    std::string routing_id;
    std::uint64_t send_mark = 0;
    std::uint64_t receive_mark = 0;
  };
  // One end of a connection, for the socket that asked.
  struct joined {
    std::shared_ptr<inproc_pipe> pipe;
    std::string routing_id;   // of the other socket
    bool peer_known = false;  // somebody is bound; else `connected` is posted later
  };

  // Takes the name, and the connections that waited for it: what the socket is to be told of them,
  // some of which have ended. EADDRINUSE.
  [[nodiscard]] int bind(const std::string& name, const party& who, socket_events& waiting);
  // ENOENT: not bound by this inbox.
  [[nodiscard]] int unbind(const std::string& name, const inbox* who);
  // Connects to the name, or waits for it.
  [[nodiscard]] joined connect(const std::string& name, const party& who);
  // Somebody is bound to the name.
  [[nodiscard]] bool is_bound(const std::string& name);
  // The socket is closing: frees its names.
  void forget(const inbox* who);
  // The socket has let go of pipes that nobody was bound for: what they hold waits on, or with
  // drop_messages goes.
  void forget_waiting(const inbox* who, bool drop_messages);

 private:
  struct waiting_link {
    std::shared_ptr<inproc_link> link;
    std::weak_ptr<inproc_pipe> pipe;
    party who;
  };

  static std::shared_ptr<inproc_pipe> binding_end(const std::shared_ptr<inproc_link>& link,
                                                  const party& binder, bool& peer_has_left);

  const std::shared_ptr<chunk_pool> chunks_ = std::make_shared<chunk_pool>();  // of all connections

  std::mutex mutex_;
  std::unordered_map<std::string, party> bound_;
  std::unordered_map<std::string, std::vector<waiting_link>> waiting_;
};

}  // namespace slk
