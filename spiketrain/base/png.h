// Pictures as PNG files, grey.  Tests: unit/tensorboard_test.cpp.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace spiketrain {

/// A PNG of `width` x `height` pixels, row after row; 0 is black.  ST_ASSERT that there are as many.
std::string grey_png(int64_t width, int64_t height, const std::vector<uint8_t>& pixels);

}  // namespace spiketrain
