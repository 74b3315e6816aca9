// Convolution: I[t] = W * a[t], W [channels, in channels, kernel, kernel], zero padding.
// With weight_standardisation the products see ops::standardise(W, gain) instead of W.
// Spikes that are few enough: the event-driven kernels of ops/event_conv.h, work and memory in proportion to the spikes.
// Others, and real numbers: LibTorch's convolution on fixed chunks of the T*B samples, channels last; a share of spikes becomes
// floats inside its chunk.
// The weight gradient is a sum over samples: each chunk gives a partial sum and these are added in order, so that the
// bits do not depend on the number of threads.
// Deviation: none.  Tests: grad/synapse_test.cpp.
#include <array>
#include <string>
#include <tuple>

#include "spiketrain/core/initialise.h"
#include "spiketrain/core/synapse.h"
#include "spiketrain/ops/chunk_sum.h"
#include "spiketrain/ops/layout.h"
#include "spiketrain/ops/standardise.h"
#include "spiketrain/ops/winograd.h"
#include "spiketrain/parts/synapses/event_products.h"

namespace spiketrain {
namespace {

struct Conv2d final : Synapse {
  static constexpr const char* kDoc = "convolution, W [channels, in channels, kernel, kernel]";
  int64_t channels = 1, kernel = 3, stride = 1, padding = 0;
  std::string init = "uniform", bias_init = "zero";
  bool has_bias = false, weight_standardisation = false;
  template <class V>
  void visit(V& v) {
    v(channels, "channels", "number of output maps", Range{1, 1 << 16});
    v(kernel, "kernel", "side of the square kernel", Range{1, 63});
    v(stride, "stride", "stride", Range{1, 63});
    v(padding, "padding", "zeros added on each side", Range{0, 63});
    v(init, "init", "distribution of the initial weights", init_choices());
    v(weight_scale, "weight_scale", "factor on the initial weights");
    v(has_bias, "bias", "add a learnable bias per map");
    v(bias_init, "bias_init", "initial biases", bias_init_choices());
    v(weight_standardisation, "weight_standardisation",
      "multiply with weights of mean 0 and variance 1/inputs per map, times a learned gain");
  }

  Shape build(const Shape& in) override {
    ST_CHECK(in.size() == 3, notation(), ": expected an input of [C,H,W], got ", at::IntArrayRef(in),
             "; convolutions come before the first fully connected layer");
    const auto side = [&](int64_t n) { return (n + 2 * padding - kernel) / stride + 1; };
    ST_CHECK(in[1] + 2 * padding >= kernel && in[2] + 2 * padding >= kernel, notation(),
             ": the kernel does not fit a ", in[1], "x", in[2], " map with padding ", padding);
    in_ = in;
    out_ = {channels, side(in[1]), side(in[2])};
    W_ = register_parameter("weight", torch::zeros({channels, in[0], kernel, kernel}));
    if (has_bias) b_ = register_parameter("bias", torch::zeros({channels, 1, 1}));
    if (weight_standardisation) gain_ = register_parameter("gain", torch::ones({channels, 1, 1, 1}));
    return out_;
  }
  void initialise(uint64_t seed, uint64_t index) override {
    initialise_bias(b_, W_, bias_init, seed, index);
    initialise_weight(W_, init, weight_scale, seed, index);
  }
  Tensor weight() override { return gain_.defined() ? ops::standardise(W_, gain_) : W_; }
  Tensor bias() const override { return b_; }

  Tensor apply(const Signal& x, const Tensor& W) const override {
    const auto dense = [&](const Signal& input) { return apply_dense(input, W); };
    return by_events(ops::EventProduct::forward, x, W, kind()) ? apply_events(x, W, kind(), dense) : dense(x);
  }
  Tensor pull(const Tensor& g, const Tensor& W_in) const override {
    if (ops::winograd_pays(W_in, kind()) && g.scalar_type() == W_in.scalar_type()) return pull_fast(g, W_in);
    const auto type = factors(g);
    const Tensor flat = g.flatten(0, 1), W = pixelwise(W_in.to(type));
    return map(g.size(0), g.size(1), in_, g.options(), [&](int64_t i, int64_t j) {
      // Only the shape of the second is read.
      const Tensor like = ops::laid_empty({j - i, in_[0], in_[1], in_[2]}, W.options(), g.is_cpu());
      return std::get<0>(backward(pixelwise(flat.slice(0, i, j).to(type)), like, W, {true, false, false}));
    });
  }
  Tensor outer(const Tensor& g, const Signal& q) const override {
    const auto dense = [&](const Tensor& errors, const Signal& input) { return outer_dense(errors, input); };
    if (!by_events(ops::EventProduct::gradient, q, W_, kind())) return dense(g, q);
    return outer_events(g, q, W_.sizes(), kind(), dense);
  }
  double event_limit(ops::EventProduct product) const override {
    return ops::event_limit(product, {1, in_[0], in_[1], in_[2], channels, kernel, kernel, stride, padding},
                            mixed() && ops::has_bf16());
  }
  bool has_patches() const override { return true; }
  Tensor patches(const Tensor& x) const override {
    const Tensor columns = at::im2col(x, {kernel, kernel}, {1, 1}, {padding, padding}, {stride, stride});
    return columns.transpose(1, 2).flatten(0, 1).unsqueeze(0);  // [B,K,P] before
  }
  int64_t macs() const override { return numel(out_) * in_[0] * kernel * kernel; }
  std::string notation() const override {
    std::string token = str(channels, "C", kernel);
    if (padding != 0) token += str("p", padding);
    if (stride != 1) token += str("s", stride);
    return token;
  }

