// By a filter in the classic form of BPF, which needs no rights: it looks at the address in the packet's IP header.
#include "spiketrain/parallel/only_address.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

using FilterProgram = std::vector<sock_filter>;

constexpr uint32_t kIpHeader = static_cast<uint32_t>(SKF_NET_OFF);  // of IP
constexpr uint16_t kLoadWord = BPF_LD | BPF_W | BPF_ABS, kEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr uint32_t kAll = 0xFFFFFFFF;  // bytes to let through

/// Lets packets of this version of IP through whose destination, from byte `at` of the header on, is `words`; others go on to what follows.
void add_destination(FilterProgram& program, uint8_t version, uint32_t at,
                     const std::vector<uint32_t>& words) {
  const auto skipped = [&](size_t done) { return static_cast<uint8_t>(2 * (words.size() - done) + 1); };
  program.push_back(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kIpHeader));
  program.push_back(BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4));
  program.push_back(BPF_JUMP(kEqual, version, 0, skipped(0)));
  for (size_t w = 0; w < words.size(); ++w) {
    program.push_back(BPF_STMT(kLoadWord, kIpHeader + at + static_cast<uint32_t>(4 * w)));
    program.push_back(BPF_JUMP(kEqual, words[w], 0, skipped(w + 1)));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, kAll));
}

void add_host(FilterProgram& program, const std::string& host) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  const int code = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  ST_CHECK(code == 0, "cannot find the machine '", host, "': ", gai_strerror(code));
  for (const addrinfo* a = found; a; a = a->ai_next) {
    uint32_t words[4];
    if (a->ai_family == AF_INET) {
      std::memcpy(words, &reinterpret_cast<const sockaddr_in*>(a->ai_addr)->sin_addr, 4);
      add_destination(program, 4, 16, {ntohl(words[0])});
    } else if (a->ai_family == AF_INET6) {
      std::memcpy(words, &reinterpret_cast<const sockaddr_in6*>(a->ai_addr)->sin6_addr, 16);
      add_destination(program, 6, 24, {ntohl(words[0]), ntohl(words[1]), ntohl(words[2]), ntohl(words[3])});
    }
  }
  freeaddrinfo(found);
}

bool listens_on(int fd, int64_t port) {
  int listens = 0;
  socklen_t size = sizeof(listens);
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens) return false;
  sockaddr_storage own{};
  size = sizeof(own);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) != 0) return false;
  if (own.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(own).sin_port) == port;
  if (own.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(own).sin6_port) == port;
  return false;
}

}  // namespace

int close_to_other_addresses(int64_t port, const std::vector<std::string>& hosts) {
  FilterProgram program;
  for (const std::string& host : hosts) add_host(program, host);
  program.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
  const sock_fprog filter = {static_cast<uint16_t>(program.size()), program.data()};
  int count = 0;
  std::error_code error;
  const std::filesystem::directory_iterator open_files("/proc/self/fd", error);
  ST_CHECK(!error, "port ", port,
           " stays open to all addresses of this machine: /proc/self/fd: ", error.message());
  for (const auto& entry : open_files) {
    const int fd = std::stoi(entry.path().filename());
    if (!listens_on(fd, port)) continue;
    ST_CHECK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0, "port ", port,
             " stays open to all addresses of this machine: ", std::strerror(errno));
    ++count;
  }
  return count;
}

}  // namespace spiketrain
