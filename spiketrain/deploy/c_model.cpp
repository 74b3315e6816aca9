// model.c.  The functions it writes compute what Machine (machine.cpp) computes, in the same order.
#include <algorithm>
#include <utility>

#include "spiketrain/base/check.h"
#include "spiketrain/deploy/c_export.h"
#include "spiketrain/deploy/c_text.h"

namespace spiketrain::deploy {
namespace {

using namespace c_text;

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

template <class Math>
class Writer {
 public:
  explicit Writer(const CExport<Math>& from) : from_(from), program_(*from.program) {}

  std::string write() {
    begin();
    const std::string head = std::exchange(text_, kProduct);
    sum_arrays();
    product_functions();
    for (size_t k = 0; k < program_.layers.size(); ++k) layer(k);
    interface();
    return head + (Math::kFixed ? helpers(text_) : "") + text_;
  }

 private:
  using Value = typename Math::Value;
  using LayerOf = ProgramLayer<Math>;

  template <class... Args>
  void put(const Args&... args) {
    text_ += str(args...);
  }
  static std::string add(const std::string& a, const std::string& b) {
    return Math::kFixed ? "add(" + a + ", " + b + ")" : a + " + " + b;
  }
  static std::string subtract(const std::string& a, const std::string& b) {
    return Math::kFixed ? "saturated((int64_t)" + a + " - " + b + ")" : a + " - " + b;
  }
  /// A factor of one is left out: it changes nothing.
  static std::string decay(const std::string& k, const std::string& v) {
    if (k == (Math::kFixed ? "32768" : "1.0f")) return v;
    return Math::kFixed ? "decay(" + k + ", " + v + ")" : k + " * " + v;
  }
  bool reads_input(const LayerOf& layer) const { return layer.products[0].shape.source == Product::kInput; }

  /// The helpers that `code` calls: compilers may refuse those that are not used.
  static std::string helpers(const std::string& code) {
    std::string text;
    for (auto h = std::rbegin(kFixedHelpers); h != std::rend(kFixedHelpers); ++h)
      if ((text + code).find(str(h->name, "(")) != std::string::npos) text = h->text + text;
    return text;
  }

  void begin() {
    put("/* ", c_comment(from_.about),
        "\n * Written by Spiketrain; see README.md. */\n#include \"model.h\"\n\n#include <string.h>\n\n");
    put("typedef ", CTypes<Math>::weight(program_.bits), " weight_t;\ntypedef ", CTypes<Math>::kValue,
        " value_t;\n");
  }

  void sum_arrays() {
    int64_t widest[2] = {};  // [product]
    for (const LayerOf& layer : program_.layers) {
      if (!reads_input(layer)) widest[0] = std::max(widest[0], layer.out.size());
      if (layer.recurrent()) widest[1] = std::max(widest[1], layer.out.size());
    }
    for (const size_t c : {0, 1}) {
      if (widest[c] > 0)
        put("\n/* Sums of the present layer's product ", c, ". */\nstatic value_t sum_", c, "[", widest[c],
            "];\n");
    }
  }

  /// The functions that add weights, those that are used.
  void product_functions() {
    bool conv[2] = {}, dense[2] = {};  // [from spikes or inputs]
    for (const LayerOf& layer : program_.layers) {
      for (const auto& product : layer.products) {
        const size_t input = product.shape.source == Product::kInput ? 1 : 0;
        (product.shape.conv ? conv : dense)[input] = true;
      }
    }
    for (const size_t input : {0, 1}) {
      if (!conv[input] && !dense[input]) continue;
      const auto fill = [&](const char* text) {
        const std::string made = replaced(text, "@", input ? "(value_t)w[f] * value" : "w[f]");
        return replaced(replaced(made, "#", input ? "input" : "spike"), "$", input ? ", value_t value" : "");
      };
      text_ +=
          replaced(replaced(kLocate, "@", input ? kMapsFirst : kMapsLast), "#", input ? "input" : "spike");
      if (dense[input]) text_ += fill(kDense);
      if (conv[input]) text_ += fill(kConv);
    }
  }

