#include <arpa/inet.h>
#include <netdb.h>
#include <sched.h>
#include <sys/socket.h>
#include <torch/version.h>
#include <unistd.h>

#include <optional>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "spiketrain/base/check.h"
#include "spiketrain/parallel/join.h"
#include "spiketrain/parallel/only_address.h"
#include "spiketrain/parallel/signs_of_life.h"

namespace spiketrain {
namespace {

using StoreP = c10::intrusive_ptr<c10d::Store>;
using GlooP = c10::intrusive_ptr<c10d::ProcessGroupGloo>;
using Clock = std::chrono::steady_clock;

/// Collectives have no end of their own: whether somebody is lost is what signs of life say.
constexpr std::chrono::hours kNoEnd{24 * 365};
/// Launchers do not start all processes at once: they have so many times the timeout to meet.
constexpr int kMeeting = 4;

/// The numeric address of this machine from which `host` is reached: where this process is to listen.
std::string own_address(const std::string& host, int64_t port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  const int code = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  ST_CHECK(code == 0, "MASTER_ADDR: cannot find the machine '", host, "': ", gai_strerror(code));
  std::string address;
  for (const addrinfo* a = found; a && address.empty(); a = a->ai_next) {
    const int s = socket(a->ai_family, a->ai_socktype, 0);
    sockaddr_storage own{};
    socklen_t size = sizeof(own);
    char text[NI_MAXHOST];
    // Nothing is sent: connecting a datagram socket asks the routing table.
    if (s >= 0 && connect(s, a->ai_addr, a->ai_addrlen) == 0 &&
        getsockname(s, reinterpret_cast<sockaddr*>(&own), &size) == 0 &&
        getnameinfo(reinterpret_cast<sockaddr*>(&own), size, text, sizeof(text), nullptr, 0,
                    NI_NUMERICHOST) == 0)
      address = text;
    if (s >= 0) close(s);
  }
  freeaddrinfo(found);
  if (address.empty())
    throw GroupError(
        str("there is no way to MASTER_ADDR '", host, "' from this machine; look at its network"));
  return address;
}

/// c10d's messages span lines and name its own source files.
std::string first_line(const std::exception& error) {
  const std::string what = error.what();
  return what.substr(0, what.find('\n'));
}

StoreP open_store(const Placement& p, bool serve, std::chrono::seconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(p.port);
  options.isServer = serve;
  options.waitWorkers = false;
  options.timeout = timeout;
  // A launcher that starts its processes again keeps what the former ones have left there.
  return c10::make_intrusive<c10d::PrefixStore>(str("start", p.restarts),
                                                c10::make_intrusive<c10d::TCPStore>(p.address, options));
}

/// The store listens on all addresses of the machine; LibTorch 1.13 knows no other way.
void close_store(const Placement& p, const std::string& own, const GroupOptions& options) {
  try {
    const int closed = close_to_other_addresses(p.port, {own, p.address});
    ST_CHECK(closed > 0, "port ", p.port,
             " stays open to all addresses of this machine: its socket was not found");
  } catch (const std::exception& error) {
    if (options.warn) options.warn(str("the meeting point: ", error.what()));
  }
}

struct Store final : MeetingPoint {
  explicit Store(StoreP store) : store_(std::move(store)) {}
  void set(const std::string& key, const std::string& value) override {
    store_->set(key, {value.begin(), value.end()});
  }
  std::string get(const std::string& key) override {
    if (!store_->check({key})) return {};  // get() would wait for it
    const std::vector<uint8_t> value = store_->get(key);
    return {value.begin(), value.end()};
  }

