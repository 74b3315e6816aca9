// Drawn digits: a built-in data set, so that training can be tried without any file.
// A digit is a set of strokes (lines and arcs).  Its control points are jittered, bent by a smooth random
// displacement, mapped by a random affine map, and drawn from the distance to the strokes, with random
// thickness, contrast, noise and a few stray specks.  Sample = function of (seed, split, index) only. Source:
// our own.  Tests: unit/glyphs_test.cpp; train/glyphs_test.cpp bounds what a linear classifier reaches.
#pragma once
#include <cstdint>

#include "spiketrain/data/images/raw_images.h"

namespace spiketrain {

constexpr int kGlyphSide = 28;
/// Mean and standard deviation of pixel / 255 over the default training set.
constexpr double kGlyphMean = 0.132;
constexpr double kGlyphStd = 0.234;

enum class GlyphSplit : uint32_t { train = 0, test = 1 };

/// Draws one 28 x 28 glyph, bytes 0 (paper) to 255 (ink), and returns its digit.
int draw_glyph(uint64_t seed, GlyphSplit split, uint64_t index, uint8_t* out);

/// The first `count` glyphs of a split, drawn by several threads.
RawImages draw_glyphs(uint64_t seed, GlyphSplit split, int64_t count);

}  // namespace spiketrain
