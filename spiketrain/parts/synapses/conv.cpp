// Convolution over one or two dimensions with a kernel, stride, padding and dilation for each, in groups:
//   I[t] = W * a[t], W [channels, in channels/groups, *kernel], zero padding, `padding_end` zeros behind if not as many as in front
// For what conv2d, which is faster, cannot say: sides that differ, dilation, groups, one dimension.  LibTorch's convolution on
// fixed chunks of the T*B samples; the weight gradient as in conv2d, each chunk a partial sum, added in order.
// Deviation: none.  Tests: grad/synapse_test.cpp, golden/nir_test.cpp.
#include <string>
#include <tuple>

#include "spiketrain/core/initialise.h"
#include "spiketrain/core/synapse.h"
#include "spiketrain/ops/chunk_sum.h"
#include "spiketrain/ops/layout.h"

namespace spiketrain {
namespace {

struct Conv final : Synapse {
  static constexpr const char* kDoc = "convolution over one or two dimensions, with groups and dilation";
  int64_t channels = 1, groups = 1;
  std::vector<int64_t> kernel = {3}, stride = {1}, padding = {0}, padding_end, dilation = {1};
  std::string init = "uniform", bias_init = "zero";
  bool has_bias = false;
  template <class V>
  void visit(V& v) {
    v(channels, "channels", "number of output maps", Range{1, 1 << 16});
    v(kernel, "kernel", "sides of the kernel: [3] over one dimension, [3, 5] over two");
    v(stride, "stride", "stride of each dimension; one number: of all");
    v(padding, "padding", "zeros in front of each dimension; one number: of all");
    v(padding_end, "padding_end", "zeros after each dimension; []: as many as before it");
    v(dilation, "dilation",
      "dilation: distance between neighbouring inputs of the kernel; one number: in all dimensions");
    v(groups, "groups",
      "number of groups of channels; outputs of a group read only the inputs of the same group",
      Range{1, 1 << 16});
    v(init, "init", "distribution of the initial weights", init_choices());
    v(weight_scale, "weight_scale", "factor on the initial weights");
    v(has_bias, "bias", "add a learnable bias per map");
    v(bias_init, "bias_init", "initial biases", bias_init_choices());
  }
  void check() override {
    const size_t dims = kernel.size();
    ST_CHECK(dims == 1 || dims == 2, "synapse conv: kernel: expected one or two sides, got ", dims);
    if (padding_end.empty()) padding_end = padding;
    const auto spread = [&](std::vector<int64_t>& list, const char* name, int64_t least) {
      if (list.size() == 1) list.resize(dims, list[0]);
      ST_CHECK(list.size() == dims, "synapse conv: ", name, ": expected a number or ", dims, ", got ",
               list.size());
      for (const int64_t n : list)
        ST_CHECK(n >= least && n <= (1 << 16), "synapse conv: ", name, ": expected numbers from ", least,
                 " to 65536, got ", n);
    };
    spread(kernel, "kernel", 1);
    spread(stride, "stride", 1);
    spread(padding, "padding", 0);
    spread(padding_end, "padding_end", 0);
    spread(dilation, "dilation", 1);
    ST_CHECK(channels % groups == 0, "synapse conv: ", channels, " maps cannot be cut into ", groups,
             " groups");
  }

  Shape build(const Shape& in) override {
    const size_t dims = kernel.size();
    ST_CHECK(in.size() == dims + 1, notation(), ": expected an input of ", dims == 1 ? "[C,N]" : "[C,H,W]",
             ", got ", at::IntArrayRef(in));
    ST_CHECK(in[0] % groups == 0, notation(), ": ", in[0], " maps cannot be cut into ", groups, " groups");
    in_ = in;
    out_ = {channels};
    Shape weight = {channels, in[0] / groups}, bias = {channels};
    for (size_t i = 0; i < dims; ++i) {
      const int64_t room = in[i + 1] + padding[i] + padding_end[i] - dilation[i] * (kernel[i] - 1) - 1;
      ST_CHECK(room >= 0, notation(), ": the kernel does not fit the input ", at::IntArrayRef(in));
      out_.push_back(room / stride[i] + 1);
      weight.push_back(kernel[i]);
      bias.push_back(1);
    }
    W_ = register_parameter("weight", torch::zeros(weight));
    if (has_bias) b_ = register_parameter("bias", torch::zeros(bias));
    return out_;
  }
  void initialise(uint64_t seed, uint64_t index) override {
    initialise_bias(b_, W_, bias_init, seed, index);
    initialise_weight(W_, init, weight_scale, seed, index);
  }
  Tensor weight() override { return W_; }
  Tensor bias() const override { return b_; }

