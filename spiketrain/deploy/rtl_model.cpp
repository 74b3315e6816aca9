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

class Writer {
 public:
  explicit Writer(const RtlExport& from)
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
  static std::string file(const std::string& name, size_t k) { return str("\"mem/", name, "_", k, ".mem\""); }

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
    put("\n  // Layer ", k, ": ", layer.notation, "; weights are numbers times 2^", -layer.products[0].exponent,
        ", membranes times 2^", -layer.exponent, ".\n");
    put("  logic valid_", k, ", ready_", k, ", end_", k, ", last_", k, ", fired_", k, ";\n");
    put("  logic ", range(stream.channel), "channel_", k, ";\n  logic ", range(stream.row), "row_", k,
        ";\n  logic ", range(stream.column), "column_", k, ";\n");
    put("  logic signed ", range(bits_[k].value), "value_", k, ";\n");
    const int site = count_bits(layer.out.size());
    put("  logic read_", k, ", clear_", k, ", next_", k, ";\n  logic ", range(site), "at_", k, ", clear_at_", k,
        ";\n");
    for (size_t c = 0; c < layer.products.size(); ++c)
      put("  logic full_", k, "_", c, ", last_", k, "_", c, ";\n  logic signed ",
          range(bits_[k].products[c].sum), "sum_", k, "_", c, ";\n");
    sums(k, 0, source_ports(k));
    if (layer.recurrent()) own(k, stream);
    neurons(k, stream);
  }

  /// Of the stream of events that a layer reads.
  Settings source_ports(size_t k) const {
    if (k == 0)
      return {{"in_valid", "in_valid"},
              {"in_ready", "in_ready"},
              {"in_end", "in_end"},
              {"in_keep", "in_keep"},
              {"in_last", "in_last"},
              {"in_channel", "in_channel"},
              {"in_row", "in_row"},
              {"in_column", "in_column"},
              {"in_value", rtl_input_bits(program_) > 0 ? "in_value" : "2'sd1"}};
    const auto of = [&](const char* name) { return str(name, "_", k - 1); };
    return {{"in_valid", of("valid")},
            {"in_ready", of("ready")},
            {"in_end", of("end")},
            {"in_keep", "1'b0"},
            {"in_last", of("last")},
            {"in_channel", of("channel")},
            {"in_row", of("row")},
            {"in_column", of("column")},
            {"in_value", "2'sd1"}};
  }

  void sums(size_t k, size_t c, Settings ports) {
    const auto& layer = program_.layers[k];
    const auto& product = layer.products[c];
    const Product& s = product.shape;
    const Map pooled = s.pooled();
    const RtlStream in(s.in);
    const auto weights = static_cast<int64_t>(product.weight.size());
    const bool real = s.source == Product::kInput && program_.kind == Input::real;
    const int64_t farthest = std::max({pooled.height - 1 + s.padding, pooled.width - 1 + s.padding, s.kernel, s.stride});
    const Settings parameters = {
        {"CHANNEL_BITS", number(in.channel)},
        {"ROW_BITS", number(in.row)},
        {"COLUMN_BITS", number(in.column)},
        {"CHANNELS", number(pooled.channels)},
        {"WINDOW", number(s.window)},
        {"HEIGHT", number(pooled.height)},
        {"WIDTH", number(pooled.width)},
        {"CONV", s.conv ? "1" : "0"},
        {"KERNEL", number(s.kernel)},
        {"STRIDE", number(s.stride)},
        {"PADDING", number(s.padding)},
        {"PLACE_BITS", number(count_bits(farthest + 1) + 1)},
        {"OUT_HEIGHT", number(product.out.height)},
        {"OUT_WIDTH", number(product.out.width)},
        {"FEATURES", number(product.out.channels)},
        {"FEATURE_BITS", number(count_bits(product.out.channels))},
        {"SITES", number(layer.out.size())},
        {"SITE_BITS", number(count_bits(layer.out.size()))},
        {"WEIGHTS", number(weights)},
        {"WEIGHT_BITS", number(bits_[k].products[c].weight)},
        {"WEIGHT_AT_BITS", number(count_bits(weights))},
        {"SUM_BITS", number(bits_[k].products[c].sum)},
        {"VALUE_BITS", number(real ? rtl_input_bits(program_) : 2)},
        {"VALUE_MAX", number(real ? program_.input_max : 1)},
        {"WEIGHT_FILE", str("\"mem/weights_", k, "_", c, ".mem\"")}};
    ports.insert(ports.begin(), {{"clk", "clk"}, {"rst", "rst"}});
    const Settings rest = {{"full", str("full_", k, "_", c)}, {"last", str("last_", k, "_", c)},
                           {"read", str("read_", k)},         {"clear", str("clear_", k)},
                           {"next", str("next_", k)},         {"at", str("at_", k)},
                           {"clear_at", str("clear_at_", k)}, {"sum", str("sum_", k, "_", c)}};
    ports.insert(ports.end(), rest.begin(), rest.end());
    text_ += instance("spike_sums", str("sums_", k, "_", c), parameters, ports);
  }

  /// The sums of a layer's own spikes.
  void own(size_t k, const RtlStream& stream) {
    const int64_t depth = program_.layers[k].out.size() + 2;
    const int place = 1 + stream.place();
    put("  logic own_valid_", k, ", own_first_", k, ", own_ready_", k, ";\n  logic ", range(place),
        "own_event_", k, ";\n");
    text_ += instance(
        "spike_list", str("list_", k),
        {{"BITS", number(place)}, {"DEPTH", number(depth)}, {"AT_BITS", number(count_bits(depth))}},
        {{"clk", "clk"},
         {"rst", "rst"},
         {"in_valid", str("valid_", k, " && ready_", k, " && (end_", k, " || fired_", k, ")")},
         {"in_event", str("{end_", k, ", row_", k, ", column_", k, ", channel_", k, "}")},
         {"out_valid", str("own_valid_", k)},
         {"out_first", str("own_first_", k)},
         {"out_ready", str("own_ready_", k)},
         {"out_event", str("own_event_", k)}});
    const auto part = [&](int above, int bits) {
      return str("own_event_", k, "[", above + bits - 1, ":", above, "]");
    };
    sums(k, 1,
         {{"in_valid", str("own_valid_", k)},
          {"in_ready", str("own_ready_", k)},
          {"in_end", str("own_first_", k, " || own_event_", k, "[", place - 1, "]")},
          {"in_keep", "1'b0"},
          {"in_last", "1'b0"},
          {"in_channel", part(0, stream.channel)},
          {"in_row", part(stream.channel + stream.column, stream.row)},
          {"in_column", part(stream.channel, stream.column)},
          {"in_value", "2'sd1"}});
  }

  void neurons(size_t k, const RtlStream& stream) {
    const auto& layer = program_.layers[k];
    const auto flag = [](bool x) { return std::string(x ? "1" : "0"); };
    const bool recurrent = layer.recurrent();
    Settings parameters = {{"CHANNELS", number(layer.out.channels)},
                           {"WIDTH", number(layer.out.width)},
                           {"SITES", number(layer.out.size())},
                           {"CHANNEL_BITS", number(stream.channel)},
                           {"ROW_BITS", number(stream.row)},
                           {"COLUMN_BITS", number(stream.column)},
                           {"SITE_BITS", number(count_bits(layer.out.size()))},
                           {"SUM_BITS", number(bits_[k].products[0].sum)},
                           {"SHIFT", number(layer.products[0].shift)},
                           {"OWN_BITS", number(recurrent ? bits_[k].products[1].sum : 1)},
                           {"OWN_SHIFT", number(recurrent ? layer.products[1].shift : 0)},
                           {"MEMBRANE_BITS", number(bits_[k].membrane)},
                           {"SATURATE", flag(bits_[k].saturates)},
                           {"RECURRENT", flag(recurrent)},
                           {"FILTERED", flag(layer.filtered)},
                           {"SPIKING", flag(layer.spiking)},
                           {"STRICT", flag(layer.strict)},
                           {"K_CURRENT", number(layer.current_decay)},
                           {"RESET", number(layer.spiking ? static_cast<int64_t>(layer.reset) : 0)}};
    for (const RtlCoefficient& c : rtl_coefficients(layer)) {
      const std::string name = c.name, parameter = name == "v_reset" ? "V_RESET" : upper(name);
      if (c.x.size() == 1) {
        parameters.emplace_back(parameter, number(c.x[0]));
        continue;
      }
      parameters.emplace_back(name == "bias" ? "BIASES" : parameter + "S",
                              number(static_cast<int64_t>(c.x.size())));
      parameters.emplace_back(parameter + "_FILE", file(name, k));
    }
    const Settings output = {{"OUTPUT", flag(last(k))},
                             {"OUTPUT_FILTERED", flag(layer.output_filtered)},
                             {"K_OUTPUT", number(layer.output_decay)},
                             {"OUTPUT_STEP", number(layer.output_step)},
                             {"VALUE_BITS", number(bits_[k].value)}};
    parameters.insert(parameters.end(), output.begin(), output.end());
    const auto own = [&](const char* name) { return str(name, "_", k); };
    text_ += instance("spike_neurons", own("neurons"), parameters,
                      {{"clk", "clk"},
                       {"rst", "rst"},
                       {"full", own("full") + "_0"},
                       {"last", own("last") + "_0"},
                       {"own_full", recurrent ? own("full") + "_1" : "1'b0"},
                       {"read", own("read")},
                       {"clear", own("clear")},
                       {"next", own("next")},
                       {"at", own("at")},
                       {"clear_at", own("clear_at")},
                       {"sum", own("sum") + "_0"},
                       {"own_sum", recurrent ? own("sum") + "_1" : "1'sb0"},
                       {"out_valid", own("valid")},
                       {"out_ready", own("ready")},
                       {"out_end", own("end")},
                       {"out_last", own("last")},
                       {"out_channel", own("channel")},
                       {"out_row", own("row")},
                       {"out_column", own("column")},
                       {"out_fired", own("fired")},
                       {"out_value", own("value")}});
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

std::string rtl_model(const RtlExport& from) { return Writer(from).write(); }

}  // namespace spiketrain::deploy
