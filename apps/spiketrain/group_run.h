// A command in the processes that a launcher has started together: they meet, do it, and tell each other how it ended.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "spiketrain/core/group.h"
#include "spiketrain/parallel/placement.h"

namespace spiketrain::cli {

/// Runs `work` with the group; an exception of it is told to the others and thrown on.  When another process is lost this one ends with
/// one line and exit code kGroup.  From here on the process's messages name its rank.
int run_in_group(const Placement& placement, int64_t timeout_s,
                 const std::function<int(const std::shared_ptr<Group>&)>& work);

/// What is said of a group that has lost a process.
std::string lost_text(const std::string& what);
/// "spiketrain: " or, of one process among several, "spiketrain: rank 3: ": what errors begin with.
const std::string& message_prefix();
/// Whether this process has run in a group: threads of it may hang in messages that nobody answers, so that it is not to wait for them at
/// its end.
bool was_in_group();

}  // namespace spiketrain::cli
