#include "spiketrain/recipe/new_recipe.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "spiketrain/base/text.h"
#include "spiketrain/core/counts.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/recipe/experiment.h"

namespace spiketrain {
namespace {

constexpr int64_t kLargestMap = 64, kSmallestMap = 20;
constexpr int64_t kFewRecordings = 500, kClip = 200000;  ///< fewer are cut into clips of so many microseconds

/// What is known of the data.
struct Known {
  DatasetInfo info;
  Shape shape;  ///< of an image or a frame, after down-sampling
  TargetSpec target;
  int64_t samples = 0;  ///< for training; 0: not known
  int64_t steps = 5, downsample = 1;
  bool split = true;    ///< a folder of recordings has a training and a test part
  int64_t clip_us = 0;  ///< recordings are cut into clips
  bool maps() const { return shape.size() == 3 && std::min(shape[1], shape[2]) >= kSmallestMap; }
};

/// Time steps that suit a data set: few for images, enough to see the course of recordings and sequences.
int64_t steps_for(const DatasetInfo& info) {
  if (info.name == "delayed-memory") return 40;
  if (info.name == "shd" || info.name == "ssc") return 50;
  if (info.form == Batch::Form::image && !info.events) return 5;
  return info.events ? 10 : 20;
}

/// So that the longer side of a sensor becomes a map of moderate size.
int64_t downsample_for(const Shape& sensor) {
  if (sensor.size() != 3) return 1;
  const int64_t side = std::max(sensor[1], sensor[2]), other = std::min(sensor[1], sensor[2]);
  return side <= kLargestMap || other < kSmallestMap ? 1 : (side + kLargestMap - 1) / kLargestMap;
}

DataOptions options_for(const NewRecipe& answers, const std::string& dir, const Known& known) {
  DataOptions options;
  options.name = answers.data;
  options.dir = dir;
  options.steps = known.steps;
  EventOptions& events = options.events;
  if (!answers.folder.empty()) events.folder = answers.folder;
  if (!known.split) events.train_dir = ".", events.test_share = 0.2;
  if (known.clip_us > 0) events.clip_us = events.duration_us = known.clip_us, events.origin = "zero";
  return options;
}

bool names_folder(const std::filesystem::path& path) {
  std::error_code none;
  return std::filesystem::is_directory(path, none);
}

/// Shape, classes and number of samples as the files have them.
void open_files(Known& known, const NewRecipe& answers, const std::string& dir) {
  if (!answers.folder.empty()) {
    const auto folder = std::filesystem::path(dir) / answers.folder;  // as it is if it is absolute
    known.split = names_folder(folder / "train") && names_folder(folder / "test");
  }
  auto data = open_dataset(options_for(answers, dir, known));
  if (answers.data == "event-folder" && data->size() < kFewRecordings) {
    known.clip_us = kClip;
    data = open_dataset(options_for(answers, dir, known));
  }
  known.shape = data->sample().shape;
  known.target = data->target();
  known.samples = data->size();
}

Known look_at(const NewRecipe& answers, const std::string& dir) {
  Known known;
  known.info = dataset_info(answers.data);
  ST_CHECK(answers.folder.empty() || answers.data == "event-folder",
           "new --folder: only for --data event-folder");
  ST_CHECK(
      !known.info.table,
      "new: which columns of a table mean what cannot be guessed; begin with recipes/table-iris.toml and set [table]");
  ST_CHECK(known.info.shape.size() != 2, "new: samples of ", answers.data,
           " are complex numbers, for a network of their own; begin with recipes/slista-harmonics.toml");
  known.shape = known.info.shape;
  known.target = known.info.target;
  known.steps = steps_for(known.info);
  const bool decides = numel(known.shape) == 0 || numel(known.target.shape) == 0;
  if (decides || (known.info.files && !dir.empty())) open_files(known, answers, dir);
  if (known.info.events) {
    known.downsample = downsample_for(known.shape);
    for (size_t k = 1; k < known.shape.size(); ++k) known.shape[k] /= known.downsample;
  }
  return known;
}

std::string spec_for(const Known& known, const std::string& size) {
  const size_t s = size == "small" ? 0 : size == "medium" ? 1 : 2;
  const char* maps[] = {"12C5-P2-24C5-P2-100", "15C5-P2-40C5-P2-300", "32C5-P2-64C5-P2-1024"};
  const char* values[] = {"100", "256-256", "512-512-512"};
  return str(known.maps() ? maps[s] : values[s], "-", numel(known.target.shape));
}

/// A tenth of the training samples, for validation.
int64_t validation_for(const Known& known) {
  const int64_t samples = known.samples > 0 ? known.samples : known.info.files ? 20000 : 10000;
  return std::max<int64_t>(1, samples / 10);
}

std::string value_text(const Config& value) { return value.dump(); }

void write_data(std::ostream& text, const NewRecipe& answers, const Known& known) {
  text
      << "[data]\nname = \"" << answers.data
      << "\"     # others: spiketrain list data\nbatch = 50\nvalidation = " << validation_for(known)
      << (known.clip_us > 0
              ? "    # clips that decide which epoch is best; of recordings that are trained on: it looks better than the test\n"
              : "    # training samples that decide which epoch is best; the test split is not looked at for that\n");
  if (known.info.form == Batch::Form::image && known.info.files)
    text
        << "# augment = true   # random shifts, and mirrors where the class allows; rotate = 10 and zoom = 0.1 turn and scale\n";
  if (!known.info.files) text << "train_size = 10000\ntest_size = 2000\n";
  if (!known.info.events) return;
  text << "\n[events]              # recordings become frames of equal length: docs/event-data.md\n";
  if (!answers.folder.empty()) text << "folder = " << value_text(answers.folder) << "\n";
  if (!known.split)
    text
        << "train_dir = \".\"       # a class is a folder in it, or a file\ntest_share = 0.2      # whole recordings that are held out "
           "as the test part\n";
  if (known.clip_us > 0)
    text << "clip_us = " << known.clip_us
         << "      # recordings are few: each is cut into clips of 0.2 s\nduration_us = " << known.clip_us
         << "\norigin = \"zero\"\n";
  text
      << "downsample = " << known.downsample
      << "        # so many pixels of the sensor, each way, become one\naccumulate = \"or\"      # a pixel of a frame is 0 or 1; "
         "\"count\" keeps the number of events\n# drop = 0.1           # augmentation: leave out a tenth of the events\n";
}

void write_neuron(std::ostream& text, const Rule& rule, const std::string& name) {
  if (name == "tssl_bp") {
    text
        << "[neuron]              # sends postsynaptic potentials, whose times TSSL-BP differentiates\nname = \"psp_lif\"\n"
           "tau_m = 5             # time constant of the membrane, steps\ntau_s = 3             # of the postsynaptic "
           "potential\n";
    return;
  }
  const bool counts = dynamic_cast<const OfCounts*>(&rule) != nullptr;
  Config neuron = counts ? Config{{"name", "if"}} : rule.neuron();
  if (neuron.is_null()) neuron = {{"name", "lif"}, {"leak", 0.5}, {"surrogate", "atan"}};
  text << "[neuron]              # of the hidden layers; others: spiketrain list neurons\n";
  for (const auto& [key, value] : neuron.items()) text << key << " = " << value_text(value) << "\n";
  text
      << "\n[readout]             # the output neurons integrate and do not spike\nname = \"leaky_readout\"\nleak = "
      << (counts ? "0              # without memory: the gradient is that of counts\n" : "0.9\n");
}

void write_method(std::ostream& text, const NewRecipe& answers, const Known& known) {
  const RuleP rule = make<Rule>({{"name", answers.rule}});
  const bool tssl = answers.rule == "tssl_bp", classes = known.target.kind == Target::Kind::class_index;
  write_neuron(text, *rule, answers.rule);
  text << "\n[rule]                # how gradients travel in time: docs/methods/README.md\nname = \""
       << answers.rule << "\"\n";
  if (!tssl && !rule->neuron().is_null())
    text
        << "\n[rules.readout]       # the output neuron is another, and learns by plain backpropagation\nname = \"bptt\"\n";
  text << "\n[objective]           # what the output should be\n";
  if (known.info.labels) {
    text << "name = \"rate_bce\"     # each label by itself: cross-entropy of the mean over the steps\n";
  } else if (!classes) {
    text << "name = \"mse\"          # rate_bce if the values are labels, 0 or 1\n";
    if (known.target.kind == Target::Kind::values && !tssl)
      text << "over = \"window\"       # compares the mean over the steps; \"step\": every one\n";
  } else if (tssl) {
    text << "name = \"van_rossum\"   # distance of the filtered spike trains to those wanted\n";
  } else if (rule->local_in_time()) {
    text
        << "name = \"tet_ce\"       # cross-entropy at every step: what rules without a way back in time need\n";
  } else {
    text << "name = \"rate_ce\"      # cross-entropy of the mean over the steps\n";
  }
}

}  // namespace

std::vector<std::string> NewRecipe::sizes() { return {"small", "medium", "large"}; }

std::string new_recipe(const NewRecipe& answers, const std::string& data_dir) {
  const std::vector<std::string> sizes = NewRecipe::sizes();
  ST_CHECK(std::find(sizes.begin(), sizes.end(), answers.size) != sizes.end(), "new --size: expected ",
           join(sizes, " or "), ", got ", answers.size);
  const Known known = look_at(answers, data_dir);
  std::ostringstream text;
  const std::string spec = spec_for(known, answers.size);
  text
      << "# Train it with  spiketrain train THIS_FILE --out runs/first  and look at it with  spiketrain report runs/first\n"
         "# Any option can be overridden: --set epochs=3.  All options: docs/options.md, or  spiketrain help WORD\n"
      << "title = " << value_text(str(answers.data, ", ", spec, ", ", answers.rule))
      << "\nseed = 1\nsteps = " << known.steps << "             # time steps T of a sample\nepochs = 10\n"
      << (known.info.labels
              ? "metrics = [\"exact_match\", \"f1\"]   # all labels of a sample right; how well each is found\n"
              : "")
      << "\n";
  write_data(text, answers, known);
  text
      << "\n[network]\nname = \"spec\"\nspec = \"" << spec << "\"\n"
      << (known.maps()
              ? "                      # 12C5: 12 maps by 5x5 kernels; P2: pooling by 2; 100: fully connected\n"
              : "                      # neurons of fully connected layers, the outputs last\n");
  if (known.maps() && answers.rule != "tssl_bp")
    text
        << "pool = \"avg\"\nconv_init = \"kaiming_normal\"   # wider than the default, since LIF neurons need more current to fire\n";
  text << "\n";
  write_method(text, answers, known);
  text
      << "\n[optimizer]\nname = \"adamw\"\nlr = 1e-3\nweight_decay = 0.01\n"
         "\n[learning_rate]\nname = \"cosine\"       # falls to zero over the epochs; \"constant\" if you want to train longer later\n"
         "\n[train]\nclip_norm = 1.0       # largest norm of the gradient\n";
  if (answers.rule == "tssl_bp") text << "clamp = 4.0           # weights stay in [-4, 4]\n";
  text << "# patience = 3        # stop when the validation split has not improved for three epochs\n";
  check_recipe(parse_recipe(text.str(), "new recipe"));
  return text.str();
}

}  // namespace spiketrain
