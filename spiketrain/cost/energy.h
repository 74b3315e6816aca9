// Energy of an operation, for the cost meter's estimate.
#pragma once
#include "spiketrain/base/registry.h"

namespace spiketrain {

/// Recipe section [cost]: energy of one operation.  Defaults: 45 nm, 0.9 V, 32-bit floats, as given in
/// Horowitz 2014, "Computing's energy problem (and what we can do about it)": multiply 3.7, add 0.9; a word
/// is half of a 64-bit access to an 8 KiB cache (10 pJ).
struct EnergyTable {
  double pj_mac = 4.6, pj_ac = 0.9, pj_vector = 4.6, pj_word = 5.0;

  template <class V>
  void visit(V& v) {
    v(pj_mac, "pj_mac", "energy of a multiply-accumulate, pJ", Range{0, 1e9}, OnResume::may_change);
    v(pj_ac, "pj_ac", "energy of an accumulate, pJ", Range{0, 1e9}, OnResume::may_change);
    v(pj_vector, "pj_vector", "energy of an elementwise operation, pJ", Range{0, 1e9}, OnResume::may_change);
    v(pj_word, "pj_word", "energy to move a 32-bit word, pJ: 5 from a small cache, about 1000 from DRAM",
      Range{0, 1e9}, OnResume::may_change);
  }
};

}  // namespace spiketrain
