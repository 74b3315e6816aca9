// model.sv and the memories of the network.
#include <algorithm>

#include "spiketrain/base/check.h"
#include "spiketrain/deploy/rtl_export.h"

namespace spiketrain::deploy {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

/// .name(value), ... in lines.
std::string joined_settings(const Settings& settings, const std::string& indent) {
  std::string text, line;
  for (size_t i = 0; i < settings.size(); ++i) {
    const std::string one =
        str(".", settings[i].first, "(", settings[i].second, ")", i + 1 < settings.size() ? "," : "");
    if (line.size() + one.size() > 110) {
      text += indent + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + one;
  }
  return text + indent + line + "\n";
}

std::string instance(const std::string& module, const std::string& name, const Settings& parameters,
                     const Settings& ports) {
  return str("  ", module, " #(\n", joined_settings(parameters, "    "), "  ) ", name, " (\n",
             joined_settings(ports, "    "), "  );\n");
}

class RtlWriter {
 public:
  explicit RtlWriter(const RtlExport& from)
      : from_(from), program_(*from.program), bits_(rtl_bits(program_)), input_(program_.input) {}

  std::string write() {
    head();
    for (size_t k = 0; k < program_.layers.size(); ++k) layer(k);
    tail();
    return text_ + "endmodule\n";
  }

 private:
  template <class... Args>
  void put(const Args&... args) {
    text_ += str(args...);
  }
  bool last(size_t k) const { return k + 1 == program_.layers.size(); }
  static std::string range(int bits) { return str("[", bits - 1, ":0] "); }
  static std::string number(int64_t x) { return std::to_string(x); }
  static std::string flag(bool x) { return x ? "1" : "0"; }

  void place_ports(const RtlStream& s, const std::string& direction, const std::string& name) {
    put("  ", direction, " logic ", range(s.channel), name, "_channel,\n");
    put("  ", direction, " logic ", range(s.row), name, "_row,\n");
    put("  ", direction, " logic ", range(s.column), name, "_column,\n");
  }

  void head() {
    const RtlStream out(program_.layers.back().out);
    const int value = rtl_input_bits(program_);
    put("// ", from_.about, "\n// Written by Spiketrain; see README.md.\n");
    put("module model (\n  input  logic clk, rst,\n");
    put("  input  logic in_valid,\n  output logic in_ready,\n  input  logic in_end, in_keep, in_last,\n");
    place_ports(input_, "input ", "in");
    if (value > 0) put("  input  logic signed ", range(value), "in_value,\n");
    put("  output logic out_valid,\n  input  logic out_ready,\n  output logic out_end, out_last,\n");
    place_ports(out, "output", "out");
    put("  output logic out_fired,\n  output logic signed ", range(bits_.back().value), "out_value");
    if (from_.reading.decides())
      put(",\n  output logic class_valid,\n  output logic ",
          range(count_bits(program_.layers.back().out.size())), "class_index");
    put("\n);\n");
  }

  void layer(size_t k) {
    const auto& layer = program_.layers[k];
    const RtlStream stream(layer.out);
    put("\n  // Layer ", k, ": ", layer.notation, "; weights are numbers times 2^",
        -rtl_product(layer.products[0]).exponent, ", membranes times 2^", -layer.exponent, ".\n");
    put("  logic valid_", k, ", ready_", k, ", end_", k, ", last_", k, ", fired_", k, ";\n");
    put("  logic ", range(stream.channel), "channel_", k, ";\n  logic ", range(stream.row), "row_", k,
        ";\n  logic ", range(stream.column), "column_", k, ";\n");
    put("  logic signed ", range(bits_[k].value), "value_", k, ";\n");
    const int site = count_bits(layer.out.size());
    put("  logic read_", k, ", clear_", k, ", next_", k, ";\n  logic ", range(site), "at_", k, ", clear_at_",
        k, ";\n");
    for (size_t c = 0; c < layer.products.size(); ++c)
      put("  logic full_", k, "_", c, ", last_", k, "_", c, ";\n  logic signed ",
          range(bits_[k].products[c].sum), "sum_", k, "_", c, ";\n");
    sums(k, 0, source_ports(k));
    if (layer.recurrent()) own(k, stream);
    neurons(k, stream);
  }

  /// Ports by the names of layer k's wires.
  static void connect(Settings& ports, size_t k, std::initializer_list<const char*> names) {
    for (const char* name : names) ports.emplace_back(name, str(name, "_", k));
  }

  /// Of the stream of events that a layer reads: the input, or the layer below.
  Settings source_ports(size_t k) const {
    Settings ports;
    for (const char* name : {"valid", "ready", "end", "last", "channel", "row", "column"})
      ports.emplace_back(str("in_", name), k == 0 ? str("in_", name) : str(name, "_", k - 1));
    ports.emplace_back("in_keep", k == 0 ? "in_keep" : "1'b0");
    ports.emplace_back("in_value", k == 0 && rtl_input_bits(program_) > 0 ? "in_value" : "2'sd1");
    return ports;
  }

  Settings product_settings(size_t k, size_t c) const {
    const auto& product = program_.layers[k].products[c];
    const Product& s = product.shape;
    const Map pooled = s.pooled(), out = product.out;
    const RtlStream in(s.in);
    const auto weights = static_cast<int64_t>(product.weight.size());
    const bool real = s.source == Product::kInput && program_.kind == Input::real;
    const int64_t farthest =
        std::max({pooled.height - 1 + s.padding, pooled.width - 1 + s.padding, s.kernel, s.stride});
    return {{"CHANNEL_BITS", number(in.channel)},
            {"ROW_BITS", number(in.row)},
            {"COLUMN_BITS", number(in.column)},
            {"CHANNELS", number(pooled.channels)},
            {"WINDOW", number(s.window)},
            {"HEIGHT", number(pooled.height)},
            {"WIDTH", number(pooled.width)},
            {"CONV", flag(s.conv)},
            {"KERNEL", number(s.kernel)},
            {"STRIDE", number(s.stride)},
            {"PADDING", number(s.padding)},
            {"PLACE_BITS", number(count_bits(farthest + 1) + 1)},
            {"OUT_HEIGHT", number(out.height)},
            {"OUT_WIDTH", number(out.width)},
            {"FEATURES", number(out.channels)},
            {"FEATURE_BITS", number(count_bits(out.channels))},
            {"SITES", number(out.size())},
            {"SITE_BITS", number(count_bits(out.size()))},
            {"WEIGHTS", number(weights)},
            {"WEIGHT_BITS", number(bits_[k].products[c].weight)},
            {"WEIGHT_AT_BITS", number(count_bits(weights))},
            {"SUM_BITS", number(bits_[k].products[c].sum)},
            {"VALUE_BITS", number(real ? rtl_input_bits(program_) : 2)},
            {"VALUE_MAX", number(real ? program_.input_max : 1)},
            {"WEIGHT_FILE", str("\"mem/weights_", k, "_", c, ".mem\"")}};
  }

  void sums(size_t k, size_t c, const Settings& source) {
    Settings ports = {{"clk", "clk"}, {"rst", "rst"}};
    ports.insert(ports.end(), source.begin(), source.end());
    for (const char* name : {"full", "last", "sum"}) ports.emplace_back(name, str(name, "_", k, "_", c));
    connect(ports, k, {"read", "clear", "next", "at", "clear_at"});
    text_ += instance("spike_sums", str("sums_", k, "_", c), product_settings(k, c), ports);
  }

  /// The sums of a layer's own spikes.
  void own(size_t k, const RtlStream& stream) {
    const int64_t depth = program_.layers[k].out.size() + 2;
    const int bits = 1 + stream.place();
    put("  logic own_valid_", k, ", own_first_", k, ", own_ready_", k, ";\n  logic ", range(bits),
        "own_event_", k, ";\n");
    Settings ports = {{"clk", "clk"},
                      {"rst", "rst"},
                      {"in_valid", str("valid_", k, " && ready_", k, " && (end_", k, " || fired_", k, ")")},
                      {"in_event", str("{end_", k, ", row_", k, ", column_", k, ", channel_", k, "}")}};
    for (const char* name : {"valid", "first", "ready", "event"})
      ports.emplace_back(str("out_", name), str("own_", name, "_", k));
    text_ += instance(
        "spike_list", str("list_", k),
        {{"BITS", number(bits)}, {"DEPTH", number(depth)}, {"AT_BITS", number(count_bits(depth))}}, ports);
    const auto field = [&](int low, int width) {
      return str("own_event_", k, "[", low + width - 1, ":", low, "]");
    };
    sums(k, 1,
         {{"in_valid", str("own_valid_", k)},
          {"in_ready", str("own_ready_", k)},
          {"in_end", str("own_first_", k, " || ", field(bits - 1, 1))},
          {"in_keep", "1'b0"},
          {"in_last", "1'b0"},
          {"in_channel", field(0, stream.channel)},
          {"in_row", field(stream.channel + stream.column, stream.row)},
          {"in_column", field(stream.channel, stream.column)},
          {"in_value", "2'sd1"}});
  }

  Settings neuron_settings(size_t k, const RtlStream& stream) const {
    const auto& layer = program_.layers[k];
    const bool recurrent = layer.recurrent();
    Settings all = {{"CHANNELS", number(layer.out.channels)},
                    {"WIDTH", number(layer.out.width)},
                    {"SITES", number(layer.out.size())},
                    {"CHANNEL_BITS", number(stream.channel)},
                    {"ROW_BITS", number(stream.row)},
                    {"COLUMN_BITS", number(stream.column)},
                    {"SITE_BITS", number(count_bits(layer.out.size()))},
                    {"SUM_BITS", number(bits_[k].products[0].sum)},
                    {"SHIFT", number(rtl_product(layer.products[0]).shift)},
                    {"OWN_BITS", number(recurrent ? bits_[k].products[1].sum : 1)},
                    {"OWN_SHIFT", number(recurrent ? rtl_product(layer.products[1]).shift : 0)},
                    {"MEMBRANE_BITS", number(bits_[k].membrane)},
                    {"SATURATE", flag(bits_[k].saturates)},
                    {"RECURRENT", flag(recurrent)},
                    {"FILTERED", flag(layer.filtered)},
                    {"SPIKING", flag(layer.spiking)},
                    {"STRICT", flag(layer.strict)},
                    {"K_CURRENT", number(layer.current_decay)},
                    {"RESET", number(layer.spiking ? static_cast<int64_t>(layer.reset) : 0)},
                    {"OUTPUT", flag(last(k))},
                    {"OUTPUT_FILTERED", flag(layer.output_filtered)},
                    {"K_OUTPUT", number(layer.output_decay)},
                    {"OUTPUT_STEP", number(layer.output_step)},
                    {"VALUE_BITS", number(bits_[k].value)}};
    for (const RtlCoefficient& c : rtl_coefficients(layer)) {
      const std::string name = upper(c.name);
      if (c.x.size() == 1) {
        all.emplace_back(name, number(c.x[0]));
      } else {
        all.emplace_back(name + "_COUNT", number(static_cast<int64_t>(c.x.size())));
        all.emplace_back(name + "_FILE", str("\"mem/", c.name, "_", k, ".mem\""));
      }
    }
    return all;
  }

  void neurons(size_t k, const RtlStream& stream) {
    const bool recurrent = program_.layers[k].recurrent();
    Settings ports = {{"clk", "clk"},
                      {"rst", "rst"},
                      {"full", str("full_", k, "_0")},
                      {"last", str("last_", k, "_0")},
                      {"own_full", recurrent ? str("full_", k, "_1") : "1'b0"},
                      {"sum", str("sum_", k, "_0")},
                      {"own_sum", recurrent ? str("sum_", k, "_1") : "1'sb0"}};
    connect(ports, k, {"read", "clear", "next", "at", "clear_at"});
    for (const char* name : {"valid", "ready", "end", "last", "channel", "row", "column", "fired", "value"})
      ports.emplace_back(str("out_", name), str(name, "_", k));
    text_ += instance("spike_neurons", str("neurons_", k), neuron_settings(k, stream), ports);
  }

  static std::string upper(std::string text) {
    for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    return text;
  }

  void tail() {
    const size_t k = program_.layers.size() - 1;
    put("\n  // What leaves.\n");
    for (const char* name : {"valid", "end", "last", "channel", "row", "column", "fired", "value"})
      put("  assign out_", name, " = ", name, "_", k, ";\n");
    put("  assign ready_", k, " = out_ready;\n");
    if (!from_.reading.decides()) return;
    const int64_t outputs = program_.layers.back().out.size();
    text_ += instance("spike_decision", "decision",
                      {{"OUTPUTS", number(outputs)},
                       {"INDEX_BITS", number(count_bits(outputs))},
                       {"VALUE_BITS", number(bits_.back().value)},
                       {"FIRST_STEP", number(from_.reading.first)},
                       {"MAXIMUM", from_.reading.prediction == Prediction::greatest_maximum ? "1" : "0"}},
                      {{"clk", "clk"},
                       {"rst", "rst"},
                       {"in_valid", "out_valid && out_ready"},
                       {"in_end", "out_end"},
                       {"in_last", "out_last"},
                       {"in_value", "out_value"},
                       {"out_valid", "class_valid"},
                       {"out_class", "class_index"}});
  }

  const RtlExport& from_;
  const FixedProgram& program_;
  std::vector<RtlLayerBits> bits_;
  RtlStream input_;
  std::string text_;
};

}  // namespace

std::string rtl_model(const RtlExport& from) { return RtlWriter(from).write(); }

}  // namespace spiketrain::deploy
