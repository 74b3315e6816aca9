// The error of an option that nobody reads, for those who know where it belongs.
#pragma once
#include "spiketrain/base/check.h"

namespace spiketrain {

struct UnknownOption : UsageError {
  std::string owner, option;
  UnknownOption(std::string owner, std::string option, const std::string& advice)
      : UsageError(str(owner, ": unknown option '", option, "'", advice)),
        owner(std::move(owner)),
        option(std::move(option)) {}
};

}  // namespace spiketrain
