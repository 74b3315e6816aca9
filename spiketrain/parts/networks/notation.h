// The network notation of the papers: "15C5-P2-40C5-P2-300-10", read into tokens.
//   15C5           convolution: 15 maps, 5x5 kernel; suffixes p2 (padding), s2 (stride): 32C5p2s1; R3: with a recurrent
//                  convolution of kernel 3 that keeps the size of the map, from its output one step before
//   P2             pooling over 2x2 windows of the default kind; SP2 sum, AP2 average, MP2 maximum
//   300            fully connected, 300 neurons; 128R: with a recurrent connection, from its output one step before;
//                  128R1: from each neuron to itself only
//   D0.2           dropout with probability 0.2
//   RB64, RB64s2   basic residual unit, 64 maps, stride 1 or 2; shortcut added to the current
//   SEW64, SEW64s2 the same, shortcut added to the output (SEW-ResNet)
//   GAP            global average pooling
//   POP10          population code, last: 10 output neurons for each output, whose sum it is
//   3x(64C3-D0.1)  repetition
// The input is not written.  Who does, 784-1000-10 or 28x28-1000-10 for images of 28x28, would get a hidden layer of 784
// neurons; so a first layer with as many neurons as the input has values is refused, unless it is written 1x(784).
// Upper and lower case mean the same, except that padding and stride of a convolution are lower-case letters.
// Spaces around '-' are ignored.  Knows no torch: a pure function of the string.
// Tests: unit/spec_notation_test.cpp, fuzz/fuzz_spec.cpp.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace spiketrain {

struct Token {
  enum class Kind { conv, pool, linear, dropout, basic_unit, sew_unit, global_average, population };
  Kind kind = Kind::linear;
  std::string text;        ///< as written
  size_t index = 0;        ///< place in the expanded list, from 1
  int64_t size = 0;        ///< maps, neurons, the side of a pooling window, or neurons of a group
  int64_t kernel = 0;      ///< conv: side of the kernel
  int64_t stride = 1;      ///< conv, residual units
  int64_t padding = -1;    ///< conv; -1: not written
  char pool = 0;           ///< pool: 'S' sum, 'A' average, 'M' maximum, 0: the default kind
  double probability = 0;  ///< dropout, in [0,1)
  bool recurrent = false;  ///< linear, conv
  int64_t recurrent_kernel =
      0;                  ///< conv: side of the recurrent kernel; linear: 1 one to one, 0 fully connected
  bool repeated = false;  ///< stands in a repetition, 1x(784) included
};

/// Bounds that keep a wrong string from asking for the impossible.
constexpr size_t kMaxNotationLength = 4096, kMaxTokens = 1000;
constexpr int64_t kMaxMaps = 65536, kMaxKernel = 63, kMaxNeurons = 1 << 24;

/// Tokens in order, repetitions written out.  UsageError in one line that quotes the notation and the token,
/// says where it starts and what was expected.
std::vector<Token> parse_notation(const std::string& spec);

/// The canonical form of one token, e.g. "32C5p2", "AP2", "D0.2".
std::string to_string(const Token& token);

/// The error a token gives rise to: network spec "...": token 2 "Q2": <what>
std::string token_error(const std::string& spec, const Token& token, const std::string& what);

}  // namespace spiketrain
