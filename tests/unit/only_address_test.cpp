// A listening port that is closed to all addresses of the machine but one; loopback has as many as one likes.
#include "spiketrain/parallel/only_address.h"

#include <gtest/gtest.h>

#include "spiketrain/base/check.h"
#include "tests/support/tcp.h"

namespace spiketrain {
namespace {

/// Listens on all addresses.
struct Server {
  explicit Server(int family) : fd(socket(family, SOCK_STREAM, 0)) {
    sockaddr_storage own{};
    own.ss_family = static_cast<sa_family_t>(family);
    socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    bound = fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&own), size) == 0 && listen(fd, 4) == 0 &&
            getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0;
    port = ntohs(family == AF_INET ? reinterpret_cast<sockaddr_in&>(own).sin_port
                                   : reinterpret_cast<sockaddr_in6&>(own).sin6_port);
  }
  ~Server() { close(fd); }
  int fd, port = 0;
  bool bound = false;
};

/// Whether it accepts a connection to this address within `ms`, and a byte arrives.
bool answers(const Server& server, const char* address, int ms) {
  const int fd = connection_to(address, server.port, ms);
  if (fd < 0) return false;
  const int accepted = accept(server.fd, nullptr, nullptr);
  char byte = 0;
  const bool there = write(fd, "x", 1) == 1 && read(accepted, &byte, 1) == 1 && byte == 'x';
  close(accepted);
  close(fd);
  return there;
}

/// Closes a port of its own; whether the system lets it.
bool has_filters() {
  const Server server(AF_INET);
  try {
    return close_to_other_addresses(server.port, {"127.0.0.1"}) == 1;
  } catch (const UsageError&) {
    return false;
  }
}

TEST(OnlyAddress, OthersAreNotAnswered) {
  if (!has_filters()) GTEST_SKIP() << "this system has no filters for sockets";
  for (const int family : {AF_INET, AF_INET6}) {
    const Server server(family);
    if (!server.bound) continue;  // a machine without IPv6
    EXPECT_TRUE(answers(server, "127.0.0.2", 5000));
    EXPECT_EQ(close_to_other_addresses(server.port, {"127.0.0.1"}), 1);
    EXPECT_TRUE(answers(server, "127.0.0.1", 5000));
    EXPECT_FALSE(answers(server, "127.0.0.2", 300));
    EXPECT_EQ(close_to_other_addresses(server.port, {"127.0.0.3", "::1", "127.0.0.2"}), 1);  // in its place
    EXPECT_TRUE(answers(server, "127.0.0.2", 5000));
    EXPECT_FALSE(answers(server, "127.0.0.1", 300));
  }
}

TEST(OnlyAddress, SaysWhatIsNotThere) {
  if (!has_filters()) GTEST_SKIP() << "this system has no filters for sockets";
  const Server server(AF_INET), other(AF_INET);
  close(dup(server.fd));
  EXPECT_EQ(close_to_other_addresses(other.port, {"127.0.0.1"}), 1);
  EXPECT_TRUE(answers(server, "127.0.0.2", 5000));  // another port
  EXPECT_THROW(close_to_other_addresses(server.port, {"no.such.machine.invalid"}), UsageError);
}

}  // namespace
}  // namespace spiketrain
