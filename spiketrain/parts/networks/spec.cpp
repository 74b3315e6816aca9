// Networks from the notation of networks/notation.h, e.g. "15C5-P2-40C5-P2-300-10".
// Tests: unit/network_spec_test.cpp, property/network_test.cpp, grad/network_residual_test.cpp.
#include "spiketrain/parts/networks/spec.h"

#include <algorithm>

#include "spiketrain/core/layer.h"
#include "spiketrain/parts/networks/dilations.h"
#include "spiketrain/parts/networks/notation.h"
#include "spiketrain/parts/networks/output_token.h"
#include "spiketrain/parts/networks/size_limits.h"

namespace spiketrain {
namespace {

using Kind = Token::Kind;

std::string text(const Shape& shape) { return spiketrain::str(at::IntArrayRef(shape)); }

bool makes_neurons(const Token& token) {
  return token.kind == Kind::conv || token.kind == Kind::linear || token.kind == Kind::basic_unit ||
         token.kind == Kind::sew_unit;
}

class Builder {
 public:
  Builder(const std::string& spec, const SpecOptions& options, const NetworkContext& context)
      : spec_(spec), options_(options), context_(context), tokens_(parse_notation(spec)) {
    const Shape& in = context.input;
    ST_CHECK(context.neuron && context.readout, "network: expected makers of neurons");
    ST_CHECK((context.output.size() == 1 || context.output.size() == 3) && numel(context.output) >= 1,
             "network: expected an output of [N] or [C,H,W], got ", at::IntArrayRef(context.output));
    ST_CHECK((in.size() == 1 || in.size() == 3) && *std::min_element(in.begin(), in.end()) >= 1,
             "network: expected an input of [C,H,W] or [N], got ", at::IntArrayRef(in));
    output_ = output_token(spec, tokens_, options, context.output);
    check_sizes(spec, tokens_, options, in);
    refuse_input_token();
    network_ = std::make_shared<Network>(in);
  }

  std::shared_ptr<Network> build() {
    for (const Token& token : tokens_) {
      if (!makes_neurons(token)) continue;
      first_ = make_neuron(token);
      break;
    }
    if (const double tau_s = first_->emits().tau_s; tau_s > 0) {
      add(make<Stage>("psp_filter", {{"tau_s", tau_s}}), {below()}, "");
      ++place_;
    }
    for (const Token& token : tokens_) {
      append(token);
      if (makes_neurons(token) && token.index != output_ && options_.output_scale != 1)
        add(make<Stage>("scale", {{"factor", options_.output_scale}}), {below()}, "", "_scale");
      ++place_;
    }
    if (shape() != context_.output)
      fail(tokens_.back(), str("the output is ", text(shape()), "; expected ", text(context_.output)));
    return network_;
  }

 private:
  using Input = Network::Input;

  [[noreturn]] void fail(const Token& token, const std::string& what) const {
    throw UsageError(token_error(spec_, token, what));
  }

  /// UsageError if the notation seems to begin with the input.
  void refuse_input_token() const {
    const Token& first = tokens_.front();
    if (first.kind != Kind::linear || first.repeated || first.recurrent || first.index == output_) return;
    if (first.size != numel(context_.input)) return;
    fail(first, str("as many neurons as the input ", text(context_.input),
                    " has values; the input is not written, so leave it out, or write 1x(", first.size,
                    ") for a hidden layer of that size"));
  }

  /// The last node, or the network's input.
  Input below() const { return {static_cast<int64_t>(network_->nodes().size()) - 1}; }
  /// Of what the next token reads.
  const Shape& shape() const { return network_->out_shape(); }
  /// True if a layer is below what is read, so that error returns through the synapse.
  bool learns(const Input& from) const { return first_layer_ >= 0 && from.node >= first_layer_; }