 private:
  StoreP store_;
};

/// c10d's protocol is not the same in all versions; a store that does not know ours closes the connection.
std::string what_to_do(const Placement& p) {
  if (!p.launchers_store)
    return "start all of them, with the same MASTER_ADDR and MASTER_PORT, a port that is free and not blocked";
  return "the launcher keeps this meeting point; if it is a torchrun of another version than " TORCH_VERSION
         ", the two do not understand each other: set TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 for it, and give it "
         "--standalone or --rdzv_backend c10d";
}

/// What groups of the same processes have in common.
struct Common {
  StoreP store;
  std::string own_address;
  std::shared_ptr<SignsOfLife> life;
};

/// Threads that are made meanwhile wait until who computes on their core gives it up (SCHED_BATCH), which threads inherit.  Of Gloo's, one
/// sends under a lock, and another asks for that lock again and again when an answer comes: where that one takes the core at once, both it and
/// the network's own work stand still until its time is up.
class PatientThreads {
 public:
  PatientThreads() : policy_(sched_getscheduler(0)) {
    const sched_param none{};
    if (policy_ == SCHED_OTHER) changed_ = sched_setscheduler(0, SCHED_BATCH, &none) == 0;
  }
  ~PatientThreads() {
    const sched_param none{};
    if (changed_) sched_setscheduler(0, policy_, &none);
  }
  PatientThreads(const PatientThreads&) = delete;
  PatientThreads& operator=(const PatientThreads&) = delete;

 private:
  int policy_;
  bool changed_ = false;
};

/// `name` is that of the group at the meeting point.
GlooP open_gloo(const Common& common, const std::string& name, int64_t rank, int64_t size, bool patient) {
  auto options = c10d::ProcessGroupGloo::Options::create(kNoEnd);
  options->threads = 2;
  std::optional<PatientThreads> threads;
  if (patient) threads.emplace();
  options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(common.own_address));
  return c10::make_intrusive<c10d::ProcessGroupGloo>(
      c10::make_intrusive<c10d::PrefixStore>(name, common.store), static_cast<int>(rank),
      static_cast<int>(size), options);
}

class C10dGroup final : public Group {
 public:
  C10dGroup(Common common, std::string name, int64_t rank, int64_t size)
      : common_(std::move(common)),
        name_(std::move(name)),
        rank_(rank),
        size_(size),
        gloo_(open_gloo(common_, name_, rank, size, /*patient=*/true)) {}
  /// Once the processes have met.
  void watch(std::shared_ptr<SignsOfLife> life) { common_.life = std::move(life); }

  int64_t rank() const override { return rank_; }
  int64_t size() const override { return size_; }
  std::shared_ptr<Work> begin_sum(const Tensor& x) override {
    ST_ASSERT(x.is_cpu() && x.is_contiguous());
    // Each process passes on every part of x but one, first added up, then complete.
    const auto W = static_cast<int64_t>(size_);
    traffic_.bytes += 2 * static_cast<int64_t>(x.nbytes()) * (W - 1) / W;
    return begin([&] {
      std::vector<Tensor> list = {x};
      return gloo_->allreduce(list);
    });
  }
  void broadcast(const Tensor& x, int64_t from) override {
    ST_ASSERT(x.is_cpu() && x.is_contiguous());
    begin([&] {
      std::vector<Tensor> list = {x};
      c10d::BroadcastOptions options;
      options.rootRank = static_cast<int>(from);
      return gloo_->broadcast(list, options);
    })->wait();
  }
  std::shared_ptr<Work> begin_send(const Tensor& x, int64_t to) override {
    ST_ASSERT(x.is_cpu() && x.is_contiguous());
    traffic_.bytes += static_cast<int64_t>(x.nbytes());
    return begin([&] {
      std::vector<Tensor> list = {x};
      return between_two()->send(list, static_cast<int>(to), 0);
    });
  }
  void receive(const Tensor& x, int64_t from) override {
    ST_ASSERT(x.is_cpu() && x.is_contiguous());
    begin([&] {
      std::vector<Tensor> list = {x};
      return between_two()->recv(list, static_cast<int>(from), 0);
    })->wait();
  }
  std::shared_ptr<Group> split(int64_t color) override;
  void ask_to_stop() override { common_.life->ask_to_stop(); }
  bool asked_to_stop() override { return common_.life->asked_to_stop(); }
  std::vector<std::string> gather(const std::string& text) override;
  Traffic traffic() const override { return traffic_; }

