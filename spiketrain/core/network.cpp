#include "spiketrain/core/network.h"

#include <algorithm>
#include <numeric>

#include "spiketrain/core/layer.h"

namespace spiketrain {

ST_DEFINE_REGISTRY(Stage, "stage")
ST_DEFINE_REGISTRY(NetworkBuilder, "network")

Shape Network::shape_of(const Input& input, size_t reader) const {
  if (input.node == kInput) return input_;
  const auto node = static_cast<size_t>(input.node);
  ST_CHECK(input.node >= 0 && (input.delay == 0 || input.delay == 1), "network: node ", reader,
           " reads node ", input.node, " with a delay of ", input.delay,
           "; expected a node and a delay of 0 or 1");
  if (node < nodes_.size()) return nodes_[node].out;
  ST_CHECK(input.delay == 1, "network: node ", reader, " reads node ", input.node,
           ", which comes later; that needs a delay of 1");
  ST_CHECK(node == reader || !input.shape.empty(), "network: node ", reader, " reads node ", input.node,
           ", which is not there yet; give the shape of its output");
  return input.shape;
}

int64_t Network::add(std::shared_ptr<Stage> stage, std::vector<Input> inputs, bool new_unit, std::string name,
                     const char* token) {
  ST_CHECK(body_ == nodes_.size(), "network: nodes come before heads");
  ST_CHECK(stage, "network: expected a stage to add, got none");
  const size_t index = nodes_.size();
  Node node;
  node.name = name.empty() ? std::to_string(index) : std::move(name);
  std::vector<Shape> shapes;
  for (const Input& input : inputs) shapes.push_back(shape_of(input, index));
  node.out = stage->build(shapes);
  for (const Node& other : nodes_) {
    for (const Input& input : other.inputs) {
      ST_CHECK(input.node != static_cast<int64_t>(index) || input.shape == node.out, "network: node ",
               other.name, " expects an input of ", at::IntArrayRef(input.shape), " from node ", node.name,
               ", which gives ", at::IntArrayRef(node.out));
    }
  }
  node.token = token ? token : stage->notation();
  register_module(node.name, stage);
  stage->assign_slots(slots_);
  if (new_unit || nodes_.empty()) ++units_;
  node.unit = units_ - 1;
  node.stage = std::move(stage);
  node.inputs = std::move(inputs);
  nodes_.push_back(std::move(node));
  body_ = nodes_.size();
  ends_ = {body_};
  programs_.clear();
  if (complete()) compile();
  return static_cast<int64_t>(index);
}

bool Network::complete() const {
  for (const Node& node : nodes_) {
    for (const Input& input : node.inputs) {
      if (input.node >= static_cast<int64_t>(nodes_.size())) return false;
    }
  }
  return true;
}

int64_t Network::add(std::shared_ptr<Stage> stage, bool new_unit) {
  return add(std::move(stage), {{static_cast<int64_t>(nodes_.size()) - 1}}, new_unit);
}

int64_t Network::hidden_units() const { return std::max<int64_t>(1, units_ - 1); }

void Network::partition(const std::vector<int64_t>& sizes, bool before_pooling) {
  ST_CHECK(body_ > 0 && body_ == nodes_.size(), "blocks: a network is cut before heads hang on it");
  for (const int64_t size : sizes) ST_CHECK(size >= 1, "blocks: expected sizes of at least 1, got ", size);
  const int64_t sum = std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
  ST_CHECK(!sizes.empty() && (sum == hidden_units() || sum == units_),
           "blocks: expected sizes that add up to the ", hidden_units(), " hidden layers of ", notation(),
           ", the output layer joining the last block, or to all ", units_, ", got ", at::IntArrayRef(sizes));
  std::vector<size_t> ends;
  int64_t unit = 0;
  for (const int64_t size : sizes) {
    unit += size;
    size_t end = 0;
    while (end < body_ && nodes_[end].unit < unit) ++end;
    while (before_pooling && end > 1 && nodes_[end - 1].stage->parameters().empty() &&
           nodes_[end - 1].inputs.size() == 1 && nodes_[end - 2].unit == nodes_[end - 1].unit)
      --end;
    ends.push_back(end);
  }
  ends.back() = body_;
  const std::vector<size_t> before = std::exchange(ends_, std::move(ends));
  try {
    compile();
  } catch (const UsageError&) {
    ends_ = before;
    compile();
    throw;
  }
}

void Network::attach_head(int64_t b, const std::vector<std::shared_ptr<Stage>>& stages) {
  ST_CHECK(b >= 0 && b < blocks() && !stages.empty() && !has_head(b), "network: cannot hang a head on block ",
           b, " of ", blocks(), ": it has one, or there is no such block");
  auto below = static_cast<int64_t>(ends_[static_cast<size_t>(b)]) - 1;
  for (size_t i = 0; i < stages.size(); ++i) {
    Node node;
    node.name = str("head", b, "_", i);
    node.inputs = {{below}};
    node.out = stages[i]->build({nodes_[static_cast<size_t>(below)].out});
    node.token = stages[i]->notation();
    node.head_of = b;
    node.stage = stages[i];
    register_module(node.name, node.stage);
    node.stage->assign_slots(slots_);
    below = static_cast<int64_t>(nodes_.size());
    nodes_.push_back(std::move(node));
  }
  compile();
}

void Network::initialise(uint64_t seed) {
  torch::NoGradGuard no_grad;
  for (const Node& node : nodes_) node.stage->initialise(seed);
}

Carry Network::start() const {
  Carry carry;
  const auto slots = static_cast<size_t>(slots_);
  carry.state.resize(slots);
  carry.trace.resize(slots);
  carry.post_trace.resize(slots);
  carry.mask.resize(slots);
  carry.delayed.resize(static_cast<size_t>(delays_));
  return carry;
}

/// Spike times reach stages that take them, at once and in their block.
void Network::check_times(const std::vector<size_t>& list, int64_t entry) const {
  for (const size_t index : list) {
    for (const Input& input : nodes_[index].inputs) {
      if (input.node < 0 || !nodes_[static_cast<size_t>(input.node)].stage->sends_times()) continue;
      const std::string& source = nodes_[static_cast<size_t>(input.node)].name;
      ST_CHECK(input.node != entry, "blocks: a cut would cross the spike times of node ", source,
               "; event-driven layers learn as one block, so use blocks.size = \"all\"");
      ST_CHECK(nodes_[index].stage->takes_times() && input.delay == 0, "network: node ", nodes_[index].name,
               " works by steps, but node ", source,
               " sends spike times; put an event-driven readout between them");
    }
  }
}

Network::Program Network::compile(const std::vector<size_t>& list, int64_t entry, int64_t& delays) const {
  check_times(list, entry);
  Program program;
  const auto position = [&](int64_t node) {
    const auto it = std::find(list.begin(), list.end(), static_cast<size_t>(node));
    return it == list.end() ? int64_t{-1} : it - list.begin();
  };
  program.step_begin = list.size();
  for (const size_t index : list) {
    Call call{index, {}, {}};
    for (const Input& input : nodes_[index].inputs) {
      const int64_t from = input.node == entry ? -1 : position(input.node);
      ST_CHECK(input.node == entry || from >= 0, "blocks: a cut would cross the edge from node ", input.node,
               " to node ", nodes_[index].name, "; the gradient can be cut only where a single edge crosses");
      call.from.push_back(from);
      call.delayed.push_back(input.delay ? delays++ : -1);
      const auto here = program.calls.size();
      if (input.delay) {
        ST_CHECK(from >= 0, "network: node ", nodes_[index].name, " delays what enters its block");
        program.step_begin = std::min({program.step_begin, here, static_cast<size_t>(from)});
        program.step_end = std::max({program.step_end, here + 1, static_cast<size_t>(from) + 1});
      }
    }
    const auto before = static_cast<int64_t>(program.calls.size()) - 1;
    program.chain = program.chain && call.from.size() == 1 && call.from[0] == before && call.delayed[0] < 0;
    program.calls.push_back(std::move(call));
  }
  for (size_t i = program.step_begin; i < program.step_end; ++i) {
    const Node& node = nodes_[program.calls[i].node];
    ST_CHECK(!node.stage->whole_sequence(), "network: node ", node.name,
             " reads the whole sequence at once; it cannot lie between delayed edges");
  }
  for (size_t i = 0; i < program.calls.size(); ++i) {
    for (const int64_t from : program.calls[i].from) {
      if (from >= 0 && static_cast<size_t>(from) + 1 < i)
        program.calls[static_cast<size_t>(from)].keep = true;
    }
  }
  return program;
}

void Network::compile() {
  programs_.clear();
  heads_.clear();
  delays_ = 0;
  for (int64_t b = 0; b < blocks(); ++b) {
    const auto [first, end] = nodes_of(b);
    std::vector<size_t> body, head;
    for (size_t n = first; n < end; ++n) body.push_back(n);
    for (size_t n = body_; n < nodes_.size(); ++n) {
      if (nodes_[n].head_of == b) head.push_back(n);
    }
    programs_.push_back(compile(body, static_cast<int64_t>(first) - 1, delays_));
    heads_.push_back(compile(head, static_cast<int64_t>(end) - 1, delays_));
  }
}

std::pair<size_t, size_t> Network::nodes_of(int64_t b) const {
  ST_CHECK(b >= 0 && b < blocks(), "network: no block ", b, "; it has ", blocks());
  const auto at = static_cast<size_t>(b);
  return {b == 0 ? 0 : ends_[at - 1], ends_[at]};
}

bool Network::is_chain(int64_t b) const {
  const auto at = static_cast<size_t>(b);
  return programs_.at(at).chain && heads_.at(at).chain;
}

bool Network::runs_by_step(int64_t b) const {
  const auto at = static_cast<size_t>(b);
  return programs_.at(at).step_end > 0 || heads_.at(at).step_end > 0;
}

int64_t Network::block_of(int64_t node) const {
  const Node& n = nodes_.at(static_cast<size_t>(node));
  if (n.head_of >= 0) return n.head_of;
  return std::upper_bound(ends_.begin(), ends_.end(), static_cast<size_t>(node)) - ends_.begin();
}

std::vector<std::shared_ptr<const Layer>> Network::layers(int64_t b, bool head) const {
  std::vector<std::shared_ptr<const Layer>> list;
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if ((nodes_[n].head_of >= 0) != head || block_of(static_cast<int64_t>(n)) != b) continue;
    if (auto layer = std::dynamic_pointer_cast<const Layer>(nodes_[n].stage))
      list.push_back(std::move(layer));
  }
  return list;
}

const Shape& Network::out_shape() const { return body_ == 0 ? input_ : nodes_[body_ - 1].out; }

const Shape& Network::block_shape(int64_t b) const { return nodes_[nodes_of(b).second - 1].out; }

std::vector<Tensor> Network::block_parameters(int64_t b) const {
  std::vector<Tensor> list;
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (block_of(static_cast<int64_t>(n)) != b) continue;
    for (const Tensor& p : nodes_[n].stage->parameters()) list.push_back(p);
  }
  return list;
}

std::string Network::notation() const {
  std::vector<std::string> tokens;
  for (size_t n = 0; n < body_; ++n) {
    if (!nodes_[n].token.empty()) tokens.push_back(nodes_[n].token);
  }
  return join(tokens, "-");
}

int64_t Network::parameter_count() const {
  int64_t count = 0;
  for (const Tensor& p : parameters()) count += p.numel();
  return count;
}

}  // namespace spiketrain