  /// Appends a node of the present token; `token`: what it adds to the notation.
  Input add(std::shared_ptr<Stage> stage, std::vector<Input> inputs, const std::string& token,
            const char* suffix = "", bool new_unit = false) {
    return {network_->add(std::move(stage), std::move(inputs), new_unit, str(place_, suffix), token.c_str())};
  }
  /// The first layer of a token: it begins a unit unless only stages without neurons are below it, or `in_unit`.
  Input add_layer(std::vector<Connection> connections, std::vector<Input> inputs, const Token& token,
                  const char* suffix = "", bool in_unit = false) {
    bool begins = first_layer_ >= 0 && !in_unit;
    auto neuron = this->neuron(token);
    if (const Config filter = neuron->input_filter(); !filter.is_null()) {
      if (inputs.size() > 1) fail(token, filters_alone(*neuron));
      inputs = {add(make<Stage>(filter), std::move(inputs), "", "_filter", std::exchange(begins, false))};
    }
    auto layer = std::make_shared<Layer>(std::move(connections), std::move(neuron));
    const Input made = add(std::move(layer), std::move(inputs), to_string(token), suffix, begins);
    if (first_layer_ < 0) first_layer_ = made.node;
    return made;
  }
  static std::string filters_alone(const Neuron& neuron) {
    return str(
        "neuron ", neuron.part_name(),
        " filters what it reads before the weights, so a layer of it has one input; use another neuron in "
        "recurrent layers and residual units");
  }
  /// A further layer of the same token.
  Input add_inner(std::vector<Connection> connections, std::vector<Input> inputs, const Token& token,
                  const char* suffix) {
    auto neuron = this->neuron(token);
    if (!neuron->input_filter().is_null()) fail(token, filters_alone(*neuron));
    return add(std::make_shared<Layer>(std::move(connections), std::move(neuron)), std::move(inputs), "",
               suffix);
  }

  void append(const Token& token) {
    switch (token.kind) {
      case Kind::conv:
        return convolution(token);
      case Kind::linear:
        return linear(token);
      case Kind::pool:
        return pool(token);
      case Kind::dropout:
        add(make<Stage>("dropout", {{"probability", token.probability}, {"shared", options_.dropout_shared}}),
            {below()}, to_string(token));
        return;
      case Kind::global_average:
        need_map(token);
        if (shape()[1] != shape()[2])
          fail(token, "global averaging needs a square map, the signal here is " + text(shape()));
        add(make<Stage>("global_average"), {below()}, to_string(token));
        return;
      case Kind::population:
        if (token.index != tokens_.size()) fail(token, "the sum of a population code must be the last token");
        add(make<Stage>("population", {{"size", token.size}}), {below()}, to_string(token));
        return;
      case Kind::basic_unit:
        return basic_unit(token);
      case Kind::sew_unit:
        return sew_unit(token);
    }
  }

  void need_map(const Token& token) const {
    if (shape().size() != 3) fail(token, "needs a map [C,H,W], the signal here is " + text(shape()));
  }

  std::shared_ptr<Neuron> make_neuron(const Token& token) const {
    return token.index == output_ ? context_.readout() : context_.neuron();
  }
  /// The first one was made to see what it emits.
  std::shared_ptr<Neuron> neuron(const Token& token) {
    auto made = first_ ? std::exchange(first_, nullptr) : make_neuron(token);
    return token.index == output_ ? made : dilations_.given(std::move(made));
  }

  Connection connect(std::shared_ptr<Synapse> synapse, const Token& token, bool error_returns) const {
    Connection c;
    c.synapse = std::move(synapse);
    if (!options_.norm.is_null() && token.index != output_) c.norm = make<Norm>(options_.norm);
    if (!options_.quantizer.is_null()) c.quantizer = make<Quantizer>(options_.quantizer);
    if (!context_.feedback.is_null() && error_returns) c.feedback = make<Feedback>(context_.feedback);
    return c;
  }

  bool biased(const Token& t) const { return options_.bias || (options_.output_bias && t.index == output_); }
  bool standardised(const Token& token) const {
    return options_.weight_standardisation && token.index != output_;
  }

