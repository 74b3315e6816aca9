// Filters of events that do not depend on chance.
//   noise       an event stays if one of the eight neighbouring pixels had an event, of any polarity, at most
//               dt before; every event counts as support, whether it stays or not
//   refractory  an event stays if its pixel's last kept event, of any polarity, is at least dt before
// Source: Delbruck, "Frame-free dynamic digital vision", 2008 (background activity filter).  Deviation: none.
// Tests: unit/framing_test.cpp, against a brute-force reference.
#pragma once
#include <cstdint>
#include <vector>

#include "spiketrain/data/events/event_stream.h"

namespace spiketrain {

/// Removes isolated events; `events` sorted by time and inside width x height.  dt_us = 0 removes nothing.
void filter_noise(std::vector<Event>& events, int64_t width, int64_t height, int64_t dt_us);

/// Dead time of each pixel; `events` as above.  dt_us = 0 removes nothing.
void filter_refractory(std::vector<Event>& events, int64_t width, int64_t height, int64_t dt_us);

}  // namespace spiketrain
