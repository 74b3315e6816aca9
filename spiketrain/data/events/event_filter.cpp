#include "spiketrain/data/events/event_filter.h"

#include <algorithm>
#include <limits>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

/// Before any event, so that its distance to one cannot overflow.
constexpr int64_t kNoTime = std::numeric_limits<int64_t>::min() / 4;

}  // namespace

void filter_noise(std::vector<Event>& events, int64_t width, int64_t height, int64_t dt_us) {
  ST_CHECK(width > 0 && height > 0 && dt_us >= 0, "event filter: expected a sensor and dt_us >= 0");
  if (dt_us == 0) return;
  // A border of one pixel spares the neighbours of the edge a test.  A pixel holds the time of the latest
  // event around it, not its own.
  const int64_t stride = width + 2;
  std::vector<int64_t> around(static_cast<size_t>(stride * (height + 2)), kNoTime);
  const auto isolated = [&](const Event& event) {
    ST_CHECK(event.x < width && event.y < height, "event filter: event outside the sensor of ", width, "x",
             height);
    int64_t* here = around.data() + (event.y + 1) * stride + event.x + 1;
    const int64_t own = *here;
    for (int64_t dy = -stride; dy <= stride; dy += stride) {
      for (int64_t dx = -1; dx <= 1; ++dx) here[dy + dx] = event.t_us;
    }
    *here = own;
    return event.t_us - own > dt_us;
  };
  events.erase(std::remove_if(events.begin(), events.end(), isolated), events.end());
}

void filter_refractory(std::vector<Event>& events, int64_t width, int64_t height, int64_t dt_us) {
  ST_CHECK(width > 0 && height > 0 && dt_us >= 0, "event filter: expected a sensor and dt_us >= 0");
  if (dt_us == 0) return;
  std::vector<int64_t> kept(static_cast<size_t>(width * height), kNoTime);
  const auto dead = [&](const Event& event) {
    ST_CHECK(event.x < width && event.y < height, "event filter: event outside the sensor of ", width, "x",
             height);
    int64_t& last = kept[static_cast<size_t>(event.y * width + event.x)];
    if (event.t_us - last < dt_us) return true;
    last = event.t_us;
    return false;
  };
  events.erase(std::remove_if(events.begin(), events.end(), dead), events.end());
}

}  // namespace spiketrain
