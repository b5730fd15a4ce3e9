// The descriptor of the option FD: whatever is called on the socket, its holder is told of what
// EVENTS would tell, and not told for ever of what he has seen.
#include <algorithm>
#include <array>
#include <deque>
#include <iterator>

#include "fixture.hpp"

using namespace contract;

namespace {

// Two ends, of which the first may receive from the second.
struct ends {
  const char* name;
  int subject;
  int peer;
};
constexpr ends all_ends[] = {
    {"PULL", SLK_PULL, SLK_PUSH},       {"PAIR", SLK_PAIR, SLK_PAIR},
    {"DEALER", SLK_DEALER, SLK_DEALER}, {"DEALER of a ROUTER", SLK_DEALER, SLK_ROUTER},
    {"ROUTER", SLK_ROUTER, SLK_DEALER},
};

constexpr std::string_view subject_name = "subject";

socket make_subject(context& ctx, const ends& of) {
  socket subject(ctx, of.subject);
  if (of.subject == SLK_DEALER) {
    subject.set(SLK_ROUTING_ID, subject_name);
  }
  return subject;
}

socket make_peer(context& ctx, const ends& of) {
  socket peer(ctx, of.peer);
  if (of.peer == SLK_ROUTER) {
    peer.set(SLK_ROUTER_MANDATORY, 1);
  }
  return peer;
}

// A ROUTER cannot before it knows the subject.
void tell(socket& peer, const ends& of, std::string_view text) {
  if (of.peer != SLK_ROUTER) {
    peer.send_message({text});
    return;
  }
  REQUIRE(eventually([&] {
    return slk_send_to(peer.raw(), subject_name.data(), subject_name.size(), text.data(),
                       text.size(), 0) >= 0;
  }));
}

// What an event loop does, and nothing else: it waits for the descriptor before it reads EVENTS.
bool is_told(const socket& subject, int fd, int event) {
  while (is_readable(fd)) {
    if ((subject.get(SLK_EVENTS) & event) != 0) {
      return true;
    }
  }
  return false;
}

bool falls_silent(const socket& subject, int fd) {
  return eventually([&] {
    subject.get(SLK_EVENTS);
    return !is_readable(fd, 0ms);
  });
}

// A subject whose descriptor is silent, with so many peers, of which the first will speak.
template <class Transport>
class setting {
 public:
  setting(const ends& of, std::size_t peer_count)
      : of_(of), subject(make_subject(ctx, of)), fd(subject.get(SLK_FD)) {
    const std::string endpoint = subject.bind(Transport::wildcard());
    for (std::size_t i = 0; i < peer_count; ++i) {
      peers.push_back(make_peer(ctx, of));
      peers.back().connect(endpoint);
      tell(peers.back(), of, "hello");
      REQUIRE(subject.recv_message().back() == "hello");
    }
    REQUIRE(falls_silent(subject, fd));
  }

  void speak() { tell(peers.front(), of_, "x"); }

 private:
  const ends& of_;

