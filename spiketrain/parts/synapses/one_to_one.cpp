// One-to-one synapse: each neuron has one weight, I[t] = w * a[t] element by element; as a recurrent connection, a weight from
// each neuron to itself.  weights = "ones" hands on the input: a fixed weight of 1.  Deviation: none.  Tests: grad/synapse_test.cpp, grad/network_recurrent_test.cpp.
#include <string>

#include "spiketrain/core/initialise.h"
#include "spiketrain/core/synapse.h"
#include "spiketrain/ops/reduce.h"

namespace spiketrain {
namespace {

struct OneToOne final : Synapse {
  static constexpr const char* kDoc = "one weight for each neuron: I = w * input, element by element";
  std::string weights = "trained";
  template <class V>
  void visit(V& v) {
    v(weights, "weights", "trained, or fixed at 1", Choices{{"trained", "ones"}});
    v(weight_scale, "weight_scale", "size s of the initial weights, U(-s, s)");
  }

  Shape build(const Shape& in) override {
    in_ = in;
    w_ = weights == "trained" ? register_parameter("weight", torch::zeros(in))
                              : register_buffer("weight", torch::ones(in));
    return in;
  }
  void initialise(uint64_t seed, uint64_t index) override {
    if (weights == "trained") draw_uniform(w_, weight_scale, Rng(seed, Purpose::init, index));
  }
  Tensor weight() override { return w_; }

  Tensor apply(const Signal& x, const Tensor& W) const override { return x.detached().values() * W; }
  Tensor pull(const Tensor& g, const Tensor& W) const override { return g * W; }
  Tensor outer(const Tensor& g, const Signal& q) const override {
    return ops::sum_to(g * q.detached().values(), w_.sizes());
  }
  bool has_patches() const override { return true; }
  Tensor patches(const Tensor& x) const override {  // [F,B*P,1] as if each place had a map of its own
    return x.flatten(1).t().unsqueeze(2);
  }
  int64_t macs() const override { return numel(in_); }
  std::string notation() const override { return str(numel(in_), "R1"); }

 private:
  Shape in_;
  Tensor w_;
};
ST_REGISTER(Synapse, "one_to_one", OneToOne);

}  // namespace
}  // namespace spiketrain
