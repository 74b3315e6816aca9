#include "spiketrain/data/images/warp.h"

#include <cmath>

namespace spiketrain {

void warp_image(const uint8_t* from, int64_t height, int64_t width, double angle, double scale, uint8_t* to) {
  const double cos = std::cos(angle) / scale, sin = std::sin(angle) / scale;
  const double middle_y = 0.5 * static_cast<double>(height - 1),
               middle_x = 0.5 * static_cast<double>(width - 1);
  const auto pixel = [&](int64_t y, int64_t x) {
    return y >= 0 && y < height && x >= 0 && x < width ? static_cast<double>(from[y * width + x]) : 0.0;
  };
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const double dy = static_cast<double>(y) - middle_y, dx = static_cast<double>(x) - middle_x;
      const double at_y = middle_y + cos * dy - sin * dx, at_x = middle_x + sin * dy + cos * dx;
      const double floor_y = std::floor(at_y), floor_x = std::floor(at_x);
      const double part_y = at_y - floor_y, part_x = at_x - floor_x;
      const auto top = static_cast<int64_t>(floor_y), left = static_cast<int64_t>(floor_x);
      const double upper = pixel(top, left) * (1 - part_x) + pixel(top, left + 1) * part_x;
      const double lower = pixel(top + 1, left) * (1 - part_x) + pixel(top + 1, left + 1) * part_x;
      *to++ = static_cast<uint8_t>(std::lround(upper * (1 - part_y) + lower * part_y));
    }
  }
}

}  // namespace spiketrain