 public:
  context ctx;
  socket subject;
  const int fd;
  std::deque<socket> peers;
};

// A call on the subject that takes no message.
struct call {
  const char* name;
  void (*make)(socket&);
};

void get(socket& subject, int option) {
  std::array<char, 512> value{};
  size_t length = value.size();
  static_cast<void>(slk_getsockopt(subject.raw(), option, value.data(), &length));
}

constexpr call calls[] = {
    {"none", [](socket&) {}},
    {"get FD", [](socket& s) { get(s, SLK_FD); }},
    {"get LAST_ENDPOINT", [](socket& s) { get(s, SLK_LAST_ENDPOINT); }},
    {"get RCVMORE", [](socket& s) { get(s, SLK_RCVMORE); }},
    {"get TYPE", [](socket& s) { get(s, SLK_TYPE); }},
    {"get RCVHWM", [](socket& s) { get(s, SLK_RCVHWM); }},
    {"get what is not there", [](socket& s) { get(s, 9999); }},
    {"set LINGER", [](socket& s) { s.set(SLK_LINGER, 0); }},
    {"set RCVHWM", [](socket& s) { s.set(SLK_RCVHWM, 500); }},
    {"set what cannot be",
     [](socket& s) {
       const int no = -7;
       CHECK(slk_setsockopt(s.raw(), SLK_RCVHWM, &no, sizeof no) == -1);
     }},
    {"bind", [](socket& s) { s.bind(tcp::wildcard()); }},
    {"bind inproc", [](socket& s) { s.bind(inproc::wildcard()); }},
    {"bind what cannot be", [](socket& s) { CHECK(slk_bind(s.raw(), "nonsense") == -1); }},
    {"unbind", [](socket& s) { CHECK(slk_unbind(s.raw(), s.bind(tcp::wildcard()).c_str()) == 0); }},
    {"connect", [](socket& s) { s.connect(tcp::unbound()); }},
    {"connect inproc", [](socket& s) { s.connect(inproc::unbound()); }},
    {"disconnect",
     [](socket& s) {
       const std::string nobody = tcp::unbound();
       s.connect(nobody);
       CHECK(slk_disconnect(s.raw(), nobody.c_str()) == 0);
     }},
    {"disconnect inproc",
     [](socket& s) {
       const std::string nobody = inproc::unbound();
       s.connect(nobody);
       CHECK(slk_disconnect(s.raw(), nobody.c_str()) == 0);
     }},
    {"monitor",
     [](socket& s) {
       CHECK(slk_socket_monitor(s.raw(), inproc::unbound().c_str(), SLK_EVENT_ALL) == 0);
     }},
    {"no monitor", [](socket& s) { CHECK(slk_socket_monitor(s.raw(), nullptr, 0) == 0); }},
    {"is_connected", [](socket& s) { CHECK(slk_is_connected(s.raw(), "nobody", 6) == 0); }},
    {"poll for output", [](socket& s) { s.wait(SLK_POLLOUT, 0ms); }},
    {"poll for input", [](socket& s) { s.wait(SLK_POLLIN, 0ms); }},
    {"poll that waits", [](socket& s) { s.wait(SLK_POLLIN, 2ms); }},
    {"send",
     [](socket& s) {
       if (s.send("nobody", SLK_DONTWAIT | SLK_SNDMORE) >= 0) {
         CHECK(s.send("", SLK_DONTWAIT) >= 0);
       }
     }},
};

// The same for one that would take a message if there were one.
constexpr call receives[] = {
    {"recv", [](socket& s) { CHECK_FALSE(s.try_recv()); }},
    {"recv that waits",
     [](socket& s) {
       s.set(SLK_RCVTIMEO, 2);
       CHECK_FALSE(s.recv());
     }},
    {"recv_each",
     [](socket& s) {
       const auto take = [](const void*, size_t, int, void*) { return 1; };
       CHECK(slk_recv_each(s.raw(), take, nullptr, SLK_DONTWAIT) == -1);
     }},
    {"recv_alloc",
     [](socket& s) {
       const auto allocate = [](size_t, int, void*) -> void* { return nullptr; };
       CHECK(slk_recv_alloc(s.raw(), allocate, nullptr, SLK_DONTWAIT) == -1);
     }},
};

// With one peer and with several, where the type may have them.
template <typename Check>
void for_each_number_of_peers(Check check) {
  for (const ends& of : all_ends) {
    for (const std::size_t peer_count : {1u, 3u}) {
      if (of.subject == SLK_PAIR && peer_count > 1) {
        continue;
      }
      CAPTURE(of.name);
      CAPTURE(peer_count);
      check(of, peer_count);
    }
  }
}

}  // namespace

CONTRACT_OVER_ALL("fd: read before bind or connect, it tells of the first message") {
  for (const ends& of : all_ends) {
    for (const bool binds : {true, false}) {
      CAPTURE(of.name);
      CAPTURE(binds);
      context ctx;
      socket subject = make_subject(ctx, of);
      socket peer = make_peer(ctx, of);
      const int fd = subject.get(SLK_FD);
      std::string endpoint = Transport::wildcard();
      if (binds) {
        REQUIRE(slk_bind(subject.raw(), endpoint.c_str()) == 0);
        peer.connect(subject.last_endpoint());
      } else {
        endpoint = peer.bind(endpoint);
        subject.connect(endpoint);
      }
      tell(peer, of, "x");
      REQUIRE(is_told(subject, fd, SLK_POLLIN));
      CHECK(subject.recv_message().back() == "x");
    }
  }
}

CONTRACT_OVER_ALL("fd: tells of a message that comes after any call") {
  for_each_number_of_peers([](const ends& of, std::size_t peer_count) {
    const auto check = [&](const call& made) {
      CAPTURE(made.name);
      setting<Transport> here(of, peer_count);
      made.make(here.subject);
      here.speak();
      CHECK(is_told(here.subject, here.fd, SLK_POLLIN));
    };
    std::for_each(std::begin(calls), std::end(calls), check);
    std::for_each(std::begin(receives), std::end(receives), check);
  });
}

