#include "apps/spiketrain/group_run.h"

#include <unistd.h>

#include <iostream>

#include "apps/spiketrain/commands.h"
#include "spiketrain/parallel/join.h"

namespace spiketrain::cli {
namespace {

std::string& prefix() {
  static std::string text = "spiketrain: ";
  return text;
}
bool in_group = false;

/// From a thread of its own, while the process waits for what will not come.
void end_without_group(const std::string& what) {
  std::cerr << message_prefix() << lost_text(what) << std::endl;
  _exit(kGroup);
}

}  // namespace

std::string lost_text(const std::string& what) {
  return what + "; all processes end; continue from the last checkpoint with --resume";
}

const std::string& message_prefix() { return prefix(); }
bool was_in_group() { return in_group; }

int run_in_group(const Placement& placement, int64_t timeout_s,
                 const std::function<int(const std::shared_ptr<Group>&)>& work) {
  prefix() = str("spiketrain: rank ", placement.rank, ": ");
  GroupOptions options;
  options.timeout = std::chrono::seconds(timeout_s);
  options.on_loss = end_without_group;
  options.warn = [](const std::string& what) {
    std::cerr << message_prefix() << "warning: " << what << std::endl;
  };
  const auto membership = Membership::join(placement, options);
  // Not freed if the group is lost: c10d would wait for messages that do not come.
  static auto* const kept = new std::shared_ptr<Membership>;
  *kept = membership;
  in_group = true;
  try {
    const int code = work(membership->group());
    membership->group()->sum(torch::zeros({1}));  // nobody goes while others need what it keeps
    membership->leave("");
    return code;
  } catch (const GroupError&) {
    throw;
  } catch (const std::exception& error) {
    const std::string what = error.what();
    membership->leave(what.substr(0, what.find('\n')));
    throw;
  }
}

}  // namespace spiketrain::cli