  /// One convolution of a token, reading `from`, whose shape is `in`.
  struct Conv {
    int64_t channels, kernel, stride, padding;
    bool bias = true;
  };
  Connection convolve(const Token& token, const Conv& conv, const Input& from, const Shape& in) {
    if (in[1] + 2 * conv.padding < conv.kernel || in[2] + 2 * conv.padding < conv.kernel) {
      fail(token,
           str("the ", conv.kernel, "x", conv.kernel, " kernel does not fit the map, the signal here is ",
               text(in), " and the padding ", conv.padding));
    }
    auto synapse = make<Synapse>("conv2d", {{"channels", conv.channels},
                                            {"kernel", conv.kernel},
                                            {"stride", conv.stride},
                                            {"padding", conv.padding},
                                            {"bias", biased(token) && conv.bias},
                                            {"weight_standardisation", standardised(token)},
                                            {"init", options_.conv_init},
                                            {"bias_init", options_.bias_init},
                                            {"weight_scale", options_.conv_scale}});
    return connect(std::move(synapse), token, learns(from));
  }

  void convolution(Token token) {
    need_map(token);
    int64_t padding = std::max<int64_t>(token.padding, 0);
    if (token.padding < 0 && options_.padding == "same") {
      if (token.kernel % 2 == 0) {
        fail(token, "padding = \"same\" needs an odd kernel size; write the padding, as in " +
                        to_string(token) + "p1");
      }
      padding = (token.kernel - 1) / 2;
    }
    if (padding != 0) token.padding = padding;  // the echo says what was built
    const Conv conv = {token.size, token.kernel, token.stride, padding};
    std::vector<Connection> connections = {convolve(token, conv, below(), shape())};
    std::vector<Input> inputs = {below()};
    if (token.recurrent) {
      const auto side = [&](int64_t n) { return (n + 2 * padding - token.kernel) / token.stride + 1; };
      const Conv again = {token.size, token.recurrent_kernel, 1, token.recurrent_kernel / 2, false};
      recur(token, connections, inputs,
            convolve(token, again, below(), {token.size, side(shape()[1]), side(shape()[2])}));
    }
    add_layer(std::move(connections), std::move(inputs), token);
  }

  /// A further connection, from the layer itself one step before.
  void recur(const Token& token, std::vector<Connection>& connections, std::vector<Input>& inputs,
             Connection back) {
    if (back.norm) {
      fail(token,
           "a recurrent layer runs one step at a time, but a norm takes its statistics over all steps; use "
           "norm = \"none\"");
    }
    if (!context_.feedback.is_null()) back.feedback = make<Feedback>(context_.feedback);
    connections.push_back(std::move(back));
    inputs.push_back({below().node + 1, 1});
  }

  Connection multiply(const Token& token, bool bias, bool error_returns) {
    const bool output = token.index == output_;
    auto synapse = make<Synapse>("linear", {{"features", token.size},
                                            {"bias", bias},
                                            {"weights", output ? options_.output_weights : "trained"},
                                            {"weight_standardisation", standardised(token)},
                                            {"init", options_.linear_init},
                                            {"bias_init", options_.bias_init},
                                            {"weight_scale", options_.linear_scale}});
    return connect(std::move(synapse), token, error_returns);
  }

  void linear(const Token& token) {
    if (options_.longest_delay > 0 && token.index != output_) return delayed(token);
    std::vector<Connection> connections = {multiply(token, biased(token), learns(below()))};
    std::vector<Input> inputs = {below()};
    if (token.recurrent_kernel == 1) {
      const Config one = {{"name", "one_to_one"}, {"weight_scale", options_.linear_scale}};
      recur(token, connections, inputs, connect(make<Synapse>(one), token, true));
    } else if (token.recurrent) {
      recur(token, connections, inputs, multiply(token, false, true));
    }
    add_layer(std::move(connections), std::move(inputs), token);
  }

  /// A fully connected layer behind the taps of what it reads.
  void delayed(const Token& token) {
    if (token.recurrent || standardised(token))
      fail(token, "delays (longest_delay) go with neither recurrent layers nor weight_standardisation");
    const bool error_returns = learns(below()), begins = first_layer_ >= 0;
    const Input taps =
        add(make<Stage>("taps", {{"longest", options_.longest_delay}}), {below()}, "", "_taps", begins);
    Connection c = connect(make<Synapse>("delayed_linear", {{"features", token.size},
                                                            {"longest", options_.longest_delay},
                                                            {"per", options_.delay_per},
                                                            {"whole", options_.whole_delays},
                                                            {"bias", options_.bias},
                                                            {"init", options_.linear_init},
                                                            {"bias_init", options_.bias_init},
                                                            {"weight_scale", options_.linear_scale}}),
                           token, error_returns);
    add_layer({std::move(c)}, {taps}, token, "", /*in_unit=*/true);
  }