CONTRACT_OVER_ALL("fd: tells of a message that came before any call") {
  for_each_number_of_peers([](const ends& of, std::size_t peer_count) {
    for (const call& made : calls) {
      CAPTURE(made.name);
      setting<Transport> here(of, peer_count);
      here.speak();
      REQUIRE(is_readable(here.fd));
      made.make(here.subject);
      made.make(here.subject);
      CHECK(is_readable(here.fd, 0ms));
      CHECK(is_told(here.subject, here.fd, SLK_POLLIN));
    }
  });
}

CONTRACT_OVER_ALL("fd: tells of a message after one was received and any call was made") {
  for (const ends& of : all_ends) {
    CAPTURE(of.name);
    for (const call& made : calls) {
      if (std::string_view(made.name) == "none" || std::string_view(made.name) == "send") {
        continue;  // who has just sent or received has to read EVENTS
      }
      CAPTURE(made.name);
      setting<Transport> here(of, 1);
      here.speak();
      REQUIRE(is_told(here.subject, here.fd, SLK_POLLIN));
      REQUIRE(here.subject.recv_message().back() == "x");
      here.speak();
      made.make(here.subject);
      CHECK(is_readable(here.fd));
      CHECK(is_told(here.subject, here.fd, SLK_POLLIN));
    }
  }
}

// Spurious readability is allowed, but not without end: that would be a busy loop.
CONTRACT_OVER_ALL("fd: falls silent though its holder makes calls") {
  for (const ends& of : all_ends) {
    for (const bool unread : {false, true}) {
      for (const call& made : calls) {
        CAPTURE(of.name);
        CAPTURE(unread);
        CAPTURE(made.name);
        setting<Transport> here(of, 1);
        if (unread) {
          here.speak();
          REQUIRE(is_told(here.subject, here.fd, SLK_POLLIN));
        }
        CHECK(eventually([&] {
          here.subject.get(SLK_EVENTS);
          made.make(here.subject);
          return !is_readable(here.fd, 0ms);
        }));
      }
    }
  }
}

CONTRACT_OVER_ALL("fd: falls silent for a holder that only tries to receive") {
  for (const ends& of : all_ends) {
    CAPTURE(of.name);
    context ctx;
    socket subject = make_subject(ctx, of);
    socket peer = make_peer(ctx, of);
    const int fd = subject.get(SLK_FD);
    peer.connect(subject.bind(Transport::wildcard()));
    tell(peer, of, "x");
    REQUIRE(subject.recv_message().back() == "x");
    CHECK(eventually([&] { return !subject.try_recv() && !is_readable(fd, 0ms); }));
    tell(peer, of, "y");
    CHECK(is_readable(fd));
  }
}

CONTRACT_OVER_ALL("fd: a send that finds no room leaves what has come to be told") {
  context ctx;
  socket left(ctx, SLK_PAIR);
  socket right(ctx, SLK_PAIR);
  left.set(SLK_SNDHWM, 1);
  right.set(SLK_RCVHWM, 1);
  const int fd = left.get(SLK_FD);
  right.connect(left.bind(Transport::wildcard()));
  right.send_message({"hello"});
  REQUIRE(left.recv() == "hello");
  const std::string large(1 << 20, 'x');
  left.fill(large);
  REQUIRE(eventually([&] {  // a kernel's buffer takes more after a moment
    left.fill(large);
    return !left.can_send() && !is_readable(fd, 0ms);
  }));
  SUBCASE("before it") {
    right.send_message({"x"});
    REQUIRE(is_readable(fd));
    left.fill(large);
    CHECK(is_readable(fd, 0ms));
    // But once: who waits for room alone would be told for ever.
    CHECK(eventually([&] { return !left.try_send(large) && !is_readable(fd, 0ms); }));
  }
  SUBCASE("after it") {
    left.fill(large);
    right.send_message({"x"});
  }
  SUBCASE("after it, and after others") {
    left.set(SLK_SNDTIMEO, 2);
    while (left.send(large) > 0) {
    }
    get(left, SLK_LAST_ENDPOINT);
    right.send_message({"x"});
  }
  if (!left.can_recv()) {
    CHECK(is_told(left, fd, SLK_POLLIN));
  }
  CHECK(left.recv() == "x");
}

CONTRACT_OVER_ALL("fd: a send that finds room only when it looks again leaves it too") {
  context ctx;
  socket left(ctx, SLK_PAIR);
  socket right(ctx, SLK_PAIR);
  left.set(SLK_SNDHWM, 1);
  right.set(SLK_RCVHWM, 1);
  const int fd = left.get(SLK_FD);
  right.connect(left.bind(Transport::wildcard()));
  right.send_message({"hello"});
  REQUIRE(left.recv() == "hello");
  const std::string large(1 << 18, 'x');
  for (int round = 0; round < 100; ++round) {
    REQUIRE(eventually([&] {
      left.fill(large);
      return !left.can_send() && !is_readable(fd, 0ms);
    }));
    right.send_message({"x"});
    REQUIRE(is_readable(fd));
    std::thread reader([&] { right.recv(); });
    left.fill(large);  // refused once, at its end
    CHECK(is_readable(fd, 0ms));
    reader.join();
    REQUIRE(left.recv() == "x");
  }
}

