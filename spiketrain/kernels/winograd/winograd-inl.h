// The three steps of Winograd's convolution, compiled once per instruction set: kernels and inputs to products' factors, products,
// and products to outputs.
// Source of the maps: Lavin & Gray 2016, section 4: points 0, 1, -1 and infinity.
#if defined(SPIKETRAIN_WINOGRAD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SPIKETRAIN_WINOGRAD_INL_H
#undef SPIKETRAIN_WINOGRAD_INL_H
#else
#define SPIKETRAIN_WINOGRAD_INL_H
#endif

#include "spiketrain/kernels/floats-inl.h"
#include "spiketrain/kernels/winograd/plan.h"

HWY_BEFORE_NAMESPACE();
namespace spiketrain::cpu {
namespace HWY_NAMESPACE {
namespace {

constexpr int kTile = WinogradPlan::kTile, kSide = WinogradPlan::kSide, kPoints = WinogradPlan::kPoints;

// The maps in one dimension, from and to elements `step` apart.
HWY_INLINE void map_input(const VF* d, int step, VF* v) {
  v[0] = hn::Sub(d[0], d[2 * step]);
  v[step] = hn::Add(d[step], d[2 * step]);
  v[2 * step] = hn::Sub(d[2 * step], d[step]);
  v[3 * step] = hn::Sub(d[step], d[3 * step]);
}
HWY_INLINE void map_output(const VF* m, int step, VF* y, int y_step) {
  y[0] = hn::Add(hn::Add(m[0], m[step]), m[2 * step]);
  y[y_step] = hn::Sub(hn::Sub(m[step], m[2 * step]), m[3 * step]);
}
HWY_INLINE void map_kernel(const VF* g, int step, VF* u, int u_step) {
  const VF half = hn::Set(Float(), 0.5F);
  const VF ends = hn::Mul(half, hn::Add(g[0], g[2 * step])), middle = hn::Mul(half, g[step]);
  u[0] = g[0];
  u[u_step] = hn::Add(ends, middle);
  u[2 * u_step] = hn::Sub(ends, middle);
  u[3 * u_step] = g[2 * step];
}

// Kernels from input channel c, zero if there is none, to a vector of outputs.
HWY_INLINE void transform_kernels(const WinogradShape& s, const Kernels3x3& K, int64_t c, int64_t first,
                                  VF* u) {
  HWY_ALIGN float taps[9][kLanes] = {};
  for (int64_t lane = 0; lane < kLanes && first + lane < s.out && c < s.in; ++lane) {
    const float* kernel = K.data + (first + lane) * K.out_stride + c * K.in_stride;
    for (int tap = 0; tap < 9; ++tap) taps[tap][lane] = kernel[K.turned ? 8 - tap : tap];
  }
  VF g[9], rows[3 * kSide];
  for (int tap = 0; tap < 9; ++tap) g[tap] = hn::Load(Float(), taps[tap]);
  for (int x = 0; x < 3; ++x) map_kernel(g + x, 3, rows + x, 3);
  for (int y = 0; y < kSide; ++y) map_kernel(rows + 3 * y, 1, u + kSide * y, 1);
}

// Numbers in bfloat16, to nearest, in the low halves of words; what is no number stays none.
using Words = hn::RebindToUnsigned<Float>;
HWY_INLINE hn::Vec<Words> rounded(VF x) {
  const Words d;
  const auto bits = hn::BitCast(d, x);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d, 1));
  const auto nearest = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(d, 0x7FFF))));
  return hn::IfThenElse(hn::RebindMask(d, hn::IsNaN(x)), hn::Set(d, 0x7FC0), nearest);
}

