// Networks from the notation of networks/notation.h, e.g. "15C5-P2-40C5-P2-300-10".
// Tests: unit/network_spec_test.cpp, property/network_test.cpp.
#include "spiketrain/networks/spec.h"

#include "spiketrain/core/initialise.h"
#include "spiketrain/networks/notation.h"
#include "spiketrain/networks/stages.h"

namespace spiketrain {
namespace {

/// More weights than this (4 GiB of floats) are taken for a mistake in the notation.
constexpr double kMaxParameters = 0x1.0p30;

using Kind = Token::Kind;

std::string text(const Shape& shape) { return spiketrain::str(at::IntArrayRef(shape)); }

class Builder {
 public:
  Builder(const std::string& spec, const SpecOptions& options, const NetworkContext& context)
      : spec_(spec),
        options_(options),
        context_(context),
        tokens_(parse_notation(spec)),
        shape_(context.input) {
    ST_ASSERT(context.neuron && context.readout);
    ST_CHECK(context.classes >= 1, "network: expected at least one class, got ", context.classes);
    ST_CHECK((shape_.size() == 1 || shape_.size() == 3) && numel(shape_) >= 1,
             "network: expected an input of [C,H,W] or [N], got ", at::IntArrayRef(shape_));
    output_ = output_token();
  }

  std::shared_ptr<Network> build() {
    std::vector<std::pair<std::shared_ptr<Stage>, bool>> stages;  // with "it has neurons"
    for (const Token& token : tokens_) {
      const bool neurons = token.kind == Kind::conv || token.kind == Kind::linear ||
                           token.kind == Kind::basic_unit || token.kind == Kind::sew_unit;
      stages.emplace_back(make(token), neurons);
      shape_ = stages.back().first->out_shape();
    }
    ST_ASSERT(shape_ == Shape{context_.classes});
    auto network = std::make_shared<Network>(context_.input);
    if (first_->emits_psp()) {
      network->add(std::make_shared<PspFilter>(first_->psp_constants().tau_s, context_.input), true);
    }
    bool occupied = false;  // the last block has a layer
    for (auto& [stage, neurons] : stages) {
      network->add(stage, neurons && occupied);
      occupied = occupied || neurons;
    }
    return network;
  }

 private:
  [[noreturn]] void fail(const Token& token, const std::string& what) const {
    throw UsageError(token_error(spec_, token, what));
  }

  /// Number of the token that makes the output layer; UsageError if the network does not end in one.
  size_t output_token() const {
    const int64_t classes = context_.classes;
    const Token& last = tokens_.back();
    const std::string advice = str("; append \"-", classes, "\" for the output layer");
    if (last.kind == Kind::linear) {
      if (last.size == classes) return last.index;
      fail(last, str("the last layer must have one neuron for each of the ", classes, " classes, it has ",
                     last.size, advice));
    }
    if (last.kind == Kind::global_average && tokens_.size() > 1) {
      const Token& before = tokens_[tokens_.size() - 2];
      if (before.kind == Kind::conv && before.size == classes) return before.index;
      fail(last, str("as the last token it must follow a convolution with one map for each of the ", classes,
                     " classes", advice));
    }
    fail(last,
         str("a network must end in a layer with one neuron for each of the ", classes, " classes", advice));
  }

  std::shared_ptr<Stage> make(const Token& token) {
    switch (token.kind) {
      case Kind::conv:
        return convolution(token);
      case Kind::linear:
        return linear(token);
      case Kind::pool:
        return pool(token);
      case Kind::dropout: {
        const std::string& shared = options_.dropout_shared;
        return std::make_shared<Dropout>(token.probability,
                                         shared == "row"       ? Dropout::Shared::row
                                         : shared == "channel" ? Dropout::Shared::channel
                                                               : Dropout::Shared::element,
                                         shape_, to_string(token));
      }
      case Kind::global_average:
        need_map(token);
        if (shape_[1] != shape_[2])
          fail(token, "global averaging needs a square map, the signal here is " + text(shape_));
        return std::make_shared<GlobalAverage>(shape_);
      case Kind::basic_unit:
      case Kind::sew_unit:
        return residual(token);
    }
    ST_ASSERT(false);
    return nullptr;
  }

  void need_map(const Token& token) const {
    if (shape_.size() != 3) fail(token, "needs a map [C,H,W], the signal here is " + text(shape_));
  }
  void count_parameters(const Token& token, double count) {
    parameters_ += count;
    if (parameters_ > kMaxParameters) {
      fail(token, str("the network has ", parameters_, " weights up to here; at most ", kMaxParameters,
                      " are allowed"));
    }
  }

  std::shared_ptr<Neuron> neuron(const Token& token) {
    std::shared_ptr<Neuron> made = token.index == output_ ? context_.readout() : context_.neuron();
    if (!first_) first_ = made;
    return made;
  }
  std::shared_ptr<Norm> norm(const Token& token, int64_t channels) const {
    if (options_.norm == "none" || token.index == output_) return nullptr;
    return std::make_shared<BatchNorm>(channels, options_.norm == "tdbn" ? options_.tdbn_scale : 1.0);
  }

