// Curves as text for a terminal: dots of braille characters, or plain characters where the terminal cannot show those.
// Tests: unit/terminal_plot_test.cpp.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/report/run_data.h"

namespace spiketrain {

struct TerminalStyle {
  int64_t width = 80, height = 24;  ///< characters
  bool utf8 = true;                 ///< else ASCII
  bool fits = true;                 ///< false: no terminal; lines may be longer, and as many as there are
};

/// Number of characters of UTF-8 text, each taken to be one place wide.
int64_t places(const std::string& text);

/// `style.height` lines of at most `style.width` places: a scale at the left, the curves, and at the right the name and last value of
/// each at its height.  Values are shown `scale` times, with `unit`.  Every curve has a letter or dots of its own in ASCII.
std::vector<std::string> terminal_plot(const std::vector<Curve>& curves, const std::string& title,
                                       double scale, const std::string& unit, const TerminalStyle& style);

/// What `spiketrain watch` shows of a run: what it is, where it stands, its curves, rates and warnings; unless `style.fits` is false, at
/// most `style.height` lines, long ones broken.
std::vector<std::string> watch_frame(const RunData& run, const TerminalStyle& style);

}  // namespace spiketrain