  void pool(const Token& token) {
    need_map(token);
    if (shape()[1] < token.size || shape()[2] < token.size) {
      fail(token, str("the ", token.size, "x", token.size,
                      " window does not fit the map, the signal here is ", text(shape())));
    }
    const std::string kind = token.pool == 'S'   ? "sum"
                             : token.pool == 'A' ? "avg"
                             : token.pool == 'M' ? "max"
                                                 : options_.pool;
    add(make<Stage>("pool", {{"kind", kind}, {"window", token.size}, {"scale", options_.pool_scale}}),
        {below()}, to_string(token));
  }

  /// The two layers of a residual unit begin alike.
  struct Unit {
    Input in;         ///< what it reads
    Shape shape;      ///< of that
    Input first;      ///< its first layer
    Connection body;  ///< from there to the second
    bool projects;    ///< the shortcut is a convolution, not an identity
    Conv projection;
  };
  Unit begin_unit(const Token& token) {
    need_map(token);
    Unit unit;
    unit.in = below();
    unit.shape = shape();
    unit.first = add_layer({convolve(token, {token.size, 3, token.stride, 1}, unit.in, unit.shape)},
                           {unit.in}, token, "_first");
    unit.body = convolve(token, {token.size, 3, 1, 1}, unit.first, shape());
    unit.projects = token.size != unit.shape[0] || token.stride != 1;
    unit.projection = {token.size, 1, token.stride, 0};
    return unit;
  }

  /// y = neuron(current of the second layer + shortcut)
  void basic_unit(const Token& token) {
    const Unit unit = begin_unit(token);
    Connection shortcut;
    if (unit.projects) shortcut = convolve(token, unit.projection, unit.in, unit.shape);
    add_inner({unit.body, shortcut}, {unit.first, unit.in}, token, "_second");
  }

  /// y = second(first(x)) + shortcut
  void sew_unit(const Token& token) {
    const Unit unit = begin_unit(token);
    const Input second = add_inner({unit.body}, {unit.first}, token, "_second");
    Input shortcut = unit.in;
    if (unit.projects) {
      const Connection side = convolve(token, unit.projection, unit.in, unit.shape);
      shortcut = add_inner({side}, {unit.in}, token, "_shortcut");
    }
    add(make<Stage>("sum"), {second, shortcut}, "", "_sum");
  }

  const std::string& spec_;
  const SpecOptions& options_;
  const NetworkContext& context_;
  std::vector<Token> tokens_;
  std::shared_ptr<Network> network_;
  std::shared_ptr<Neuron> first_;  ///< until a layer takes it
  int64_t first_layer_ = -1;       ///< node of the first layer
  int64_t place_ = 0;              ///< of the present token; the PSP filter counts as one
  size_t output_ = 0;
  Dilations dilations_ = Dilations(options_.dilations);
};

struct Spec final : NetworkBuilder, SpecOptions {
  static constexpr const char* kDoc = "network written as in the papers, e.g. 15C5-P2-40C5-P2-300-10";
  std::string spec;
  template <class V>
  void visit(V& v) {
    v(spec, "spec",
      "the layers: 15C5 convolution, P2 pooling, 300 fully connected, 300R recurrent, D0.2 dropout, RB64, "
      "SEW64, GAP, POP10 sum of 10 output neurons for each class");
    SpecOptions::visit(v);
  }
  void check() override { parse_notation(spec); }
  std::shared_ptr<Network> build(const NetworkContext& context) const override {
    return build_network(spec, *this, context);
  }
};
ST_REGISTER(NetworkBuilder, "spec", Spec);

}  // namespace

std::shared_ptr<Network> build_network(const std::string& spec, const SpecOptions& options,
                                       const NetworkContext& context) {
  return Builder(spec, options, context).build();
}

std::string output_layer(const NetworkContext& context) {
  ST_CHECK(context.output.size() == 1,
           "network: this one ends in a fully connected layer; expected an output of [N], got ",
           at::IntArrayRef(context.output));
  return std::to_string(context.output[0]);
}

}  // namespace spiketrain
