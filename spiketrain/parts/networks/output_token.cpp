// Tests: unit/network_spec_test.cpp, unit/population_test.cpp.
#include "spiketrain/parts/networks/output_token.h"

namespace spiketrain {
namespace {

[[noreturn]] void fail_at(const std::string& spec, const Token& token, const std::string& what) {
  throw UsageError(token_error(spec, token, what));
}

/// Of a network that ends in POP10: a layer with as many neurons for each output.
size_t population_layer(const std::string& spec, const std::vector<Token>& tokens, int64_t outputs) {
  const Token& last = tokens.back();
  const int64_t neurons = outputs * last.size;
  if (tokens.size() > 1) {
    const Token& before = tokens[tokens.size() - 2];
    if (before.kind == Token::Kind::linear && before.size == neurons) return before.index;
  }
  fail_at(spec, last,
          str("expected ", neurons, " neurons in front of it, ", last.size, " for each of the ", outputs,
              " outputs; write ", neurons, "-", to_string(last)));
}

}  // namespace

size_t output_token(const std::string& spec, const std::vector<Token>& tokens, const SpecOptions& options,
                    const Shape& output) {
  using Kind = Token::Kind;
  const Token& last = tokens.back();
  const auto fail = [&](const std::string& what) { fail_at(spec, last, what); };
  if (output.size() == 3) {
    if (last.kind != Kind::conv)
      fail(spiketrain::str("a network whose output is ", at::IntArrayRef(output),
                           " must end in a convolution"));
    return last.index;
  }
  const int64_t outputs = output[0];
  const std::string advice = str("; append \"-", outputs, "\" for the output layer");
  if (last.kind == Kind::population) return population_layer(spec, tokens, outputs);
  ST_CHECK(last.kind == Kind::linear || options.output_weights == "trained",
           "network: output_weights are those of a fully connected output layer, but ", spec, " ends in ",
           to_string(last), "; use output_weights = \"trained\"");
  if (last.kind == Kind::linear) {
    if (last.size == outputs) return last.index;
    fail(str("the last layer must have one neuron for each of the ", outputs, " outputs, it has ", last.size,
             "; write ", outputs, " in its place, or", advice.substr(1), " behind it"));
  }
  if (last.kind == Kind::global_average && tokens.size() > 1) {
    const Token& before = tokens[tokens.size() - 2];
    if (before.kind == Kind::conv && before.size == outputs) return before.index;
    fail(str("as the last token it must follow a convolution with one map for each of the ", outputs,
             " outputs", advice));
  }
  fail_at(spec, last,
          str("a network must end in a layer with one neuron for each of the ", outputs, " outputs", advice));
}

}  // namespace spiketrain
