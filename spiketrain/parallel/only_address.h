// A TCP port that listens on all addresses of the machine, as c10d's store does, closed to all but one of them.
// Tests: unit/only_address_test.cpp, tests/parallel.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace spiketrain {

/// What this process's sockets that listen on `port` get is dropped from now on unless it was sent to an address of one of `hosts`, as from
/// behind a firewall; so is what comes over connections that they accept from now on.  Returns the number of sockets: 0 if none listens there.
/// UsageError if one of them has none, or the system has no filters for sockets (Linux's).
int close_to_other_addresses(int64_t port, const std::vector<std::string>& hosts);

}  // namespace spiketrain
