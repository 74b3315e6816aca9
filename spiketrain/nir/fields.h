// What the fields of each type of node are.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/nir/graph.h"

namespace spiketrain::nir {

/// Of one node's output, and of the outputs of all nodes together.
constexpr int64_t kMaxElements = int64_t{1} << 28;

/// What a field holds.
enum class Field {
  neuron,   ///< numbers, one for each neuron: the shape of the node, or a scalar
  weight,   ///< floating point, at least two-dimensional
  bias,     ///< floating point, one-dimensional
  whole,    ///< integers: one, or one for each side
  padding,  ///< the same, or "same" or "valid"
  shape     ///< sizes
};

struct FieldInfo {
  std::string name;
  Field kind;
  bool needed = true;
  bool positive = false;  ///< every value above 0
};

struct TypeInfo {
  std::string type;
  std::vector<FieldInfo> fields;
};

/// Null for an unknown type.  Input, Output and NIRGraph included.
const TypeInfo* find_type(const std::string& type);
/// Names of all types.
std::vector<std::string> type_names();

/// Types whose nodes hold a membrane or a threshold.
bool is_neuron(const std::string& type);
/// Types that multiply: Linear, Affine, Scale, Conv1d, Conv2d.
bool has_weight(const std::string& type);

/// An integer, or one for each of `sides`.  UsageError if there are others.
std::vector<int64_t> sides(const NirArray& array, size_t count, const std::string& what);

/// Zeros in front of and behind a side.
struct Padding {
  std::vector<int64_t> before, after;
};
/// Of a convolution with these kernel sides, "same" and "valid" resolved.  UsageError as sides().
Padding padding_of(const NirNode& node, const std::vector<int64_t>& kernel,
                   const std::vector<int64_t>& stride, const std::vector<int64_t>& dilation,
                   const std::string& what);

/// Sizes of a field of kind shape.
std::vector<int64_t> shape_of(const NirArray& array);

/// Shape of a node's output for an input of this shape; checks the node's fields on the way.  `in` empty: not known, for a node
/// that only edges of a cycle reach.  `what` names the node in messages.  UsageError if they do not fit.
std::vector<int64_t> output_shape(const NirNode& node, const std::vector<int64_t>& in,
                                  const std::string& what);
/// Shape that a node expects, as far as it says: empty for those that take any.
std::vector<int64_t> input_shape(const NirNode& node);

/// Every field there, none that the type does not have, numbers finite and in range; without shapes of inputs.
void check_fields(const NirNode& node, const std::string& what);

/// "[2, 3]"
std::string text(const std::vector<int64_t>& shape);
/// "node 'a/b' (LIF)"
std::string node_text(const std::string& name, const std::string& type);

}  // namespace spiketrain::nir
