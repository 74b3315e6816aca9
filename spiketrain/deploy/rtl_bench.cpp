// model_tb.sv: runs the recorded samples and compares every spike, output and decision with what was recorded.
#include <algorithm>

#include "spiketrain/base/check.h"
#include "spiketrain/deploy/rtl_export.h"

namespace spiketrain::deploy {
namespace {

const char* const kCheck = R"sv(
// Compares words, in order, with those of a file.
module spike_check #(
  parameter int BITS = 1, COUNT = 1,
  parameter FILE = "", WHAT = ""
) (
  input logic clk, valid,
  input logic [BITS-1:0] word,
  output int seen, wrong
);
  logic [BITS-1:0] expected [0:COUNT-1];
  initial begin
    $readmemh(FILE, expected);
    seen = 0;
    wrong = 0;
  end
  always @(posedge clk) if (valid) begin
    seen <= seen + 1;
    if (seen >= COUNT || word !== expected[seen < COUNT ? seen : 0]) begin
      wrong <= wrong + 1;
      if (wrong < 5) $display("%s, word %0d: %h, expected %h", WHAT, seen, word, expected[seen < COUNT ? seen : 0]);
    end
  end
endmodule
)sv";

const char* const kDrive = R"sv(
  parameter bit STALL = 0;  // 1: both sides wait at random
  logic clk = 0, rst = 1;
  always #5 clk = !clk;

  logic [BITS-1:0] tokens [0:TOKENS-1];
  initial $readmemh("mem/tb_input.mem", tokens);
  int at = 0, samples = 0, silent = 0;
  longint cycles = 0, total = 0, least = 0, most = 0;
  logic running = 0, waiting = 0;
  logic [15:0] random = 16'hace1;
  wire [BITS-1:0] token = tokens[at < TOKENS ? at : 0];
  wire in_valid = !rst && !waiting && at < TOKENS && !(STALL && random[0]);
  wire out_ready = !(STALL && random[3]);
  wire in_ready, out_valid, out_end, out_last;
  wire taken = in_valid && in_ready, left = out_valid && out_ready;

  always @(posedge clk) begin
    rst <= 0;
    random <= {random[14:0], random[15] ^ random[13] ^ random[12] ^ random[10]};
    silent <= taken || left || rst ? 0 : silent + 1;
    if (taken) begin
      at <= at + 1;
      running <= 1;
      if (token[BITS-1] && token[BITS-3]) waiting <= 1;
    end
    cycles <= running || taken ? cycles + 1 : 0;
    if (left && out_end && out_last) begin
      samples <= samples + 1;
      running <= 0;
      waiting <= 0;
      cycles <= 0;
      total <= total + cycles + 1;
      if (samples == 0 || cycles + 1 < least) least <= cycles + 1;
      if (cycles + 1 > most) most <= cycles + 1;
    end
  end
)sv";

const char* const kEnd = R"sv(
  int after = 0;
  always @(posedge clk) begin
    if (samples == SAMPLES) after <= after + 1;
    if (silent > SILENCE) begin
      $display("nothing happens any more, after %0d samples", samples);
      $fatal(1, "model_tb: it hangs");
    end
    if (after == 8) begin
      if (wrong != 0 || missing) begin
        $display("the network differs from what was recorded");
        $fatal(1, "model_tb: it differs");
      end
      $display("%0d samples, %0d steps, %0d spikes: as recorded", samples, steps, spikes);
      $display("cycles per sample: mean %0d, least %0d, most %0d", total / SAMPLES, least, most);
      $finish;
    end
  end
endmodule
)sv";

/// Packs fields, the first into the highest bits.
class Word {
 public:
  Word& add(int64_t value, int bits) {
    word_ = word_ << bits | (static_cast<uint64_t>(value) & ((uint64_t{1} << bits) - 1));
    bits_ += bits;
    return *this;
  }
  int64_t value() const { return static_cast<int64_t>(word_); }
  int bits() const { return bits_; }

 private:
  uint64_t word_ = 0;
  int bits_ = 0;
};

Word& add_place(Word& word, const RtlStream& stream, int64_t channel, int64_t row, int64_t column) {
  return word.add(channel, stream.channel).add(row, stream.row).add(column, stream.column);
}

