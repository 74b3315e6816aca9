// Mapped currents as rows of a tile of neurons, compiled once per instruction set, shared by the scans; current_map.h says what they
// are.
#if defined(SPIKETRAIN_CURRENT_MAP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SPIKETRAIN_CURRENT_MAP_INL_H
#undef SPIKETRAIN_CURRENT_MAP_INL_H
#else
#define SPIKETRAIN_CURRENT_MAP_INL_H
#endif

#include "spiketrain/kernels/current_map.h"
#include "spiketrain/kernels/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace spiketrain::cpu {
namespace HWY_NAMESPACE {

static_assert(CurrentMap<float>::kMore >= kTile, "a tile's rows of a map");

// The map of a tile's neurons, the same at every step.
template <class R>
struct MapRow {
  const R *mean, *factor, *bias;
  MapRow(const CurrentMap<R>& map, int64_t begin)
      : mean(map.C > 0 ? map.mean + begin % map.C : nullptr),
        factor(map.C > 0 ? map.factor + begin % map.C : nullptr),
        bias(map.C > 0 ? map.bias + begin % map.C : nullptr) {}
  // What neuron i of the tile reads of its row of currents.
  template <class Access>
  HWY_INLINE auto read(const Access& access, const R* I, int64_t i) const {
    const auto current = access.load(I + i);
    if (!mean) return current;
    const auto d = hn::Sub(current, access.load(mean + i));
    return hn::Add(hn::Mul(d, access.load(factor + i)), access.load(bias + i));
  }
};

// Membranes of a tile: rows of an array of all neurons, or of the tile's own.
template <class R>
struct MembraneRows {
  const R* first;
  int64_t pitch;
  const R* at(int64_t t) const { return first + t * pitch; }
};

}  // namespace HWY_NAMESPACE
}  // namespace spiketrain::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
