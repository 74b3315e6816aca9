// Whether somebody listens at an address of this machine.
#pragma once
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace spiketrain {

/// A connection to an IPv4 address; -1: nobody answered within `ms`.
inline int connection_to(const char* address, int port, int ms) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, address, &to.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  pollfd wait = {fd, POLLOUT, 0};
  if (poll(&wait, 1, ms) == 1 && !(wait.revents & (POLLERR | POLLHUP))) return fd;
  close(fd);
  return -1;
}

}  // namespace spiketrain