  template <class T>
  void array(const std::string& type, const std::string& name, const std::vector<T>& x) {
    put("static const ", type, " ", name, "[", x.size(), "] = ", c_array(x.data(), x.size()), ";\n");
  }

  void product(size_t k, size_t c) {
    const auto& product = program_.layers[k].products[c];
    const Product& s = product.shape;
    const Map pooled = s.pooled();
    put("static const product_t product_", k, "_", c, " = {",
        join({s.in.channels, s.in.height, s.in.width, s.window, pooled.height, pooled.width,
              product.out.channels, s.kernel, s.stride, s.padding, product.out.height, product.out.width}),
        "};\n");
    array("weight_t", str("weight_", k, "_", c), product.weight);
  }
  static std::string join(const std::vector<int64_t>& x) {
    std::string text;
    for (const int64_t n : x) text += (text.empty() ? "" : ", ") + std::to_string(n);
    return text;
  }

  /// A coefficient of neuron i: a number, or an element of an array, which is written now.
  std::string coefficient(size_t k, const char* name, const std::vector<Value>& x) {
    if (std::all_of(x.begin(), x.end(), [&](Value v) { return v == x[0]; })) return c_number(x[0]);
    const std::string array_name = str(name, "_", k);
    array("value_t", array_name, x);
    const bool each = x.size() == static_cast<size_t>(program_.layers[k].out.size());
    return array_name + (each ? "[i]" : str("[i % ", x.size(), "]"));
  }

  struct Names {
    std::string bias, leak, threshold, drop, v_reset, start;
  };

  void state(size_t k) {
    const LayerOf& layer = program_.layers[k];
    const int64_t n = layer.out.size();
    put("static value_t carried_", k, "[", n, "];\n");
    if (reads_input(layer))
      put("static value_t held_", k, "[", n, "]; /* sums of the product with the input */\n");
    if (layer.filtered) put("static value_t current_", k, "[", n, "];\n");
    if (layer.output_filtered) put("static value_t output_", k, "[", n, "];\n");
    if (layer.spiking) put("static model_site_t spikes_", k, "[", n, "];\nstatic int32_t count_", k, ";\n");
  }

  void layer(size_t k) {
    const LayerOf& layer = program_.layers[k];
    put("\n/* Layer ", k, ": ", layer.notation);
    if (Math::kFixed)
      put("; weights are numbers times 2^", -layer.products[0].exponent, ", membranes times 2^",
          -layer.exponent);
    put(" */\n");
    for (size_t c = 0; c < layer.products.size(); ++c) product(k, c);
    Names names;
    if (!layer.bias.empty()) names.bias = coefficient(k, "bias", layer.bias);
    names.leak = coefficient(k, "leak", layer.leak);
    names.start = coefficient(k, "start", layer.start);
    if (layer.spiking) names.threshold = coefficient(k, "threshold", layer.threshold);
    if (layer.reset == Reset::soft || layer.reset == Reset::soft_decayed)
      names.drop = coefficient(k, "drop", layer.drop);
    if (layer.reset == Reset::hard) names.v_reset = coefficient(k, "v_reset", layer.v_reset);
    state(k);
    starts_.push_back(decay(names.leak, names.start));
    const bool input = reads_input(layer), last = k + 1 == program_.layers.size();
    const std::string x = input ? "const model_input_t *x" : "", y = last ? "model_output_t *y" : "";
    put("\nstatic void layer_", k, "(", input || last ? x + (input && last ? ", " : "") + y : "void",
        ")\n{\n  int32_t i;\n");
    sums(k);
    neurons(k, names, last);
    put("}\n");
  }