/// The events of a sample's steps: {end, keep, last, channel, row, column, value}.
class InputTokens {
 public:
  explicit InputTokens(const FixedProgram& program)
      : program_(program), stream_(program.input), value_(rtl_input_bits(program)) {
    bits = 3 + stream_.place() + value_;
  }
  void add(const Recorded<Fixed>& sample) {
    for (int64_t t = 0; t < sample.steps; ++t) {
      if (!sample.still || t == 0) frame(sample.x.data() + t * program_.input.size());
      const bool last = t + 1 == sample.steps;
      put({1, sample.still && !last, last}, 0, 0, 0, 0);
    }
  }
  std::vector<int64_t> words;
  int bits = 0;

 private:
  struct Flags {
    bool end, keep, last;
  };
  void frame(const int32_t* x) {
    const Map in = program_.input;
    for (int64_t site = 0; site < in.size(); ++site) {
      const bool counts = program_.kind == Input::counts;
      const int64_t times = counts ? x[site] : x[site] != 0;
      for (int64_t n = 0; n < times; ++n)
        put({}, site / (in.height * in.width), site / in.width % in.height, site % in.width, x[site]);
    }
  }
  void put(const Flags& flags, int64_t channel, int64_t row, int64_t column, int64_t value) {
    Word word;
    word.add(flags.end, 1).add(flags.keep, 1).add(flags.last, 1);
    add_place(word, stream_, channel, row, column);
    if (value_ > 0) word.add(value, value_);
    words.push_back(word.value());
  }
  const FixedProgram& program_;
  RtlStream stream_;
  int value_;
};

/// What leaves a layer: {end, channel, row, column}.
std::vector<int64_t> spike_words(const RtlExport& from, size_t k) {
  const auto& layer = from.program->layers[k];
  const RtlStream stream(layer.out);
  std::vector<int64_t> words;
  for (const auto& sample : from.samples) {
    for (const auto& step : sample.spikes) {
      for (const int32_t site : step[k]) {
        const int64_t at = site / layer.out.channels;
        Word word;
        word.add(0, 1);
        words.push_back(
            add_place(word, stream, site % layer.out.channels, at / layer.out.width, at % layer.out.width)
                .value());
      }
      words.push_back(int64_t{1} << stream.place());
    }
  }
  return words;
}

/// The outputs: {fired, value}.
std::vector<int64_t> output_words(const RtlExport& from, int value_bits) {
  const auto outputs = static_cast<size_t>(from.program->layers.back().out.size());
  std::vector<int64_t> words;
  for (const auto& sample : from.samples) {
    for (size_t t = 0; t < sample.spikes.size(); ++t) {
      std::vector<bool> fired(outputs);
      for (const int32_t site : sample.spikes[t].back()) fired[static_cast<size_t>(site)] = true;
      for (size_t i = 0; i < outputs; ++i) {
        Word word;
        words.push_back(word.add(fired[i], 1).add(sample.y[t * outputs + i], value_bits).value());
      }
    }
  }
  return words;
}

struct Checked {
  std::string name, valid, word;
  int bits = 0;
  std::vector<int64_t> words;
};

/// What the test bench compares.
std::vector<Checked> checked(const RtlExport& from) {
  const FixedProgram& program = *from.program;
  const int value = rtl_bits(program).back().value;
  std::vector<Checked> all;
  for (size_t k = 0; k + 1 < program.layers.size(); ++k) {
    const auto of = [&](const char* name) { return str("dut.", name, "_", k); };
    const int place = RtlStream(program.layers[k].out).place();
    all.push_back({str("spikes_", k), of("valid") + " && " + of("ready"),
                   str("{", of("end"), ", ", of("end"), " ? ", place, "'d0 : {", of("channel"), ", ",
                       of("row"), ", ", of("column"), "}}"),
                   1 + place, spike_words(from, k)});
  }
  all.push_back({"outputs", "left && !out_end", "{dut.out_fired, dut.out_value}", 1 + value,
                 output_words(from, value)});
  if (!from.reading.decides()) return all;
  std::vector<int64_t> decisions;
  for (const auto& sample : from.samples) decisions.push_back(sample.decision);
  all.push_back({"decisions", "dut.class_valid", "dut.class_index",
                 count_bits(program.layers.back().out.size()), std::move(decisions)});
  return all;
}

