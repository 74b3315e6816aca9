// Model = a network as it is deployed, in plain numbers: layers of products and neurons, with everything linear folded into the weights.
//   I[t]  = sum_k W_k a_k[t] + bias        a_k: the network's input, or spikes of a layer, summed over windows
//   with current_decay > 0 the products pass a filter first: g[t] = current_decay g[t-1] + sum_k W_k a_k[t] takes their place
//   u[t]  = c[t-1] + I[t];   s[t] = H(u[t] - threshold)
//   c[t]  = what the next step begins with, by reset:
//             none  leak u             soft_decayed  leak (u - drop s)
//             soft  leak u - drop s    hard          leak (s ? v_reset : u)
// Folded: norms, gains, factors of pooling and of scale stages, resting potentials (into the bias), and the filter of a PSP: it is linear
// in time, so it may follow the weights, W psp(s) = psp(W s).  A reset that waits for the next step gives the same numbers.
// Without LibTorch.  Tests: deploy/model_test.cpp.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace spiketrain::deploy {

enum class Reset { none, soft_decayed, soft, hard };

/// Shape of maps; of a vector [N,1,1].
struct Map {
  int64_t channels = 1, height = 1, width = 1;
  int64_t size() const { return channels * height * width; }
};

/// Coefficients of a layer's neurons: one, one per channel, or one per neuron in C, H, W order.
using Coefficients = std::vector<double>;

/// One product W a.
struct Product {
  static constexpr int64_t kInput = -1;
  int64_t source = kInput;  ///< a layer, or the network's input; the layer itself: its spikes one step before
  Map in;                   ///< of the source
  int64_t window = 1;       ///< a is the sum over windows of this side; what does not fill one is left out
  bool conv = false;
  int64_t kernel = 1, stride = 1, padding = 0;  ///< of a convolution
  /// conv: [features, C, kernel, kernel]; else [features, inputs], inputs in C, H, W order.
  std::vector<double> weight = {};
  /// The maps behind the windows.
  Map pooled() const { return {in.channels, in.height / window, in.width / window}; }
  /// Weights that read one place of pooled(), all features of one output place.
  int64_t columns() const { return conv ? in.channels * kernel * kernel : pooled().size(); }
};

struct Layer {
  std::string name, notation;  ///< of the network's node
  Map out;
  std::vector<Product> products;
  double current_decay = 0;  ///< 0: the products pass no filter
  Coefficients bias;         ///< empty: none
  bool spiking = true;       ///< false: the output is u
  bool strict = false;       ///< spikes above the threshold only
  Reset reset = Reset::none;
  Coefficients leak, threshold, drop, v_reset;
  Coefficients start;  ///< membrane before the first step, before its leak
  double output_tau =
      0;  ///< of the last layer, > 0: what leaves is the PSP of its spikes with this time constant
};

struct Model {
  std::string notation;
  Map input;
  std::vector<Layer> layers;
};

}  // namespace spiketrain::deploy
