#include "socket/inproc_registry.hpp"

#include <cerrno>
#include <iterator>
#include <utility>

namespace slk {

std::shared_ptr<inproc_pipe> inproc_registry::binding_end(const std::shared_ptr<inproc_link>& link,
                                                          const party& binder,
                                                          bool& peer_has_left) {
  auto pipe = std::make_shared<inproc_pipe>(link, inproc_pipe::side::binding);
  peer_has_left = link->join(inproc_pipe::side::binding, pipe, binder.inbox);
  link->set_marks(inproc_pipe::side::binding, binder.send_mark, binder.receive_mark);
  return pipe;
}

int inproc_registry::bind(const std::string& name, const party& who, socket_events& waiting) {
  const std::lock_guard lock(mutex_);
  if (!bound_.try_emplace(name, who).second) {
    return EADDRINUSE;
  }
  const auto found = waiting_.find(name);
  if (found == waiting_.end()) {
    return 0;
  }
  try {
    for (waiting_link& one : found->second) {
      bool has_left = false;
      const auto pipe = binding_end(one.link, who, has_left);
      waiting.push_back({socket_event::kind::attached, pipe, one.who.routing_id, {}});
      if (has_left) {
        waiting.push_back({socket_event::kind::ended, pipe, {}, {}});
      }
      if (auto connecting = one.pipe.lock()) {
        one.who.inbox->post(
            {socket_event::kind::connected, std::move(connecting), who.routing_id, {}});
      }
    }
  } catch (...) {
    waiting.clear();
    bound_.erase(name);  // those that wait do so for the next attempt, which joins them anew
    throw;
  }
  waiting_.erase(found);
  return 0;
}

int inproc_registry::unbind(const std::string& name, const inbox* who) {
  const std::lock_guard lock(mutex_);
  const auto found = bound_.find(name);
  if (found == bound_.end() || found->second.inbox.get() != who) {
    return ENOENT;
  }
  bound_.erase(found);
  return 0;
}

inproc_registry::joined inproc_registry::connect(const std::string& name, const party& who) {
  joined end;
  auto link = std::make_shared<inproc_link>(chunks_);
  end.pipe = std::make_shared<inproc_pipe>(link, inproc_pipe::side::connecting);
  const std::lock_guard lock(mutex_);
  // Nobody is at the other end of a fresh link, so nobody can have left it.
  static_cast<void>(link->join(inproc_pipe::side::connecting, end.pipe, who.inbox));
  link->set_marks(inproc_pipe::side::connecting, who.send_mark, who.receive_mark);
  const auto found = bound_.find(name);
  if (found == bound_.end()) {
    waiting_[name].push_back({std::move(link), end.pipe, who});
    return end;
  }
  bool has_left = false;  // cannot be
  auto binding = binding_end(link, found->second, has_left);
  end.routing_id = found->second.routing_id;
  end.peer_known = true;
  found->second.inbox->post({socket_event::kind::attached, std::move(binding), who.routing_id, {}});
  return end;
}

bool inproc_registry::is_bound(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return bound_.contains(name);
}

void inproc_registry::forget(const inbox* who) {
  const std::lock_guard lock(mutex_);
  std::erase_if(bound_, [who](const auto& entry) { return entry.second.inbox.get() == who; });
}

void inproc_registry::forget_waiting(const inbox* who, bool drop_messages) {
  const std::lock_guard lock(mutex_);
  for (auto entry = waiting_.begin(); entry != waiting_.end();) {
    std::vector<waiting_link>& links = entry->second;
    std::erase_if(links, [&](waiting_link& one) {
      if (one.who.inbox.get() != who || !one.pipe.expired()) {
        return false;
      }
      one.who.inbox.reset();
      // Nobody else consumes before bind(), which needs the lock.
      return drop_messages || one.link->forward.ring.front().empty();
    });
    entry = links.empty() ? waiting_.erase(entry) : std::next(entry);
  }
}

}  // namespace slk