int64_t spikes_of(const RtlExport& from, int64_t* steps) {
  int64_t spikes = 0;
  for (const auto& sample : from.samples) {
    *steps += sample.steps;
    for (const auto& step : sample.spikes)
      for (const auto& sites : step) spikes += static_cast<int64_t>(sites.size());
  }
  return spikes;
}

/// More cycles than anything takes between two events of the network.
int64_t silence(const FixedProgram& program) {
  int64_t cycles = 1000;
  for (const auto& layer : program.layers)
    for (const auto& product : layer.products)
      cycles += (product.shape.in.size() + 1) *
                (2 + product.shape.kernel * product.shape.kernel * (product.out.channels + 1));
  return std::min<int64_t>(cycles, 2000000000);
}

/// The ports of the network, from the fields of a token.
std::string ports(const RtlExport& from, int bits) {
  const RtlStream in(from.program->input);
  const int value = rtl_input_bits(*from.program);
  const auto field = [&](int low, int width) { return str("token[", low + width - 1, ":", low, "]"); };
  std::string text =
      str("  model dut (\n    .clk, .rst, .in_valid, .in_ready, .in_end(token[", bits - 1,
          "]), .in_keep(token[", bits - 2, "]), .in_last(token[", bits - 3, "]),\n    .in_column(",
          field(value, in.column), "), .in_row(", field(value + in.column, in.row), "), .in_channel(",
          field(value + in.column + in.row, in.channel), "),\n");
  if (value > 0) text += str("    .in_value(", field(0, value), "),\n");
  text +=
      "    .out_valid, .out_ready, .out_end, .out_last, .out_channel(), .out_row(), .out_column(), "
      ".out_fired(), .out_value()";
  if (from.reading.decides()) text += ",\n    .class_valid(), .class_index()";
  return text + "\n  );\n";
}

}  // namespace

std::string rtl_bench(const RtlExport& from) {
  InputTokens tokens(*from.program);
  for (const auto& sample : from.samples) tokens.add(sample);
  int64_t steps = 0;
  const int64_t spikes = spikes_of(from, &steps);
  std::string text = "// Recorded samples: every spike, output and decision must be as recorded.\n";
  text += kCheck;
  text += str("\nmodule model_tb;\n  localparam int TOKENS = ", tokens.words.size(), ", BITS = ", tokens.bits,
              ", SAMPLES = ", from.samples.size(), ", SILENCE = ", silence(*from.program),
              ";\n  localparam int steps = ", steps, ", spikes = ", spikes, ";");
  text += kDrive + ("\n" + ports(from, tokens.bits)) + "\n";
  std::string wrong, missing;
  for (const Checked& c : checked(from)) {
    text += str("  int seen_", c.name, ", wrong_", c.name, ";\n  spike_check #(.BITS(", c.bits, "), .COUNT(",
                c.words.size(), "), .FILE(\"mem/tb_", c.name, ".mem\"), .WHAT(\"", c.name, "\")) check_",
                c.name, "\n      (.clk, .valid(!rst && ", c.valid, "), .word(", c.word, "), .seen(seen_",
                c.name, "), .wrong(wrong_", c.name, "));\n");
    wrong += str(wrong.empty() ? "" : " + ", "wrong_", c.name);
    missing += str(missing.empty() ? "" : " || ", "seen_", c.name, " != ", c.words.size());
  }
  text += str("  wire int wrong = ", wrong, ";\n  wire missing = ", missing, ";\n");
  return text + kEnd;
}

Files rtl_bench_memories(const RtlExport& from) {
  InputTokens tokens(*from.program);
  for (const auto& sample : from.samples) tokens.add(sample);
  Files files = {{"mem/tb_input.mem", rtl_words(tokens.words, tokens.bits)}};
  for (const Checked& c : checked(from))
    files.emplace_back(str("mem/tb_", c.name, ".mem"), rtl_words(c.words, c.bits));
  return files;
}

}  // namespace spiketrain::deploy
