// An image turned and scaled about its centre.
// Tests: unit/warp_test.cpp.
#pragma once
#include <cstdint>

namespace spiketrain {

/// to[y,x] = from at the place that a turn by `angle` (radians, from the x axis towards the y axis) and a scaling by `scale` > 0 bring to
/// (y, x); between pixels by bilinear interpolation, rounded; outside it is black.  Both [height,width], not the same memory.
void warp_image(const uint8_t* from, int64_t height, int64_t width, double angle, double scale, uint8_t* to);

}  // namespace spiketrain
