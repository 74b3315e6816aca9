#include "spiketrain/base/synonyms.h"

#include <algorithm>

#include "spiketrain/base/text.h"

namespace spiketrain {

const std::vector<Synonym>& synonyms() {
  static const std::vector<Synonym> table = {
      // Neurons: snnTorch, SpikingJelly, Norse, Lava.
      {"leaky", "lif", "neuron = \"lif\", with beta as neuron.leak"},
      {"lapicque", "lif", "neuron = \"lif\""},
      {"lifnode", "lif", "neuron = \"lif\", with 1 - 1/tau as neuron.leak and neuron.decay_input = true"},
      {"parametriclifnode", "lif", "neuron = \"lif\" with neuron.learn_leak = true"},
      {"parametriclif", "lif", "neuron.learn_leak = true of lif"},
      {"plif", "lif", "neuron = \"lif\" with neuron.learn_leak = true"},
      {"rleaky", "lif", "neuron = \"lif\" and a recurrent layer, network.spec = \"128R-10\""},
      {"ifnode", "if", "neuron = \"if\""},
      {"synaptic", "cuba_lif",
       "neuron = \"cuba_lif\", with alpha as neuron.leak_syn and beta as neuron.leak"},
      {"lifcell", "cuba_lif", "neuron = \"cuba_lif\""},
      {"cuba", "cuba_lif", "neuron = \"cuba_lif\""},
      {"qifnode", "qif", "neuron = \"qif\""},
      {"eifnode", "eif", "neuron = \"eif\""},
      {"klifnode", "klif", "neuron = \"klif\""},
      {"liafnode", "liaf", "neuron = \"liaf\""},
      {"licell", "leaky_readout", "readout = \"leaky_readout\""},
      {"leakyintegrator", "leaky_readout", "readout = \"leaky_readout\""},
      // Their options.
      {"beta", "leak", "neuron.leak = 0.9"},
      {"beta", "tau_m", "neuron.tau_m = 10, which is 1/(1 - beta)"},
      {"decay", "leak", "neuron.leak = 0.9"},
      {"decay", "tau_m", "neuron.tau_m = 10, which is 1/(1 - decay)"},
      {"alpha", "leak_syn", "neuron.leak_syn = 0.9 of cuba_lif"},
      {"tau", "leak", "neuron.leak = 0.5, which is 1 - 1/tau"},
      {"tau", "tau_m", "neuron.tau_m = 5"},
      {"tau_mem", "tau_m", "neuron.tau_m = 5 of psp_lif; of lif neuron.leak"},
      {"tau_syn", "tau_s", "neuron.tau_s = 3 of psp_lif; of cuba_lif neuron.leak_syn"},
      {"v_threshold", "threshold", "neuron.threshold = 1"},
      {"v_th", "threshold", "neuron.threshold = 1"},
      {"thresh", "threshold", "neuron.threshold = 1"},
      {"init_tau", "leak", "neuron.leak = 0.5, which is 1 - 1/tau"},
      {"learn_beta", "learn_leak", "neuron.learn_leak = true"},
      {"reset_mechanism", "reset", "neuron.reset = \"soft\" or \"hard\""},
      {"subtract", "soft", "neuron.reset = \"soft\", with neuron.reset_delay = true as in snnTorch"},
      {"zero", "hard", "neuron.reset = \"hard\" with neuron.v_reset = 0"},
      {"spike_grad", "surrogate", "neuron.surrogate = \"fast_sigmoid\" of lif and others; psp_lif has none"},
      {"surrogate_function", "surrogate",
       "neuron.surrogate = \"fast_sigmoid\" of lif and others; psp_lif has none"},
      {"fastsigmoid", "fast_sigmoid", "neuron.surrogate = \"fast_sigmoid\""},
      {"fast-sigmoid", "fast_sigmoid", "neuron.surrogate = \"fast_sigmoid\""},
      {"arctan", "atan", "neuron.surrogate = \"atan\""},
      {"superspike", "super_spike", "neuron.surrogate = \"super_spike\""},
      {"slope", "surrogate_scale", "neuron.surrogate_scale = 25"},
      // Time and training.
      {"num_steps", "steps", "steps = 5"},
      {"time_steps", "steps", "steps = 5"},
      {"timesteps", "steps", "steps = 5"},
      {"t", "steps", "steps = 5"},
      {"num_epochs", "epochs", "epochs = 3"},
      {"max_epochs", "epochs", "epochs = 3"},
      {"batch_size", "batch", "data.batch = 50"},
      {"num_workers", "loader_threads", "data.loader_threads = 1"},
      {"dataset", "data", "data.name = \"mnist\""},
      {"learning_rate", "lr", "optimizer.lr = 0.01, and the section [learning_rate] is its schedule"},
      {"lr", "lr", "optimizer.lr = 0.01"},
      {"weight_decay", "weight_decay", "optimizer.weight_decay = 0.01"},
      {"momentum", "momentum", "optimizer.momentum = 0.9 of sgd"},
      {"clip_grad_norm", "clip_norm", "train.clip_norm = 1"},
      {"scheduler", "learning_rate", "learning_rate = \"cosine\""},
      {"loss", "objective", "objective = \"rate_ce\""},
      {"loss_fn", "objective", "objective = \"rate_ce\""},
      {"criterion", "objective", "objective = \"rate_ce\""},
      {"cross_entropy", "rate_ce", "objective = \"rate_ce\""},
      {"crossentropyloss", "rate_ce", "objective = \"rate_ce\""},
      {"mseloss", "mse", "objective = \"mse\""},
      {"mse_membrane_loss", "mse", "objective = \"mse\" with readout = \"leaky_readout\""},
      {"ce_rate_loss", "tet_ce", "objective = \"tet_ce\""},
      {"ce_count_loss", "rate_ce", "objective = \"rate_ce\""},
      {"mse_count_loss", "mse_count", "objective = \"mse_count\""},
      {"bp", "bptt", "rule = \"bptt\""},
      {"surrogate", "bptt", "rule = \"bptt\", with neuron.surrogate"},
      {"rate", "poisson", "encoder = \"poisson\""},
      {"constant", "direct", "encoder = \"direct\""},
      {"batchnorm", "bn", "network.norm = \"bn\""},
      {"batchnorm2d", "bn", "network.norm = \"bn\""},
      {"cosineannealinglr", "cosine", "learning_rate = \"cosine\""},
      {"acc", "accuracy", "metrics = [\"accuracy\"]"},
      {"tbptt", "truncated", "schedule = {name = \"truncated\", window = 5}"},
      {"dropout", "spec", "a token of network.spec, \"300-D0.2-10\""},
      {"hidden", "spec", "network.spec = \"300-10\""},
      {"layers", "spec", "network.spec = \"300-10\""},
  };
  return table;
}

std::string our_word(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string theirs = bare_word(word);
  const Synonym* found = nullptr;
  for (const Synonym& synonym : synonyms()) {
    if (theirs != synonym.word) continue;
    const bool fits = std::find(candidates.begin(), candidates.end(), synonym.ours) != candidates.end();
    if (!found || fits) found = &synonym;
    if (fits) break;
  }
  if (!found) return "";
  const bool same = theirs == found->ours;
  return word + (same ? " is written " : std::string(" is called ") + found->ours + " here: ") + found->use;
}

}  // namespace spiketrain
