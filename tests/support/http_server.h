// A small HTTP/1.1 server on the loopback interface, for tests of fetching.  It can misbehave on request.
#pragma once
#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "spiketrain/base/file.h"

namespace spiketrain {

class HttpServer {
 public:
  struct Page {
    Bytes body;
    int status = 200;           ///< anything else is sent without body
    bool ignore_range = false;  ///< always send everything, with status 200
    int cut_responses = 0;      ///< so many responses break off ...
    size_t cut_after = 0;       ///< ... after so many body bytes
  };
  struct Request {
    std::string path;
    int64_t from = 0;  ///< first byte asked for; 0 without a Range header
  };

  HttpServer();
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// http://127.0.0.1:PORT
  std::string url() const;
  void set(const std::string& path, Page page);
  /// Everything asked for so far, in order.
  std::vector<Request> requests() const;

 private:
  void serve();
  void answer(int connection);

  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::map<std::string, Page> pages_;
  std::vector<Request> requests_;
  std::thread thread_;
};

}  // namespace spiketrain
