#include "spiketrain/networks/head.h"

#include "spiketrain/core/layer.h"

namespace spiketrain {
namespace {

/// Averages windows of h x w, with h, then w, doubled in turn until C*H*W <= features.
/// Source: Ma et al. 2022, the heads of ELL and BELL.
class HeadPool : public Stage {
 public:
  HeadPool(const Shape& in, int64_t features) : out_(in) {
    while (numel(out_) > features && (out_[1] > 1 || out_[2] > 1)) {
      const bool high = out_[2] == 1 || (out_[1] > 1 && h_ <= w_);
      (high ? h_ : w_) *= 2;
      out_ = {in[0], std::max<int64_t>(1, in[1] / h_), std::max<int64_t>(1, in[2] / w_)};
    }
    ST_CHECK(numel(out_) <= features, "head.pool_to: a block of ", in[0], " maps cannot be pooled to ",
             features, " features; the least is ", in[0]);
    h_ = std::min(h_, in[1]);
    w_ = std::min(w_, in[2]);
  }
  Signal forward(const Signal& x, Pass&) override {
    return x.map_linear([&](const Tensor& a) {
      const Tensor y = torch::avg_pool2d(a.flatten(0, 1), {h_, w_});
      return y.view({a.size(0), a.size(1), out_[0], out_[1], out_[2]});
    });
  }
  Shape out_shape() const override { return out_; }
  std::string spec() const override { return str("AP", h_, "x", w_); }
  void describe(std::vector<StageInfo>& list) const override {
    StageInfo row = {spec(), "average pooling", out_};
    row.linear = true;
    row.ops = numel(out_) * h_ * w_;
    list.push_back(std::move(row));
  }

 private:
  Shape out_;
  int64_t h_ = 1, w_ = 1;
};

}  // namespace

Network::Unit make_head(const Shape& in, int64_t classes, const HeadOptions& options,
                        std::shared_ptr<Neuron> neuron) {
  Network::Unit unit;
  Shape shape = in;
  if (options.pool_to > 0 && in.size() == 3 && numel(in) > options.pool_to) {
    unit.push_back(std::make_shared<HeadPool>(in, options.pool_to));
    shape = unit.back()->out_shape();
  }
  auto synapse = Registry<Synapse>::get().make({{"name", "head_linear"},
                                                {"features", classes},
                                                {"weights", options.weights},
                                                {"scale", options.scale},
                                                {"feedback", options.feedback}});
  unit.push_back(std::make_shared<Layer>(std::move(synapse), nullptr, std::move(neuron), shape));
  return unit;
}

}  // namespace spiketrain
