// A code that only some neurons read: an encoder of such a code looks at the network before it sends anything.  Who needs the
// interface asks the encoder for it (dynamic_cast).
#pragma once
#include <cstdint>

namespace spiketrain {

class Network;

struct CodedInput {
  virtual ~CodedInput() = default;
  /// UsageError unless the network, over this many steps, reads the code.
  virtual void check_network(const Network& network, int64_t steps) const = 0;
};

}  // namespace spiketrain
