// Numbers that several files need.
#pragma once

namespace spiketrain {

inline constexpr double kPi = 3.14159265358979323846;

}  // namespace spiketrain
