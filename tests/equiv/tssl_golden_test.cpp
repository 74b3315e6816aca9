// TSSL-BP scans against the authors' code (golden/tssl, n_* cases), forward and all three credit rules.
// Forward: equal bits.  Credit: relative to 1 + max abs, 1e-12 in float64, 1e-5 in float32.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "spiketrain/base/check.h"
#include "spiketrain/base/safetensors.h"
#include "spiketrain/kernels/tssl_scan/tssl_scan.h"

namespace spiketrain::cpu {
namespace {

struct GoldenFile {
  const char* name;
  TsslVariant variant;
};
const GoldenFile kFiles[] = {
    {"head_f32_n_active", TsslVariant::dec2020},    {"head_f32_n_sparse", TsslVariant::dec2020},
    {"head_f32_n_T30", TsslVariant::dec2020},       {"head_f64_n_active", TsslVariant::dec2020},
    {"head_f64_n_sparse", TsslVariant::dec2020},    {"jun2020_f64_n_active", TsslVariant::jun2020},
    {"sep2020_f64_n_active", TsslVariant::sep2020},
};

// The tensor with time moved from the last axis to the first.
template <class R>
std::vector<R> time_first(const SafetensorsFile& file, const char* name, int64_t T) {
  const TensorEntry& entry = file.at(name);
  std::vector<R> stored(entry.bytes / sizeof(R)), out(stored.size());
  std::memcpy(stored.data(), entry.data, entry.bytes);
  const int64_t N = static_cast<int64_t>(stored.size()) / T;
  for (int64_t n = 0; n < N; ++n) {
    for (int64_t t = 0; t < T; ++t)
      out[static_cast<size_t>(t * N + n)] = stored[static_cast<size_t>(n * T + t)];
  }
  return out;
}

template <class R>
void check(const SafetensorsFile& file, TsslVariant variant, bool reference) {
  double hyper[4];
  std::memcpy(hyper, file.at("hyper").data, sizeof(hyper));
  const int64_t T = static_cast<int64_t>(hyper[0]);
  const TsslParams p{hyper[1], hyper[2], hyper[3]};
  const std::vector<R> I = time_first<R>(file, "I", T), delta = time_first<R>(file, "grad_out", T);
  std::vector<uint8_t> s(I.size());
  std::vector<R> u(I.size()), a(I.size()), g(I.size());
  TsslForwardArgs<R> x;
  x.T = T, x.N = static_cast<int64_t>(I.size()) / T, x.I = I.data(), x.s = s.data(), x.u = u.data(),
  x.a = a.data();
  const int64_t spikes = reference ? tssl_forward_ref(p, x) : tssl_forward(p, x);
  EXPECT_EQ(u, time_first<R>(file, "u", T));
  EXPECT_EQ(a, time_first<R>(file, "out_psp", T));
  EXPECT_EQ(std::vector<R>(s.begin(), s.end()), time_first<R>(file, "spikes", T));

  TsslCreditArgs<R> y;
  y.T = T, y.N = x.N, y.u = u.data(), y.delta = delta.data(), y.g = g.data();
  y.warm_up = static_cast<double>(spikes) / static_cast<double>(I.size()) <= 0.1;
  reference ? tssl_credit_ref(variant, p, y) : tssl_credit(variant, p, y);
  const std::vector<R> want = time_first<R>(file, "grad_I", T);
  double largest = 0, error = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    largest = std::max(largest, static_cast<double>(std::abs(want[i])));
    error = std::max(error, static_cast<double>(std::abs(g[i] - want[i])));
  }
  EXPECT_GT(largest, 0.1);
  EXPECT_LE(error / (1 + largest), (std::is_same_v<R, double> ? 1e-12 : 1e-5));
}

TEST(TsslGolden, AuthorsCode) {
  for (const GoldenFile& golden : kFiles) {
    for (const bool reference : {false, true}) {
      SCOPED_TRACE(std::string(golden.name) + (reference ? " plain loops" : " vector code"));
      const auto file =
          SafetensorsFile::open(str(ST_SOURCE_DIR, "/golden/tssl/", golden.name, ".safetensors"));
      if (file.at("I").dtype == "F64") {
        check<double>(file, golden.variant, reference);
      } else {
        check<float>(file, golden.variant, reference);
      }
    }
  }
}

}  // namespace
}  // namespace spiketrain::cpu