// The n-th words of a panel's kernels: of input channel n, or of channels 2n and 2n + 1 in bfloat16.
void WinogradPack(const WinogradShape& s, const WinogradPlan& p, const Kernels3x3& K, int64_t panel,
                  int64_t n, float* U) {
  const int64_t width = p.panel_width(panel), first = panel * WinogradPlan::kPanel;
  float* to = U + kPoints * p.row * first + n * width;
  for (int64_t v = 0; v < width; v += kLanes, to += kLanes) {
    VF u[kPoints];
    transform_kernels(s, K, s.bf16 ? 2 * n : n, first + v, u);
    if (s.bf16) {
      VF next[kPoints];
      transform_kernels(s, K, 2 * n + 1, first + v, next);
      for (int k = 0; k < kPoints; ++k)
        u[k] = hn::BitCast(Float(), hn::Or(rounded(u[k]), hn::ShiftLeft<16>(rounded(next[k]))));
    }
    for (int k = 0; k < kPoints; ++k) hn::StoreU(u[k], Float(), to + k * p.row * width);
  }
}

// Where a tile lies.
struct Place {
  int64_t image, y, x;  ///< of its first output
  Place(const WinogradPlan& p, int64_t tile)
      : image(tile / (p.tiles_y * p.tiles_x)),
        y(tile / p.tiles_x % p.tiles_y * kTile),
        x(tile % p.tiles_x * kTile) {}
};

// Inputs of a tile, row t of V.
HWY_INLINE void load_tile(const WinogradShape& s, const WinogradPlan& p, const float* x, const Place& at,
                          const float* zeros, int64_t t, float* V) {
  const float* pixels[kPoints];
  for (int k = 0; k < kPoints; ++k) {
    const int64_t iy = at.y + k / kSide - s.pad, ix = at.x + k % kSide - s.pad;
    const bool inside = iy >= 0 && iy < s.H && ix >= 0 && ix < s.W;
    pixels[k] = inside ? x + ((at.image * s.H + iy) * s.W + ix) * s.in : zeros;
  }
  float* const to = V + t * p.row;
  for (int64_t c = 0; c < s.in; c += kLanes) {
    VF d[kPoints], v[kPoints];
    // What the tile to the right reads and this one does not.
    for (int k = 0; k < kPoints; ++k) {
      if (k % kSide >= kTile) hwy::Prefetch(pixels[k] + c + kTile * s.in);
    }
    if (c + kLanes <= s.in) {
      for (int k = 0; k < kPoints; ++k) d[k] = hn::LoadU(Float(), pixels[k] + c);
    } else {
      for (int k = 0; k < kPoints; ++k) d[k] = load_part(pixels[k] + c, s.in - c);
    }
    for (int column = 0; column < kSide; ++column) map_input(d + column, kSide, v + column);
    for (int row = 0; row < kSide; ++row) map_input(v + kSide * row, 1, d + kSide * row);
    if (!s.bf16) {
      for (int k = 0; k < kPoints; ++k) hn::StoreU(d[k], Float(), to + k * p.v_pitch + c);
      continue;
    }
    const hn::Rebind<uint16_t, Float> halves;
    for (int k = 0; k < kPoints; ++k) {
      const auto words = hn::BitCast(hn::RebindToSigned<Float>(), rounded(d[k]));
      hn::StoreU(hn::DemoteTo(halves, words), halves, reinterpret_cast<uint16_t*>(to + k * p.v_pitch) + c);
    }
  }
}

// Products of kR tiles with kV vectors of outputs: C [kR][width] = A [kR][in] B [in][width].
template <int kR, int kV>
HWY_INLINE void multiply(int64_t in, int64_t pitch, int64_t width, const float* HWY_RESTRICT A,
                         const float* HWY_RESTRICT B, float* HWY_RESTRICT C) {
  VF sum[kR][kV];
  for (int r = 0; r < kR; ++r) {
    for (int v = 0; v < kV; ++v) sum[r][v] = hn::Zero(Float());
  }
  for (int64_t c = 0; c < in; ++c, B += width) {
    VF b[kV];
    for (int v = 0; v < kV; ++v) b[v] = hn::LoadU(Float(), B + v * kLanes);
    for (int r = 0; r < kR; ++r) {
      const VF a = hn::Set(Float(), A[r * pitch + c]);
      for (int v = 0; v < kV; ++v) sum[r][v] = hn::MulAdd(a, b[v], sum[r][v]);
    }
  }
  for (int r = 0; r < kR; ++r) {
    for (int v = 0; v < kV; ++v) hn::StoreU(sum[r][v], Float(), C + r * width + v * kLanes);
  }
}