 private:
  ops::ConvKind kind() const { return {stride, padding, false, mixed()}; }
  bool mixed() const { return precision == Precision::mixed; }
  /// Of products with spikes, or with errors.
  torch::ScalarType factors(const Tensor& like) const {
    return mixed() && like.scalar_type() == torch::kFloat ? torch::kBFloat16 : like.scalar_type();
  }
  Tensor apply_dense(const Signal& x, const Tensor& W_in) const {
    if (ops::winograd_pays(W_in, kind())) return apply_fast(x, W_in);
    const auto type = is_exact_in_bfloat16(x) ? factors(W_in) : W_in.scalar_type();
    const Tensor W = pixelwise(W_in.to(type));
    x.prepare();
    return map(x.steps(), x.batch(), out_, W_in.options(), [&](int64_t i, int64_t j) {
      return torch::conv2d(pixelwise(x.rows(i, j).to(type)), W, {}, stride, padding);
    });
  }
  /// The two dense products that Winograd's algorithm makes.
  Tensor apply_fast(const Signal& x, const Tensor& W) const {
    const ops::WinogradKernels kernels = ops::winograd_forward(W, kind(), mixed() && is_exact_in_bfloat16(x));
    x.prepare();
    return fill(x.steps(), x.batch(), out_, W.options(), [&](int64_t i, int64_t j, const Tensor& rows) {
      ops::winograd(x.rows(i, j).to(W.scalar_type()), kernels, rows);
    });
  }
  Tensor pull_fast(const Tensor& g, const Tensor& W) const {
    const ops::WinogradKernels kernels = ops::winograd_backward(W, kind(), mixed());
    Tensor g_x = ops::laid_empty({g.size(0), g.size(1), in_[0], in_[1], in_[2]}, g.options(), /*last=*/true);
    ops::winograd(g.flatten(0, 1), kernels, g_x.flatten(0, 1));
    return g_x;
  }
  Tensor outer_dense(const Tensor& g, const Signal& q) const {
    const auto type = is_exact_in_bfloat16(q) ? factors(g) : g.scalar_type();
    const Tensor like = torch::empty({channels, in_[0], kernel, kernel}, g.options().dtype(type));
    const Tensor post = g.flatten(0, 1);
    q.prepare();
    const auto sum = [&](int64_t i, int64_t j) {
      // LibTorch takes maps of one channel for contiguous, and would lay their errors so.
      const Tensor part_of = post.slice(0, i, j).to(type);
      const Tensor errors = in_[0] == 1 && g.is_cpu() ? ops::laid(part_of, false) : pixelwise(part_of),
                   inputs = pixelwise(q.rows(i, j).to(type));
      const Tensor part = std::get<1>(backward(errors, inputs, pixelwise(like), {false, true, false}));
      return part.to(g.scalar_type()).contiguous();
    };
    if (post.size(0) == 0) return torch::zeros_like(like, like.options().dtype(g.scalar_type()));
    return ops::chunk_sum(post.size(0), min_samples(), g.is_cpu(), sum);
  }
  /// Channels last on the CPU, where that is what the convolutions are fastest with.
  static Tensor pixelwise(const Tensor& x) { return x.is_cpu() ? ops::unlaid(ops::laid(x, true), true) : x; }
  /// Samples of a chunk: a call of LibTorch costs as much as a million multiply-accumulates.
  int64_t min_samples() const { return std::max<int64_t>(1, 2000000 / macs()); }
  std::tuple<Tensor, Tensor, Tensor> backward(const Tensor& g, const Tensor& x, const Tensor& W,
                                              std::array<bool, 3> mask) const {
    return at::convolution_backward(g, x, W, at::OptionalIntArrayRef(), {stride, stride}, {padding, padding},
                                    {1, 1}, false, {0, 0}, 1, mask);
  }
  /// f(i, j) on chunks of the T*B samples; the results are put together as [T,B,*shape].
  template <class F>
  Tensor map(int64_t T, int64_t B, const Shape& shape, const torch::TensorOptions& options, F&& f) const {
    if (!options.device().is_cpu())
      return f(0, T * B).to(options.dtype()).unflatten(0, at::IntArrayRef({T, B}));
    return fill(T, B, shape, options,
                [&](int64_t i, int64_t j, const Tensor& rows) { ops::copy_maps(rows, f(i, j)); });
  }
  /// [T,B,*shape], channels last, filled by f(i, j, rows [i, j) of it) on chunks of the T*B samples.
  template <class F>
  Tensor fill(int64_t T, int64_t B, const Shape& shape, const torch::TensorOptions& options, F&& f) const {
    Tensor out = ops::laid_empty({T, B, shape[0], shape[1], shape[2]}, options, /*last=*/true);
    Tensor rows = out.flatten(0, 1);
    ops::for_chunks(
        T * B, [&](int64_t i, int64_t j) { f(i, j, rows.slice(0, i, j)); }, min_samples());
    return out;
  }

  Shape in_, out_;
  Tensor W_, b_, gain_;
};
ST_REGISTER(Synapse, "conv2d", Conv2d);

}  // namespace
}  // namespace spiketrain
