// What an exported network costs, and its README.
#include <algorithm>

#include "spiketrain/base/check.h"
#include "spiketrain/deploy/c_export.h"

namespace spiketrain::deploy {
namespace {

template <class Math>
int64_t state_bytes(const CExport<Math>& from) {
  const Program<Math>& program = *from.program;
  const int64_t site = c_site(program) == "uint8_t" ? 1 : c_site(program) == "uint16_t" ? 2 : 4;
  int64_t bytes = 0, widest[2] = {};
  for (const auto& layer : program.layers) {
    const int64_t n = layer.out.size();
    const bool input = layer.products[0].shape.source == Product::kInput;
    bytes += 4 * n * (1 + (input ? 1 : 0) + (layer.filtered ? 1 : 0) + (layer.output_filtered ? 1 : 0));
    if (layer.spiking) bytes += site * n + 4;
    if (!input) widest[0] = std::max(widest[0], n);
    if (layer.recurrent()) widest[1] = std::max(widest[1], n);
  }
  if (from.reading.decides()) bytes += program.layers.back().out.size() * (Math::kFixed ? 8 : 4);
  if (from.reading.counts_steps()) bytes += 4;
  return bytes + 4 * (widest[0] + widest[1]);
}

/// Bytes of the coefficients that are arrays: one of which all elements are equal is written as a number.
template <class Value>
int64_t array_bytes(const std::vector<Value>& x) {
  const bool number = std::all_of(x.begin(), x.end(), [&](Value v) { return v == x[0]; });
  return number ? 0 : static_cast<int64_t>(x.size() * sizeof(Value));
}

/// Bytes of a layer's constants beside its weights.
template <class Math>
int64_t constant_bytes(const ProgramLayer<Math>& layer) {
  constexpr int64_t kProductBytes = 12 * 4;  // product_t of model.c
  int64_t bytes = static_cast<int64_t>(layer.products.size()) * kProductBytes;
  for (const auto* x : {&layer.bias, &layer.leak, &layer.start}) bytes += array_bytes(*x);
  if (layer.spiking) bytes += array_bytes(layer.threshold);
  if (layer.reset == Reset::soft || layer.reset == Reset::soft_decayed) bytes += array_bytes(layer.drop);
  if (layer.reset == Reset::hard) bytes += array_bytes(layer.v_reset);
  return bytes;
}

/// Weights that all inputs of a product add: what a dense product multiplies.
template <class Math>
int64_t dense_additions(const ProgramProduct<Math>& product) {
  const Product& s = product.shape;
  const Map in = s.pooled();
  const int64_t windows = s.window * s.window, features = product.out.channels;
  if (!s.conv) return in.size() * windows * features;
  int64_t rows = 0, columns = 0;  // pairs of an input and an output row that a kernel joins
  for (int64_t y = 0; y < product.out.height; ++y)
    for (int64_t i = 0; i < s.kernel; ++i)
      rows += y * s.stride + i - s.padding >= 0 && y * s.stride + i - s.padding < in.height;
  for (int64_t x = 0; x < product.out.width; ++x)
    for (int64_t j = 0; j < s.kernel; ++j)
      columns += x * s.stride + j - s.padding >= 0 && x * s.stride + j - s.padding < in.width;
  return rows * columns * in.channels * windows * features;
}

}  // namespace

template <class Math>
CFootprint footprint(const CExport<Math>& from) {
  CFootprint f;
  for (const auto& layer : from.program->layers) {
    for (const auto& product : layer.products) {
      f.weight_bytes += static_cast<int64_t>(product.weight.size()) * from.program->bits / 8;
      f.most_additions += dense_additions(product);
    }
    f.coefficient_bytes += constant_bytes(layer);
    f.updates += layer.out.size();
  }
  f.ram_bytes = state_bytes(from);
  int64_t steps = 0;
  for (const auto& sample : from.samples) {
    steps += sample.steps;
    for (const int64_t n : sample.additions) f.additions += static_cast<double>(n);
  }
  f.additions /= static_cast<double>(std::max<int64_t>(1, steps));
  return f;
}
template CFootprint footprint(const CExport<Float>&);
template CFootprint footprint(const CExport<Fixed>&);

template <class Math>
std::string c_readme(const CExport<Math>& from) {
  const Program<Math>& program = *from.program;
  const CFootprint f = footprint(from);
  std::string text = str("# ", program.notation, "\n\n", from.about, ".\n\n");
  text +=
      "    make test    builds model_test and runs the recorded samples\n    make arm     the same on a Cortex-M3 in QEMU\n    make size    code and data of model.c for a Cortex-M3\n\n";
  text +=
      "For a device take `model.h` and `model.c`: C99, `stdint.h` and `string.h` only, no allocation, one network per program.\n\n";
  const bool still = from.samples.front().still;
  text += str(
      "    model_output_t y[MODEL_OUTPUTS];\n    model_reset();\n    for (t = 0; t < steps; ++t) model_step(",
      still ? "t == 0 ? x : NULL" : "x + t * MODEL_INPUTS", ", y);\n",
      from.reading.decides() ? "    label = model_decide();\n\n" : "\n");
  text += c_prediction(from.reading) + ".  ";
  text += still ? "The same input is shown at every step: NULL stands for that of the step before.  "
                : "x holds the inputs of all steps, one after the other.  ";
  if (program.input.height * program.input.width > 1) text += "The input lies map by map, row by row.  ";
  text += from.scaling + ".\n\n## What it takes\n\n| | |\n|---|---|\n";
  text += str("| weights (flash) | ", f.weight_bytes, " bytes |\n| other constants (flash) | ",
              f.coefficient_bytes, " bytes, and the code |\n");
  text += str("| state (RAM) | ", f.ram_bytes, " bytes, and some words of stack |\n");
  text += str("| weights added per step | ", static_cast<int64_t>(f.additions + 0.5),
              " in the recorded samples; ", f.most_additions, " if every input and neuron were active |\n");
  text += str("| neurons updated per step | ", f.updates, " |\n\n## Layers\n\n| layer | neurons | ");
  text += Math::kFixed ? "weights times 2^-n, n | membranes times 2^-n, n |\n|---|---|---|---|\n"
                       : "weights |\n|---|---|---|\n";
  for (const auto& layer : program.layers) {
    text += str("| ", layer.notation, " | ", layer.out.size(), " | ");
    text += Math::kFixed ? str(layer.products[0].exponent, " | ", layer.exponent, " |\n")
                         : str(layer.products[0].weight.size(), " |\n");
  }
  text += "\n## Arithmetic\n\n";
  text +=
      Math::kFixed
          ? "Weights are integers of 8 or 16 bits with a power-of-two scale per product; sums and membranes have 32 bits.  A leak is a "
            "factor k / 2^15; its product is rounded to the nearest, halves away from zero.  Values beyond 32 bits saturate.  The same numbers "
            "come from `spiketrain eval --integer`.\n"
          : "float32.  Each sum begins at zero and takes the weights of its active inputs in order; multiplications and additions are rounded one "
            "by one, so compile without fused multiply-adds (`-ffp-contract=off`).\n";
  return text;
}
template std::string c_readme(const CExport<Float>&);
template std::string c_readme(const CExport<Fixed>&);

}  // namespace spiketrain::deploy