// One point of `tiles` tiles (a multiple of kRows) with the outputs of a panel.
HWY_INLINE void multiply_point(const WinogradPlan& p, int64_t tiles, int64_t width, const float* V,
                               const float* U, float* M) {
  constexpr int kWide = kLanes == 16 || HWY_ARCH_ARM ? 4 : 2;  // vectors whose sums stay in registers
  int64_t v = 0;
  const auto columns = [&](auto rows, auto vectors) HWY_ATTR {
    constexpr int kR = decltype(rows)::value, kV = decltype(vectors)::value;
    for (int64_t t = 0; t < tiles; t += kR)
      multiply<kR, kV>(p.terms, p.row, width, V + t * p.row, U + v, M + t * width + v);
    v += kV * kLanes;
  };
  using std::integral_constant;
  while (v + kWide * kLanes <= width) columns(integral_constant<int, 6>(), integral_constant<int, kWide>());
  if constexpr (kWide == 4) {
    if (v + 3 * kLanes <= width) columns(integral_constant<int, 6>(), integral_constant<int, 3>());
    if (v + 2 * kLanes <= width) columns(integral_constant<int, 12>(), integral_constant<int, 2>());
  }
  if (v < width) columns(integral_constant<int, 12>(), integral_constant<int, 1>());
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace spiketrain::cpu
HWY_AFTER_NAMESPACE();

// Highway has no product of bfloat16 in this version: AVX-512's own, in functions that are called only where the processor has it.
#undef SPIKETRAIN_WINOGRAD_BF16
#define SPIKETRAIN_WINOGRAD_BF16 (HWY_ARCH_X86_64 && HWY_TARGET <= HWY_AVX3)
#if SPIKETRAIN_WINOGRAD_BF16
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512bf16")
namespace spiketrain::cpu {
namespace HWY_NAMESPACE {
namespace {

// As multiply(), of words of two numbers.
template <int kR, int kV>
void multiply_bf16(int64_t terms, int64_t pitch, int64_t width, const float* HWY_RESTRICT A,
                   const float* HWY_RESTRICT B, float* HWY_RESTRICT C) {
  constexpr int64_t kWide = 16;
  __m512 sum[kR][kV];
  for (int r = 0; r < kR; ++r) {
    for (int v = 0; v < kV; ++v) sum[r][v] = _mm512_setzero_ps();
  }
  for (int64_t c = 0; c < terms; ++c, B += width) {
    __m512i b[kV];
    for (int v = 0; v < kV; ++v) b[v] = _mm512_loadu_si512(B + v * kWide);
    for (int r = 0; r < kR; ++r) {
      int word;
      memcpy(&word, A + r * pitch + c, sizeof(word));
      const __m512i a = _mm512_set1_epi32(word);
      for (int v = 0; v < kV; ++v)
        sum[r][v] =
            _mm512_dpbf16_ps(sum[r][v], reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b[v]));
    }
  }
  for (int r = 0; r < kR; ++r) {
    for (int v = 0; v < kV; ++v) _mm512_storeu_ps(C + r * width + v * kWide, sum[r][v]);
  }
}

// As multiply_point().
void multiply_point_bf16(const WinogradPlan& p, int64_t tiles, int64_t width, const float* V, const float* U,
                         float* M) {
  constexpr int64_t kWide = 16;
  for (int64_t v = 0; v < width;) {
    const int64_t vectors = HWY_MIN(int64_t{4}, (width - v) / kWide);
    for (int64_t t = 0; t < tiles; t += 6) {
      const float* const a = V + t * p.row;
      float* const c = M + t * width + v;
      if (vectors == 4) multiply_bf16<6, 4>(p.terms, p.row, width, a, U + v, c);
      if (vectors == 3) multiply_bf16<6, 3>(p.terms, p.row, width, a, U + v, c);
      if (vectors == 2) multiply_bf16<6, 2>(p.terms, p.row, width, a, U + v, c);
      if (vectors == 1) multiply_bf16<6, 1>(p.terms, p.row, width, a, U + v, c);
    }
    v += vectors * kWide;
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace spiketrain::cpu
HWY_POP_ATTRIBUTES
#endif

HWY_BEFORE_NAMESPACE();
namespace spiketrain::cpu {
namespace HWY_NAMESPACE {
namespace {

// Outputs of a panel, of a tile, from row t of M.
HWY_INLINE void store_tile(const WinogradShape& s, const WinogradPlan& p, const Place& at, int64_t panel,
                           int64_t t, const float* M, float* y) {
  const int64_t width = p.panel_width(panel), first = panel * WinogradPlan::kPanel;
  const int64_t rows = HWY_MIN(kTile, s.out_h() - at.y), columns = HWY_MIN(kTile, s.out_w() - at.x);
  float* const corner = y + ((at.image * s.out_h() + at.y) * s.out_w() + at.x) * s.out + first;
  for (int64_t v = 0; v < width && first + v < s.out; v += kLanes) {
    VF m[kPoints], half[kTile * kSide], out[kTile * kTile];
    for (int k = 0; k < kPoints; ++k) m[k] = hn::LoadU(Float(), M + k * p.m_pitch + t * width + v);
    for (int column = 0; column < kSide; ++column) map_output(m + column, kSide, half + column, kSide);
    for (int row = 0; row < kTile; ++row) map_output(half + kSide * row, 1, out + kTile * row, 1);
    const int64_t left = s.out - first - v;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        float* const to = corner + (r * s.out_w() + c) * s.out + v;
        left >= kLanes ? hn::StoreU(out[r * kTile + c], Float(), to)
                       : store_part(out[r * kTile + c], to, left);
      }
    }
  }
}

void WinogradBlock(const WinogradShape& s, const WinogradPlan& p, const float* x, const float* U,
                   int64_t block, float* space, float* y) {
  float *const V = space, *const M = V + kPoints * p.v_pitch, *const zeros = M + kPoints * p.m_pitch;
  const int64_t first = block * p.block, count = HWY_MIN(p.block, p.tiles - first);
  const int64_t rows = (count + WinogradPlan::kRows - 1) / WinogradPlan::kRows * WinogradPlan::kRows;
  memset(zeros, 0, static_cast<size_t>(p.in) * sizeof(float));
  for (int64_t t = 0; t < count; ++t) load_tile(s, p, x, Place(p, first + t), zeros, t, V);
  // Rows without a tile are multiplied like others and not looked at.
  for (int64_t k = 0; k < kPoints && rows > count; ++k)
    memset(V + k * p.v_pitch + count * p.row, 0, static_cast<size_t>((rows - count) * p.row) * sizeof(float));
  for (int64_t panel = 0; panel < p.panels(); ++panel) {
    const int64_t width = p.panel_width(panel);
    const float* const kernels = U + kPoints * p.row * panel * WinogradPlan::kPanel;
    for (int64_t k = 0; k < kPoints; ++k) {
      const float *const inputs = V + k * p.v_pitch, *const factors = kernels + k * p.row * width;
#if SPIKETRAIN_WINOGRAD_BF16
      if (s.bf16) {
        multiply_point_bf16(p, rows, width, inputs, factors, M + k * p.m_pitch);
        continue;
      }
#endif
      multiply_point(p, rows, width, inputs, factors, M + k * p.m_pitch);
    }
    for (int64_t t = 0; t < count; ++t) store_tile(s, p, Place(p, first + t), panel, t, M, y);
  }
}

bool WinogradMultipliesBf16() { return SPIKETRAIN_WINOGRAD_BF16; }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace spiketrain::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