CONTRACT_OVER_ALL("fd: tells of room after any call") {
  for (const call& made : calls) {
    if (std::string_view(made.name) == "connect" ||
        std::string_view(made.name) == "connect inproc") {
      continue;  // room by itself
    }
    CAPTURE(made.name);
    context ctx;
    socket push(ctx, SLK_PUSH);
    socket pull(ctx, SLK_PULL);
    push.set(SLK_SNDHWM, 1);
    pull.set(SLK_RCVHWM, 1);
    const int fd = push.get(SLK_FD);
    pull.connect(push.bind(Transport::wildcard()));
    const std::string large(1 << 20, 'x');
    push.send_message({large});
    REQUIRE(eventually([&] {
      push.fill(large);
      return !push.can_send() && !is_readable(fd, 0ms);
    }));
    made.make(push);
    std::thread reader([&] {
      while (pull.recv().value_or("") != "last") {
      }
    });
    CHECK(is_told(push, fd, SLK_POLLOUT));
    push.send_message({"last"});
    reader.join();
  }
}

// EVENTS says all along that it can send: to the other peer.
CONTRACT_OVER_ALL("fd: tells a ROUTER of room for the peer that had none") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  router.set(SLK_ROUTER_MANDATORY, 1).set(SLK_SNDHWM, 1);
  const int fd = router.get(SLK_FD);
  const std::string endpoint = router.bind(Transport::wildcard());
  std::deque<socket> peers;
  for (const char* name : {"full", "free"}) {
    socket& peer = peers.emplace_back(ctx, SLK_DEALER);
    peer.set(SLK_ROUTING_ID, std::string_view(name)).set(SLK_RCVHWM, 1);
    peer.connect(endpoint);
    peer.send_message({"hello"});
    REQUIRE(router.recv_message().back() == "hello");
  }
  const std::string large(1 << 20, 'x');
  const auto send = [&](std::string_view text) {
    return slk_send_to(router.raw(), "full", 4, text.data(), text.size(), SLK_DONTWAIT) >= 0;
  };
  REQUIRE(eventually([&] {
    while (send(large)) {
    }
    return falls_silent(router, fd) && !send(large);
  }));
  CHECK(router.can_send());
  SUBCASE("at once") {}
  SUBCASE("after a poll for something else") {
    CHECK_FALSE(router.wait(SLK_POLLIN, 0ms));
  }
  SUBCASE("after EVENTS") {
    CHECK(router.can_send());
  }
  std::thread reader([&] {
    while (peers.front().recv().value_or("") != "last") {
    }
  });
  CHECK(eventually([&] {
    CHECK(is_readable(fd));
    return send("last");
  }));
  reader.join();
}

TEST_CASE("fd: tells of messages that waited for bind") {
  context ctx;
  const std::string endpoint = inproc::unbound();
  socket push(ctx, SLK_PUSH);
  push.connect(endpoint);
  push.send_message({"x"});
  socket pull(ctx, SLK_PULL);
  const int fd = pull.get(SLK_FD);
  REQUIRE(falls_silent(pull, fd));
  REQUIRE(slk_bind(pull.raw(), endpoint.c_str()) == 0);
  CHECK(is_readable(fd, 0ms));
  CHECK(is_told(pull, fd, SLK_POLLIN));
}

CONTRACT_OVER_ALL("fd: tells of room that connect made") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const std::string endpoint = pull.bind(Transport::wildcard());
  socket push(ctx, SLK_PUSH);
  const int fd = push.get(SLK_FD);
  REQUIRE(falls_silent(push, fd));
  push.connect(endpoint);
  CHECK(is_readable(fd, 0ms));
  CHECK(is_told(push, fd, SLK_POLLOUT));
}

CONTRACT_OVER_ALL("fd: a poll over the socket takes nothing from its holder") {
  setting<Transport> here(all_ends[0], 1);
  std::thread speaker([&] { here.speak(); });
  CHECK(here.subject.wait(SLK_POLLIN));
  speaker.join();
  CHECK(is_readable(here.fd, 0ms));
  CHECK(is_told(here.subject, here.fd, SLK_POLLIN));
  // Nor does what the holder was told end a poll that waits.
  CHECK(here.subject.recv() == "x");
  CHECK_FALSE(here.subject.wait(SLK_POLLIN, 10ms));
}