  Tensor apply(const Signal& x, const Tensor& W) const override {
    x.prepare();
    return map(x.steps(), x.batch(), out_, W.options(), [&](int64_t i, int64_t j) {
      return at::convolution(padded(x.rows(i, j).to(W.scalar_type())), W, {}, stride, zeros(), dilation,
                             false, zeros(), groups);
    });
  }
  Tensor pull(const Tensor& g, const Tensor& W) const override {
    const Tensor flat = g.flatten(0, 1);
    return map(g.size(0), g.size(1), in_, g.options(), [&](int64_t i, int64_t j) {
      // Only the shape of the second is read.
      const Tensor like = torch::empty({1}, g.options()).expand(padded_sizes(j - i));
      return cut(std::get<0>(backward(flat.slice(0, i, j).contiguous(), like, W, {true, false, false})));
    });
  }
  Tensor outer(const Tensor& g, const Signal& q) const override {
    q.prepare();
    const Tensor flat = g.flatten(0, 1);
    const auto sum = [&](int64_t i, int64_t j) {
      const Tensor x = padded(q.rows(i, j).to(g.scalar_type()));
      return std::get<1>(backward(flat.slice(0, i, j).contiguous(), x, W_.detach().to(g.scalar_type()),
                                  {false, true, false}))
          .contiguous();
    };
    if (flat.size(0) == 0) return torch::zeros(W_.sizes(), g.options());
    return ops::chunk_sum(flat.size(0), min_samples(), g.is_cpu(), sum);
  }
  int64_t macs() const override { return numel(out_) * W_.numel() / channels; }
  std::string notation() const override {
    std::vector<std::string> list;
    for (const int64_t side : kernel) list.push_back(std::to_string(side));
    std::string token = str(channels, "C", join(list, "x"));
    if (groups > 1) token += str("g", groups);
    return token;
  }

 private:
  std::vector<int64_t> zeros() const { return std::vector<int64_t>(kernel.size(), 0); }
  /// [M,*in] with its zeros around it.
  Tensor padded(const Tensor& x) const {
    std::vector<int64_t> pads;
    for (size_t i = kernel.size(); i-- > 0;) {
      pads.push_back(padding[i]);
      pads.push_back(padding_end[i]);
    }
    return torch::constant_pad_nd(x, pads).contiguous();
  }
  Shape padded_sizes(int64_t samples) const {
    Shape sizes = {samples, in_[0]};
    for (size_t i = 0; i < kernel.size(); ++i) sizes.push_back(in_[i + 1] + padding[i] + padding_end[i]);
    return sizes;
  }
  /// The way back of padded().
  Tensor cut(Tensor g) const {
    for (size_t i = 0; i < kernel.size(); ++i)
      g = g.slice(static_cast<int64_t>(i) + 2, padding[i], padding[i] + in_[i + 1]);
    return g;
  }
  std::tuple<Tensor, Tensor, Tensor> backward(const Tensor& g, const Tensor& x, const Tensor& W,
                                              std::array<bool, 3> mask) const {
    return at::convolution_backward(g, x, W, at::OptionalIntArrayRef(), stride, zeros(), dilation, false,
                                    zeros(), groups, mask);
  }
  int64_t min_samples() const { return std::max<int64_t>(1, 2000000 / macs()); }
  /// f(i, j) on chunks of the T*B samples; the results are put together as [T,B,*shape].
  template <class F>
  Tensor map(int64_t T, int64_t B, const Shape& shape, const torch::TensorOptions& options, F&& f) const {
    if (!options.device().is_cpu()) return f(0, T * B).unflatten(0, at::IntArrayRef({T, B}));
    Shape sizes = {T, B};
    sizes.insert(sizes.end(), shape.begin(), shape.end());
    // Maps channels last, as who reads them wants them.
    Tensor out = ops::laid_empty(sizes, options.requires_grad(false), sizes.size() == 5);
    Tensor rows = out.flatten(0, 1);
    ops::for_chunks(
        T * B, [&](int64_t i, int64_t j) { rows.slice(0, i, j).copy_(f(i, j)); }, min_samples());
    return out;
  }

  Shape in_, out_;
  Tensor W_, b_;
};
ST_REGISTER(Synapse, "conv", Conv);

}  // namespace
}  // namespace spiketrain