  /// One convolution of the current shape or, in a residual unit, of a shape inside it.
  struct Conv {
    int64_t channels, kernel, stride, padding;
  };
  std::shared_ptr<Layer> conv_layer(const Token& token, const Conv& conv, const Shape& in,
                                    std::shared_ptr<Neuron> neuron, const std::string& notation) {
    if (in[1] + 2 * conv.padding < conv.kernel || in[2] + 2 * conv.padding < conv.kernel) {
      fail(token,
           str("the ", conv.kernel, "x", conv.kernel, " kernel does not fit the map, the signal here is ",
               text(in), " and the padding ", conv.padding));
    }
    count_parameters(token, static_cast<double>(conv.channels * in[0] * conv.kernel * conv.kernel));
    auto synapse = Registry<Synapse>::get().make({{"name", "conv2d"},
                                                  {"channels", conv.channels},
                                                  {"kernel", conv.kernel},
                                                  {"stride", conv.stride},
                                                  {"padding", conv.padding},
                                                  {"bias", options_.bias},
                                                  {"init", options_.conv_init},
                                                  {"weight_scale", options_.conv_scale}});
    return std::make_shared<Layer>(synapse, norm(token, conv.channels), std::move(neuron), in, notation);
  }

  std::shared_ptr<Stage> convolution(Token token) {
    need_map(token);
    int64_t padding = std::max<int64_t>(token.padding, 0);
    if (token.padding < 0 && options_.padding == "same") {
      if (token.kernel % 2 == 0) {
        fail(token, "padding = \"same\" needs an odd kernel size; write the padding, as in " +
                        to_string(token) + "p1");
      }
      padding = (token.kernel - 1) / 2;
    }
    const Conv conv = {token.size, token.kernel, token.stride, padding};
    if (padding != 0) token.padding = padding;  // the echo says what was built
    return conv_layer(token, conv, shape_, neuron(token), to_string(token));
  }

  std::shared_ptr<Stage> linear(const Token& token) {
    count_parameters(token, static_cast<double>(token.size) * static_cast<double>(numel(shape_)));
    auto synapse = Registry<Synapse>::get().make({{"name", "linear"},
                                                  {"features", token.size},
                                                  {"bias", options_.bias},
                                                  {"init", options_.linear_init},
                                                  {"weight_scale", options_.linear_scale}});
    return std::make_shared<Layer>(synapse, norm(token, token.size), neuron(token), shape_, to_string(token));
  }

  std::shared_ptr<Stage> pool(const Token& token) {
    need_map(token);
    if (shape_[1] < token.size || shape_[2] < token.size) {
      fail(token, str("the ", token.size, "x", token.size,
                      " window does not fit the map, the signal here is ", text(shape_)));
    }
    const char letter = token.pool               ? token.pool
                        : options_.pool == "sum" ? 'S'
                        : options_.pool == "avg" ? 'A'
                                                 : 'M';
    const Pool::Kind kind = letter == 'S'   ? Pool::Kind::sum
                            : letter == 'A' ? Pool::Kind::average
                                            : Pool::Kind::max;
    return std::make_shared<Pool>(kind, token.size, options_.pool_scale, shape_, to_string(token));
  }

  std::shared_ptr<Stage> residual(const Token& token) {
    need_map(token);
    const bool sew = token.kind == Kind::sew_unit;
    const int64_t maps = token.size;
    auto first = conv_layer(token, {maps, 3, token.stride, 1}, shape_, neuron(token), "");
    auto second = conv_layer(token, {maps, 3, 1, 1}, first->out_shape(), neuron(token), "");
    std::shared_ptr<Layer> shortcut;
    if (maps != shape_[0] || token.stride != 1) {
      shortcut = conv_layer(token, {maps, 1, token.stride, 0}, shape_, sew ? neuron(token) : nullptr, "");
    }
    return std::make_shared<ResidualUnit>(sew ? ResidualUnit::Join::output : ResidualUnit::Join::current,
                                          first, second, shortcut, to_string(token));
  }

  const std::string& spec_;
  const SpecOptions& options_;
  const NetworkContext& context_;
  std::vector<Token> tokens_;
  Shape shape_;
  size_t output_ = 0;
  double parameters_ = 0;
  std::shared_ptr<Neuron> first_;
};

struct Spec final : NetworkBuilder, SpecOptions {
  static constexpr const char* kDoc = "network written as in the papers, e.g. 15C5-P2-40C5-P2-300-10";
  std::string spec;
  template <class V>
  void visit(V& v) {
    v(spec, "spec",
      "the layers: 15C5 convolution, P2 pooling, 300 fully connected, D0.2 dropout, RB64, SEW64, GAP");
    SpecOptions::visit(v);
  }
  void check() override { parse_notation(spec); }
  std::shared_ptr<Network> build(const NetworkContext& context) const override {
    return build_network(spec, *this, context);
  }
};
ST_REGISTER(NetworkBuilder, "spec", Spec);

}  // namespace

Choices SpecOptions::init_names() { return init_choices(); }

std::shared_ptr<Network> build_network(const std::string& spec, const SpecOptions& options,
                                       const NetworkContext& context) {
  return Builder(spec, options, context).build();
}

}  // namespace spiketrain
