// One connection of a layer in one segment, and what leaves the layer.  For layer.cpp and layer_tape.cpp alone.
#pragma once
#include <algorithm>

#include "spiketrain/core/layer.h"
#include "spiketrain/core/norm.h"
#include "spiketrain/core/tape.h"
#include "spiketrain/ops/reduce.h"

namespace spiketrain {

/// One connection in one segment.
struct Layer::Link : torch::CustomClassHolder {
  Presynaptic pre;
  std::shared_ptr<const Feedback> feedback;
  c10::intrusive_ptr<Record>
      record;  ///< null: a constant current held over several segments, whose q is its x

  /// Of a constant x.
  Signal image() const { return Signal::dense(pre.x.image()); }
  /// W x
  Tensor product(const Tensor& W) const {
    const Signal& x = pre.x;
    return x.is_constant() ? spread(pre.synapse->apply(image(), W), x.gain()) : pre.synapse->apply(x, W);
  }
  /// dL/dW from g = dL/d(W x), contiguous.
  Tensor weight_gradient(const Tensor& g, const Tensor& W) const {
    const Synapse& synapse = *pre.synapse;
    Tensor g_W = record ? record->rule->weight_gradient(synapse, *record, pre, g) : synapse.outer(g, pre.x);
    if (!g_W.defined()) return g_W;  // the rule only looks
    return learned(g_W.view(W.sizes()));
  }
  /// The same from g = dL/d(product with the image of a constant x); only if the rule's q is x.
  Tensor image_gradient(const Tensor& g, const Tensor& W) const {
    return learned(pre.synapse->outer(g, image()).view(W.sizes()));
  }
  /// dL/d(product with the image of a constant x) from g = dL/d(that product times x's gain).
  Tensor gathered(const Tensor& g) const {
    return record ? gathered_credit(*record, pre, g) : gather(g, pre.x.gain());
  }
  /// dL/d(x's edge)
  Tensor pull(const Tensor& g, const Tensor& W) const {
    return pull_image(pre.x.is_constant() ? gather(g, pre.x.gain()) : g, W);
  }
  /// The same from the error at what the edge was multiplied to: of a constant x at the product with its image.
  Tensor pull_image(const Tensor& g, const Tensor& W) const {
    return pre.synapse->pull(g, feedback ? feedback->matrix(W) : W);
  }

 private:
  Tensor learned(const Tensor& g_W) const {
    if (feedback) feedback->learn(g_W);
    return g_W;
  }
};

/// dL/d(bias) of this shape from g = dL/dI.
inline Tensor bias_gradient(const c10::intrusive_ptr<Record>& record, const Tensor& g,
                            at::IntArrayRef shape) {
  return ops::sum_to(record && record->g_bias.defined() ? record->g_bias : g, shape);
}

/// The current of a connection in a segment, and the way back through what stands between it and what the connection reads.
struct Layer::TapedCurrent {
  LinkP link;   ///< null: the input is the current
  Tensor W, b;  ///< leaves; b may be undefined
  Tensor gain;  ///< of a constant input
  Tensor I;
  Tensor held;  ///< the product with the image of a constant x, a leaf; undefined: there is none
  bool once =
      false;  ///< the norm has seen the image's current once for all steps: errors are summed over them before it
  Normed normed;

  /// dL/d(what it reads) from g = dL/dI, or undefined unless `pulls`; adds to gradients, and leaves nothing of the norm behind.
  EdgeError back(Tensor g, const RecordP& record, bool pulls) {
    if (!link) return !pulls ? EdgeError() : gain.defined() ? gather(g, gain) : EdgeError(std::move(g));
    if (once) g = gather(g, gain);
    if (const auto through_norm = std::exchange(normed.back, {})) g = through_norm(std::move(g));
    if (b.defined()) accumulate(b, bias_gradient(record, g, b.sizes()));
    if (held.defined()) {
      accumulate(held, once ? g : link->gathered(g));
      return {};
    }
    if (W.requires_grad()) accumulate(W, once ? link->image_gradient(g, W) : link->weight_gradient(g, W));
    return !pulls ? EdgeError() : once ? link->pull_image(g, W) : link->pull(g, W);
  }
};

/// Whether a rule meets a synapse in each segment; a held current whose factor is the input is the weights' affair, once.
inline bool meets_each_segment(bool held, const Rule& rule) { return !held || !rule.q_is_input(); }

/// What leaves the layer, as autograd sees it.
inline Tensor output_edge(const Record& record) {
  if (!record.spiking()) return record.a.alias();
  return carrier(record.sizes(), torch::TensorOptions(record.type).device(record.device()));
}

}  // namespace spiketrain