  void sums(size_t k) {
    const LayerOf& layer = program_.layers[k];
    const auto function = [&](size_t c) {
      return std::string(layer.products[c].shape.conv ? "add_conv_" : "add_dense_");
    };
    const auto call = [&](size_t c, const std::string& sum, size_t source) {
      put("  for (i = 0; i < ", layer.out.size(), "; ++i) {\n    ", sum, "[i] = 0;\n  }\n");
      put("  for (i = 0; i < count_", source, "; ++i) {\n    ", function(c), "spike(", sum, ", weight_", k,
          "_", c, ", &product_", k, "_", c, ", (int32_t)spikes_", source, "[i]);\n  }\n");
    };
    if (!reads_input(layer)) {
      call(0, "sum_0", k - 1);
    } else {
      put("  if (x != NULL) {\n    (void)memset(held_", k, ", 0, sizeof(held_", k, "));\n");
      put("    for (i = 0; i < MODEL_INPUTS; ++i) {\n");
      if (!program_.takes_all()) {
        put("      value_t value = x[i];\n");
        put("      if (value > MODEL_INPUT_MAX) {\n        value = MODEL_INPUT_MAX;\n      }\n");
        put("      if (value < -MODEL_INPUT_MAX) {\n        value = -MODEL_INPUT_MAX;\n      }\n");
      } else {
        put("      const value_t value = ",
            Math::kFixed || program_.kind == Input::real ? "x[i]" : "(value_t)x[i]", ";\n");
      }
      put("      if (value != 0) {\n        ", function(0), "input(held_", k, ", weight_", k, "_0, &product_",
          k, "_0, i, value);\n");
      put("      }\n    }\n  }\n");
    }
    if (layer.recurrent()) call(1, "sum_1", k);
  }

  /// A sum on the membrane's scale.
  static std::string scaled(const std::string& sum, int shift) {
    if (!Math::kFixed || shift == 0) return sum;
    if (shift > 0) return str(sum, " * ", int64_t{1} << shift);
    return str("(value_t)rounded(", sum, ", ", -shift, ")");
  }

  void neurons(size_t k, const Names& names, bool last) {
    const LayerOf& layer = program_.layers[k];
    const std::string carried = str("carried_", k, "[i]");
    const auto own = [&](const char* name) { return str(name, "_", k, "[i]"); };
    if (layer.spiking) put("  count_", k, " = 0;\n");
    put("  for (i = 0; i < ", layer.out.size(), "; ++i) {\n");
    const bool changes = layer.recurrent() || layer.filtered || !layer.bias.empty();
    put("    ", changes ? "" : "const ", "value_t current = ",
        scaled(reads_input(layer) ? str("held_", k, "[i]") : "sum_0[i]", layer.products[0].shift), ";\n");
    if (changes || layer.spiking) put("    value_t u;\n");
    if (layer.recurrent())
      put("    current = ", add("current", scaled("sum_1[i]", layer.products[1].shift)), ";\n");
    if (layer.filtered) {
      put("    current = ", add(decay(c_number(layer.current_decay), own("current")), "current"), ";\n");
      put("    ", own("current"), " = current;\n");
    }
    if (!layer.bias.empty()) put("    current = ", add("current", names.bias), ";\n");
    put("    ", changes || layer.spiking ? "" : "const value_t ", "u = ", add(carried, "current"), ";\n");
    if (!layer.spiking) {
      put("    y[i] = u;\n    ", carried, " = ", decay(names.leak, "u"), ";\n  }\n");
      return;
    }
    const std::string output = own("output");
    if (last && layer.output_filtered)
      put("    ", output, " = ", decay(c_number(layer.output_decay), output), ";\n");
    put("    if (u ", layer.strict ? "> " : ">= ", names.threshold, ") {\n");
    put("      spikes_", k, "[count_", k, "] = (model_site_t)i;\n      ++count_", k, ";\n");
    if (layer.reset == Reset::soft_decayed) put("      u = ", subtract("u", names.drop), ";\n");
    if (layer.reset == Reset::hard) put("      u = ", names.v_reset, ";\n");
    put("      ", carried, " = ", decay(names.leak, "u"), ";\n");
    if (layer.reset == Reset::soft) put("      ", carried, " = ", subtract(carried, names.drop), ";\n");
    if (last && layer.output_filtered)
      put("      ", output, " = ", add(output, c_number(layer.output_step)), ";\n");
    if (last && !layer.output_filtered) put("      y[i] = 1;\n");
    put("    } else {\n      ", carried, " = ", decay(names.leak, "u"), ";\n");
    if (last && !layer.output_filtered) put("      y[i] = 0;\n");
    put("    }\n");
    if (last && layer.output_filtered) put("    y[i] = ", output, ";\n");
    put("  }\n");
  }

