// Convolution: I[t] = W * a[t], W [channels, in channels, kernel, kernel], zero padding.
// Dense: LibTorch's convolution on fixed chunks of the T*B samples.  The weight gradient is a sum over
// samples: each chunk gives a partial sum and these are added in order, so that the bits do not depend on the
// number of threads.
#include "spiketrain/core/initialise.h"
#include "spiketrain/core/ops.h"
#include "spiketrain/core/stage.h"
#include "spiketrain/core/synapse.h"

namespace spiketrain {
namespace {

struct Conv2d final : Synapse {
  static constexpr const char* kDoc = "convolution, W [channels, in channels, kernel, kernel]";
  int64_t channels = 1, kernel = 3, stride = 1, padding = 0;
  std::string init = "uniform";
  bool bias = false;
  template <class V>
  void visit(V& v) {
    v(channels, "channels", "number of output maps", Range{1, 1 << 16});
    v(kernel, "kernel", "side of the square kernel", Range{1, 63});
    v(stride, "stride", "stride", Range{1, 63});
    v(padding, "padding", "zeros added on each side", Range{0, 63});
    v(init, "init", "distribution of the initial weights", init_choices());
    v(weight_scale, "weight_scale", "factor on the initial weights");
    v(bias, "bias", "add a learnable bias per map, initially zero");
  }

  Shape build(const Shape& in) override {
    ST_CHECK(in.size() == 3, spec(), ": expected an input of [C,H,W], got ", at::IntArrayRef(in),
             "; convolutions come before the first fully connected layer");
    const auto side = [&](int64_t n) { return (n + 2 * padding - kernel) / stride + 1; };
    ST_CHECK(in[1] + 2 * padding >= kernel && in[2] + 2 * padding >= kernel, spec(),
             ": the kernel does not fit a ", in[1], "x", in[2], " map with padding ", padding);
    in_ = in;
    out_ = {channels, side(in[1]), side(in[2])};
    W_ = register_parameter("weight", torch::zeros({channels, in[0], kernel, kernel}));
    if (bias) b_ = register_parameter("bias", torch::zeros({channels, 1, 1}));
    return out_;
  }
  void initialise(uint64_t seed, uint64_t index) override {
    initialise_weight(W_, init, weight_scale, seed, index);
  }
  Tensor weight() override { return W_; }
  Tensor add_bias(const Tensor& I) override { return bias ? I + b_ : I; }

  Tensor apply(const Signal& x, const Tensor& W) const override {
    return map(x.a, out_, [&](const Tensor& part) { return torch::conv2d(part, W, {}, stride, padding); });
  }
  Tensor pull(const Tensor& g, const Tensor& W) const override {
    return map(g, in_, [&](const Tensor& part) {
      Tensor like =
          torch::empty({part.size(0), in_[0], in_[1], in_[2]}, part.options());  // only its shape is read
      return std::get<0>(backward(part, like, W, {true, false, false}));
    });
  }
  Tensor outer(const Tensor& g, const Signal& q) const override {
    const Tensor post = g.flatten(0, 1), pre = q.a.flatten(0, 1);
    const Tensor like = torch::empty({channels, in_[0], kernel, kernel}, g.options());
    if (!g.is_cpu()) return std::get<1>(backward(post, pre, like, {false, true, false}));
    const int64_t M = post.size(0), size = ops::chunk_size(M, min_samples());
    std::vector<Tensor> parts(static_cast<size_t>((M + size - 1) / size));
    ops::for_chunks(
        M,
        [&](int64_t i, int64_t j) {
          parts[static_cast<size_t>(i / size)] =
              std::get<1>(backward(post.slice(0, i, j), pre.slice(0, i, j), like, {false, true, false}));
        },
        min_samples());
    Tensor g_W = parts[0];
    for (size_t k = 1; k < parts.size(); ++k) g_W.add_(parts[k]);
    return g_W;
  }
  /// As LibTorch 1.13 does it on the CPU: a single small sample through columns of the input, anything else
  /// by oneDNN, which reorders what it reads and writes to blocks of 16 channels (few input channels
  /// excepted).
  Scratch scratch(int64_t rows, int threads) const override {
    const int64_t size = ops::chunk_size(rows, min_samples()), chunks = (rows + size - 1) / size;
    const int64_t at_once = std::min<int64_t>(threads, chunks);
    const auto blocked = [](int64_t n) { return (n + 15) / 16 * 16; };
    const int64_t x = 4 * size * numel(in_), y = 4 * size * numel(out_), w = 4 * W_.numel();
    const int64_t bx = x / in_[0] * blocked(in_[0]), by = y / channels * blocked(channels);
    const int64_t bw = w / in_[0] / channels * blocked(in_[0]) * blocked(channels);
    int64_t forward = std::max(by + y, x + w + by), input = std::max(bx + x, by + bw + bx);
    int64_t weight = in_[0] <= 4 ? by + w : bx + by + bw;
    if (size == 1 && numel(in_) <= 20480) {
      const int64_t columns = 4 * in_[0] * kernel * kernel * out_[1] * out_[2];
      forward = y + columns;
      input = x;
      weight = w + columns;
    }
    // pull: also a tensor that only gives its shape.  outer: the sums of the chunks before, and such a
    // tensor.
    return {at_once * forward, at_once * (input + x), at_once * weight + (chunks - at_once) * w};
  }
  int64_t macs() const override { return numel(out_) * in_[0] * kernel * kernel; }
  std::string spec() const override {
    std::string token = str(channels, "C", kernel);
    if (padding != 0) token += str("p", padding);
    if (stride != 1) token += str("s", stride);
    return token;
  }

 private:
  /// Samples of a chunk: a call of LibTorch costs as much as a million multiply-accumulates.
  int64_t min_samples() const { return std::max<int64_t>(1, 2000000 / macs()); }
  std::tuple<Tensor, Tensor, Tensor> backward(const Tensor& g, const Tensor& x, const Tensor& W,
                                              std::array<bool, 3> mask) const {
    return at::convolution_backward(g, x, W, at::OptionalIntArrayRef(), {stride, stride}, {padding, padding},
                                    {1, 1}, false, {0, 0}, 1, mask);
  }
  /// f on chunks of the T*B samples of x [T,B,...]; the results are put together as [T,B,*shape].
  template <class F>
  Tensor map(const Tensor& x, const Shape& shape, F&& f) const {
    const Tensor flat = x.flatten(0, 1);
    std::vector<int64_t> sizes = {x.size(0), x.size(1)};
    sizes.insert(sizes.end(), shape.begin(), shape.end());
    if (!x.is_cpu()) return f(flat).view(sizes);
    Tensor out = torch::empty(sizes, x.options());
    Tensor rows = out.flatten(0, 1);
    ops::for_chunks(
        flat.size(0), [&](int64_t i, int64_t j) { rows.slice(0, i, j).copy_(f(flat.slice(0, i, j))); },
        min_samples());
    return out;
  }

  Shape in_, out_;
  Tensor W_, b_;
};
ST_REGISTER(Synapse, "conv2d", Conv2d);

}  // namespace
}  // namespace spiketrain