 private:
  struct Waiting final : Work {
    Waiting(C10dGroup& group, c10::intrusive_ptr<c10d::Work> work) : group(group), work(std::move(work)) {}
    void wait() override {
      const auto begin = Clock::now();
      try {
        work->wait();
      } catch (const std::exception& error) {
        group.fail(error);
      }
      group.traffic_.seconds_waiting += std::chrono::duration<double>(Clock::now() - begin).count();
    }
    C10dGroup& group;
    c10::intrusive_ptr<c10d::Work> work;
  };

  template <class F>
  std::shared_ptr<Work> begin(F&& f) {
    ++traffic_.messages;
    try {
      return std::make_shared<Waiting>(*this, f());
    } catch (const std::exception& error) {
      fail(error);
    }
  }
  /// For what one process hands on to the next, which waits for it: the threads of these messages take the core at once.
  GlooP between_two() {
    if (!between_two_) between_two_ = open_gloo(common_, name_ + "/two", rank_, size_, /*patient=*/false);
    return between_two_;
  }
  [[noreturn]] void fail(const std::exception& error) {
    throw GroupError(common_.life->explain("a message to another process failed: " + first_line(error)));
  }

  Common common_;
  std::string name_;
  int64_t rank_, size_, splits_ = 0;
  GlooP gloo_, between_two_;
  Traffic traffic_;
};

std::shared_ptr<Group> C10dGroup::split(int64_t color) {
  const std::vector<std::string> colors = gather(std::to_string(color));
  int64_t rank = 0, size = 0;
  for (size_t r = 0; r < colors.size(); ++r) {
    if (colors[r] != std::to_string(color)) continue;
    if (static_cast<int64_t>(r) < rank_) ++rank;
    ++size;
  }
  return std::make_shared<C10dGroup>(common_, str(name_, '/', splits_++, '/', color), rank, size);
}

std::vector<std::string> C10dGroup::gather(const std::string& text) {
  const Tensor sizes = torch::zeros({size_}, torch::kLong);
  sizes[rank_] = static_cast<int64_t>(text.size());
  sum(sizes);
  const int64_t longest = std::max<int64_t>(1, sizes.max().item<int64_t>());
  Tensor all = torch::zeros({size_, longest}, torch::kByte);
  std::memcpy(all[rank_].data_ptr(), text.data(), text.size());
  sum(all);
  std::vector<std::string> texts;
  for (int64_t r = 0; r < size_; ++r)
    texts.emplace_back(static_cast<const char*>(all[r].data_ptr()),
                       static_cast<size_t>(sizes[r].item<int64_t>()));
  return texts;
}

class C10dMembership final : public Membership {
 public:
  C10dMembership(const Placement& p, const GroupOptions& options) {
    const std::string own = own_address(p.address, p.port);
    const bool serves = p.rank == 0 && !p.launchers_store;
    const StoreP store = open_store(p, serves, kMeeting * options.timeout);
    if (serves) close_store(p, own, options);
    group_ = std::make_shared<C10dGroup>(Common{store, own, nullptr}, "gloo", p.rank, p.size);
    // A connection of its own: calls on one wait for each other.
    life_ =
        std::make_shared<SignsOfLife>(std::make_unique<Store>(open_store(p, false, options.timeout)), p.rank,
                                      p.size, p.launchers_store ? -1 : 0, options.timeout, options.on_loss);
    group_->watch(life_);
  }
  std::shared_ptr<Group> group() const override { return group_; }
  void leave(const std::string& why) override { life_->leave(why); }

 private:
  std::shared_ptr<C10dGroup> group_;
  std::shared_ptr<SignsOfLife> life_;
};

}  // namespace

bool has_groups() { return true; }

std::shared_ptr<Membership> Membership::join(const Placement& placement, const GroupOptions& options) {
  try {
    return std::make_shared<C10dMembership>(placement, options);
  } catch (const UsageError&) {
    throw;
  } catch (const GroupError&) {
    throw;
  } catch (const std::exception& error) {
    throw GroupError(str("the ", placement.size, " processes did not meet at ", placement.address, ":",
                         placement.port, " within ", (kMeeting * options.timeout).count(),
                         " s: ", first_line(error), "; ", what_to_do(placement)));
  }
}

}  // namespace spiketrain
