// Cases of lif_scan for given constants; sizes are {T, N}.
#pragma once
#include "spiketrain/kernels/cases.h"
#include "spiketrain/kernels/lif_scan/lif_scan.h"

namespace spiketrain::cpu {

/// Which of the optional arrays are there.
enum class LifArrays {
  all,       ///< every one; the adjoint computes g_leak
  training,  ///< what training keeps: s, u and the states
  fewest,    ///< none
  mapped     ///< what training keeps behind a norm: the current with a map, no membrane
};

std::unique_ptr<KernelCase> lif_forward_case(const CaseSpec& spec, const LifParams& p, LifArrays arrays);
std::unique_ptr<KernelCase> lif_adjoint_case(const CaseSpec& spec, const LifParams& p, LifArrays arrays);

}  // namespace spiketrain::cpu
