// One connection at a time, one request a connection; see http_server.h.
#include "tests/support/http_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace spiketrain {
namespace {

constexpr int kPollMs = 20;
constexpr int kPatienceMs = 5000;

/// False if nothing arrives in time.
bool readable(int fd, int timeout_ms) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, timeout_ms) > 0;
}

std::string receive_head(int connection) {
  std::string head;
  char buffer[2048];
  while (head.find("\r\n\r\n") == std::string::npos && readable(connection, kPatienceMs)) {
    const ssize_t n = ::recv(connection, buffer, sizeof buffer, 0);
    if (n <= 0) break;
    head.append(buffer, static_cast<size_t>(n));
  }
  return head;
}

void send_all(int connection, const void* data, size_t size) {
  auto* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::send(connection, at, size, MSG_NOSIGNAL);
    if (n <= 0) return;  // the client has gone, which is its right
    at += n;
    size -= static_cast<size_t>(n);
  }
}

}  // namespace

HttpServer::HttpServer() {
  // A proxy set in the environment must not see what is meant for this server.
  ::setenv("no_proxy", "127.0.0.1", 1);
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 || ::bind(listener_, generic, size) != 0 || ::listen(listener_, 8) != 0 ||
      ::getsockname(listener_, generic, &size) != 0) {
    throw std::runtime_error("test server cannot listen on 127.0.0.1");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

HttpServer::~HttpServer() {
  stopping_ = true;
  thread_.join();
  ::close(listener_);
}

std::string HttpServer::url() const { return "http://127.0.0.1:" + std::to_string(port_); }

void HttpServer::set(const std::string& path, Page page) {
  std::lock_guard<std::mutex> lock(mutex_);
  pages_[path] = std::move(page);
}

std::vector<HttpServer::Request> HttpServer::requests() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return requests_;
}

void HttpServer::serve() {
  while (!stopping_) {
    if (!readable(listener_, kPollMs)) continue;
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    answer(connection);
    ::close(connection);
  }
}

void HttpServer::answer(int connection) {
  const std::string head = receive_head(connection);
  const size_t begin = head.find(' '), end = head.find(' ', begin + 1);
  if (begin == std::string::npos || end == std::string::npos) return;
  Request request{head.substr(begin + 1, end - begin - 1), 0};
  const size_t range = head.find("Range: bytes=");
  if (range != std::string::npos) request.from = std::atoll(head.c_str() + range + 13);

  std::lock_guard<std::mutex> lock(mutex_);
  requests_.push_back(request);
  const auto found = pages_.find(request.path);
  int status = found == pages_.end() ? 404 : found->second.status;
  size_t from = 0, total = 0, send = 0;
  if (status == 200) {
    Page& page = found->second;
    total = page.body.size();
    if (request.from > 0 && !page.ignore_range) {
      from = static_cast<size_t>(request.from);
      status = from < total ? 206 : 416;
    }
    send = status == 416 ? 0 : total - from;
    if (page.cut_responses > 0) {
      --page.cut_responses;
      send = std::min(send, page.cut_after);
    }
  }
  const size_t length = status == 200 || status == 206 ? total - from : 0;
  std::string reply = "HTTP/1.1 " + std::to_string(status) +
                      " -\r\nConnection: close\r\nContent-Length: " + std::to_string(length) + "\r\n";
  if (status == 206) {
    reply += "Content-Range: bytes " + std::to_string(from) + "-" + std::to_string(total - 1) + "/" +
             std::to_string(total) + "\r\n";
  }
  reply += "\r\n";
  send_all(connection, reply.data(), reply.size());
  if (send > 0) send_all(connection, found->second.body.data() + from, send);
}

}  // namespace spiketrain
