// A process that has run out of descriptors: nobody is lost for good.
#include <fcntl.h>
#include <sys/resource.h>

#include <cstring>

#include "raw_peer.hpp"

namespace contract {

namespace {

// Takes every descriptor that this process may have, under a limit that is soon reached.
class descriptor_famine {
 public:
  descriptor_famine() {
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before_) == 0);
    rlimit low = before_;
    low.rlim_cur = 200;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
    for (int fd = ::open("/dev/null", O_RDONLY); fd >= 0; fd = ::open("/dev/null", O_RDONLY)) {
      hoard_.emplace_back(fd);
    }
    REQUIRE(errno == EMFILE);
  }
  ~descriptor_famine() { setrlimit(RLIMIT_NOFILE, &before_); }
  descriptor_famine(const descriptor_famine&) = delete;
  descriptor_famine& operator=(const descriptor_famine&) = delete;

 private:
  rlimit before_{};
  std::vector<descriptor> hoard_;
};

}  // namespace

TEST_CASE("exhaustion: a listener without descriptors accepts as soon as there are some") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket reader(ctx, SLK_PAIR);
  const std::string events = inproc::unbound();
  REQUIRE(slk_socket_monitor(pull.raw(), events.c_str(), SLK_EVENT_ACCEPT_FAILED) == 0);
  reader.connect(events);
  const std::string endpoint = pull.bind(tcp::wildcard());
  const raw_peer earlier = raw_connect(endpoint);
  earlier.shake_hands("PUSH");
  descriptor prepared(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  std::optional<raw_peer> peer;
  {
    const descriptor_famine famine;
    peer.emplace(raw_connect(endpoint, std::move(prepared)));
    const parts failed = reader.recv_message();
    REQUIRE(failed.size() == 2);
    std::uint32_t error = 0;
    std::memcpy(&error, failed[0].data() + 2, sizeof error);
    CHECK(error == EMFILE);
    // Who is there already notices nothing, and what needs a descriptor says so.
    earlier.write(frame("meanwhile"));
    CHECK(pull.recv() == "meanwhile");
    CHECK(slk_socket(ctx.raw(), SLK_PULL) == nullptr);
    CHECK(errno == EMFILE);
    CHECK(slk_bind(pull.raw(), tcp::wildcard().c_str()) == -1);
    CHECK(errno == EMFILE);
  }
  peer->shake_hands("PUSH");
  peer->write(frame("at last"));
  CHECK(pull.recv() == "at last");
}

TEST_CASE("exhaustion: a connecting socket without descriptors tries again") {
  context ctx;
  const raw_listener server;
  socket push(ctx, SLK_PUSH);
  {
    const descriptor_famine famine;
    push.connect(server.endpoint());
    CHECK_FALSE(server.is_asked(patience));
  }
  const raw_peer peer = server.accept();
  peer.shake_hands("PULL");
  push.send_message({"x"});
  CHECK(peer.read(3) == frame("x"));
}

}  // namespace contract