  /// What a step says about the classes.
  void gather() {
    const int64_t first = from_.reading.first;
    std::string update = "evidence[i] += y[i];";
    if (from_.reading.prediction == Prediction::greatest_maximum)
      update =
          str("if (steps_done == ", first, " || y[i] > evidence[i]) {\n      evidence[i] = y[i];\n    }");
    const std::string head = first > 0 ? str("i = steps_done < ", first, " ? MODEL_OUTPUTS : 0") : "i = 0";
    put("  for (", head, "; i < MODEL_OUTPUTS; ++i) {\n    ", update, "\n  }\n");
  }

  void interface() {
    const size_t layers = program_.layers.size();
    const bool decides = from_.reading.decides(), counts = from_.reading.counts_steps();
    if (decides) put("\nstatic ", CTypes<Math>::kEvidence, " evidence[MODEL_OUTPUTS];\n");
    if (counts) put("static int32_t steps_done;\n");
    put("\nvoid model_reset(void)\n{\n  int32_t i;\n");
    for (size_t k = 0; k < layers; ++k) reset(k);
    put(decides ? "  (void)memset(evidence, 0, sizeof(evidence));\n" : "",
        counts ? "  steps_done = 0;\n" : "", "}\n");
    put("\nvoid model_step(const model_input_t *x, model_output_t *y)\n{\n", decides ? "  int32_t i;\n" : "");
    for (size_t k = 0; k < layers; ++k) {
      const bool input = reads_input(program_.layers[k]), last = k + 1 == layers;
      put("  layer_", k, "(", input ? "x" : "", input && last ? ", " : "", last ? "y" : "", ");\n");
    }
    if (decides) gather();
    put(counts ? "  if (steps_done < INT32_MAX) {\n    ++steps_done;\n  }\n}\n" : "}\n");
    if (decides) text_ += kDecide;
    put("\nconst model_site_t *model_spikes(int layer, int32_t *count)\n{\n  *count = 0;\n  switch (layer) {\n");
    for (size_t k = 0; k < layers; ++k) {
      if (program_.layers[k].spiking)
        put("    case ", k, ":\n      *count = count_", k, ";\n      return spikes_", k, ";\n");
    }
    put("    default:\n      return NULL;\n  }\n}\n");
  }

  void reset(size_t k) {
    const LayerOf& layer = program_.layers[k];
    const std::pair<const char*, bool> arrays[] = {
        {"held", reads_input(layer)}, {"current", layer.filtered}, {"output", layer.output_filtered}};
    for (const auto& [name, there] : arrays)
      if (there) put("  (void)memset(", name, "_", k, ", 0, sizeof(", name, "_", k, "));\n");
    if (layer.spiking) put("  count_", k, " = 0;\n");
    put("  for (i = 0; i < ", layer.out.size(), "; ++i) {\n    carried_", k, "[i] = ", starts_[k],
        ";\n  }\n");
  }

  const CExport<Math>& from_;
  const Program<Math>& program_;
  std::string text_;
  std::vector<std::string> starts_;  ///< [layer] expression
};

}  // namespace

template <class Math>
std::string c_model(const CExport<Math>& from) {
  return Writer<Math>(from).write();
}
template std::string c_model(const CExport<Float>&);
template std::string c_model(const CExport<Fixed>&);

}  // namespace spiketrain::deploy
