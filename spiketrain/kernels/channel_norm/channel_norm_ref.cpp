#include "spiketrain/kernels/channel_norm/channel_norm.h"

namespace spiketrain::cpu {

template <class R>
void channel_moments_ref(int64_t N, int64_t C, const R* x, double* mean, double* squares) {
  for (int64_t c = 0; c < C; ++c) {
    double sum = 0;
    for (int64_t n = 0; n < N; ++n) sum += static_cast<double>(x[n * C + c]);
    mean[c] = sum / static_cast<double>(N);
    squares[c] = 0;
    for (int64_t n = 0; n < N; ++n) {
      const double d = static_cast<double>(x[n * C + c]) - mean[c];
      squares[c] += d * d;
    }
  }
}

template <class R>
void channel_products_ref(int64_t N, int64_t C, const R* g, const R* x, const R* mean, double* sum,
                          double* product) {
  for (int64_t c = 0; c < C; ++c) {
    sum[c] = product[c] = 0;
    for (int64_t n = 0; n < N; ++n) {
      const auto error = static_cast<double>(g[n * C + c]);
      sum[c] += error;
      product[c] += error * (static_cast<double>(x[n * C + c]) - static_cast<double>(mean[c]));
    }
  }
}

template <class R>
void channel_standardise_ref(const StandardiseArgs<R>& a) {
  for (int64_t n = 0; n < a.N; ++n) {
    for (int64_t c = 0; c < a.C; ++c) {
      const R d = a.x[n * a.C + c] - a.mean[c];
      a.y[n * a.C + c] = d * a.factor[c] + a.bias[c];
    }
  }
}

template <class R>
void channel_adjoint_ref(const ChannelAdjointArgs<R>& a) {
  for (int64_t n = 0; n < a.N; ++n) {
    for (int64_t c = 0; c < a.C; ++c) {
      const int64_t i = n * a.C + c;
      const R pushed = (a.g[i] - a.push[c]) * a.factor[c], pulled = (a.x[i] - a.mean[c]) * a.pull[c];
      a.g_x[i] = pushed - pulled;
    }
  }
}

template void channel_moments_ref<float>(int64_t, int64_t, const float*, double*, double*);
template void channel_moments_ref<double>(int64_t, int64_t, const double*, double*, double*);
template void channel_products_ref<float>(int64_t, int64_t, const float*, const float*, const float*, double*,
                                          double*);
template void channel_products_ref<double>(int64_t, int64_t, const double*, const double*, const double*,
                                           double*, double*);
template void channel_standardise_ref<float>(const StandardiseArgs<float>&);
template void channel_standardise_ref<double>(const StandardiseArgs<double>&);
template void channel_adjoint_ref<float>(const ChannelAdjointArgs<float>&);
template void channel_adjoint_ref<double>(const ChannelAdjointArgs<double>&);

}  // namespace spiketrain::cpu
