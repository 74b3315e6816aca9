// Pairs of drawn digits side by side: a built-in set in which a sample has several labels.
//   x [1,28,56]  two glyphs (images/glyphs.h), normalised as those
//   y [10]       1 for each digit that is there, once or twice; one or two labels a sample
// Source: our own.  Sample = function of (seed, part, index) only.  Tests: unit/synthetic_test.cpp.
#include <cmath>

#include "spiketrain/data/images/glyphs.h"
#include "spiketrain/data/source.h"
#include "spiketrain/data/tensor_dataset.h"

namespace spiketrain {
namespace {

constexpr int64_t kSide = kGlyphSide, kDigits = 10;

struct GlyphPairs final : DatasetSource {
  static constexpr const char* kDoc =
      "two drawn digits side by side, 28 x 56 -> which digits are there (several labels); built in";
  template <class V>
  void visit(V&) {}

  DatasetInfo info() const override {
    DatasetInfo info = {
        part_name(), kDoc, false, {1, kSide, 2 * kSide}, Batch::Form::image, TargetSpec::values({kDigits})};
    info.labels = true;
    return info;
  }

  std::unique_ptr<Dataset> open(const DataOptions& o) const override {
    ST_CHECK(!o.augments_images(),
             "data.augment: glyph-pairs are drawn at random places already; leave it, rotate and zoom out");
    check_no_event_options(o, part_name(), "glyph-pairs");
    const GlyphSplit part = o.split == "test" ? GlyphSplit::test : GlyphSplit::train;
    const std::vector<int64_t> indices =
        split_indices(o, part == GlyphSplit::test ? o.test_size : o.train_size);
    const double mean = std::isnan(o.mean) ? kGlyphMean : o.mean, std = std::isnan(o.std) ? kGlyphStd : o.std;
    const auto count = static_cast<int64_t>(indices.size());
    const Tensor x = torch::empty({count, 1, kSide, 2 * kSide}), y = torch::zeros({count, kDigits});
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t k = 0; k < 2; ++k) {
        const Tensor glyph = torch::empty({kSide, kSide}, torch::kByte);
        const auto index = static_cast<uint64_t>(2 * indices[static_cast<size_t>(i)] + k);
        const int digit = draw_glyph(o.seed, part, index, glyph.data_ptr<uint8_t>());
        x[i][0].slice(1, k * kSide, (k + 1) * kSide).copy_((glyph.to(torch::kFloat) / 255 - mean) / std);
        y[i][digit] = 1;
      }
    }
    TensorDatasetOptions options;
    options.name = part_name() + " " + o.split;
    options.ids = torch::tensor(indices, torch::kLong);
    return tensor_dataset(x, {Target::Kind::values, y}, options);
  }
};
ST_REGISTER(DatasetSource, "glyph-pairs", GlyphPairs);

}  // namespace
}  // namespace spiketrain
