#include "spiketrain/parts/networks/size_limits.h"

namespace spiketrain {
namespace {

using Kind = Token::Kind;

/// What has been counted so far; numbers are doubles, which do not overflow.
struct Sizes {
  Shape shape;  ///< of what the next token reads; empty: the token before it did not fit
  double weights = 0, outputs = 0;

  double values() const {
    double product = 1;
    for (const int64_t n : shape) product *= static_cast<double>(n);
    return product;
  }
};

int64_t side(int64_t in, int64_t kernel, int64_t stride, int64_t padding) {
  return in + 2 * padding < kernel ? 0 : (in + 2 * padding - kernel) / stride + 1;
}

/// One convolution; its output is added.
void convolve(Sizes& s, int64_t maps, int64_t kernel, int64_t stride, int64_t padding) {
  const auto k = static_cast<double>(kernel);
  s.weights += static_cast<double>(maps) * static_cast<double>(s.shape[0]) * k * k;
  const int64_t height = side(s.shape[1], kernel, stride, padding),
                width = side(s.shape[2], kernel, stride, padding);
  s.shape = height > 0 && width > 0 ? Shape{maps, height, width} : Shape{};
  if (!s.shape.empty()) s.outputs += s.values();
}

/// Two convolutions and a projection, of which every one may have neurons.
void unit(Sizes& s, const Token& token) {
  Sizes projection = s;
  convolve(projection, token.size, 1, token.stride, 0);
  const double more = projection.weights - s.weights;
  const bool projects = token.size != s.shape[0] || token.stride != 1;
  convolve(s, token.size, 3, token.stride, 1);
  if (!s.shape.empty()) convolve(s, token.size, 3, 1, 1);
  if (projects) s.weights += more;
  if (!s.shape.empty()) s.outputs += s.values();
}

void linear(Sizes& s, const Token& token) {
  const auto size = static_cast<double>(token.size);
  s.weights += size * (s.values() + (token.recurrent ? (token.recurrent_kernel == 1 ? 1 : size) : 0));
  s.outputs += size;
  s.shape = {token.size};
}

void count(Sizes& s, const Token& token, const SpecOptions& options) {
  if (token.kind == Kind::linear) return linear(s, token);
  if (token.kind == Kind::dropout) return;
  if (token.kind == Kind::population) {
    if (s.shape.size() == 1) s.shape[0] /= token.size;
    return;
  }
  if (s.shape.size() != 3) {
    s.shape.clear();
  } else if (token.kind == Kind::conv) {
    const int64_t same = options.padding == "same" ? (token.kernel - 1) / 2 : 0;
    convolve(s, token.size, token.kernel, token.stride, token.padding < 0 ? same : token.padding);
    if (token.recurrent && !s.shape.empty())
      convolve(s, token.size, token.recurrent_kernel, 1, token.recurrent_kernel / 2);
  } else if (token.kind == Kind::pool) {
    s.shape = {s.shape[0], s.shape[1] / token.size, s.shape[2] / token.size};
    s.outputs += s.values();
    if (s.values() == 0) s.shape.clear();
  } else if (token.kind == Kind::global_average) {
    s.shape = {s.shape[0]};
  } else {
    unit(s, token);
  }
}

}  // namespace

void check_sizes(const std::string& spec, const std::vector<Token>& tokens, const SpecOptions& options,
                 const Shape& input) {
  Sizes sizes;
  sizes.shape = input;
  ST_CHECK(sizes.values() <= kMaxInputs, "network: an input of ", at::IntArrayRef(input), " has ",
           sizes.values(), " values; at most ", kMaxInputs, " are allowed");
  for (const Token& token : tokens) {
    count(sizes, token, options);
    const bool heavy = sizes.weights > kMaxWeights;
    if (heavy || sizes.outputs > kMaxOutputs) {
      throw UsageError(token_error(spec, token,
                                   str("the network has ", heavy ? sizes.weights : sizes.outputs,
                                       heavy ? " weights" : " neurons and sums", " up to here; at most ",
                                       heavy ? kMaxWeights : kMaxOutputs, " are allowed")));
    }
    if (sizes.shape.empty()) return;
  }
}

}  // namespace spiketrain
