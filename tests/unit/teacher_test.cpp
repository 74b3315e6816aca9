// [teacher]: whose outputs a sample carries, that they are those of the frozen network, and what is refused.
#include "spiketrain/recipe/teacher.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "spiketrain/base/sha256.h"
#include "spiketrain/data/loader.h"
#include "spiketrain/recipe/run_training.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/evaluate.h"
#include "tests/support/message.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tensors.h"
#include "tests/support/tiny.h"

namespace spiketrain::teacher_test {

/// An analog network on drawn digits, in one step.
Recipe recipe_of(const std::vector<std::string>& sets = {}) {
  Config config = {{"steps", 1},
                   {"epochs", 1},
                   {"data", {{"name", "glyphs"}, {"batch", 10}, {"train_size", 30}, {"test_size", 20}}},
                   {"network", {{"name", "spec"}, {"spec", "4C5s3-10"}}},
                   {"neuron", {{"name", "qcfs"}}},
                   {"readout", {{"name", "leaky_readout"}, {"leak", 0.0}}},
                   {"rule", {{"name", "bptt"}}},
                   {"objective", {{"name", "rate_ce"}}},
                   {"optimizer", {{"name", "adamw"}, {"lr", 0.01}}}};
  for (const std::string& set : sets) apply_set(config, set);
  return make_recipe(config);
}

const std::vector<std::string> kEvents = {"data.name=glyph-events", "data.train_size=12", "data.test_size=8",
                                          "events.recording_us=40000"};

std::vector<std::string> events_and(const std::vector<std::string>& sets) {
  std::vector<std::string> all = kEvents;
  all.insert(all.end(), sets.begin(), sets.end());
  return all;
}

Experiment experiment_of(const Recipe& recipe) { return build_experiment(recipe, open_datasets(recipe, "")); }

/// Weights as they were drawn, as a run would have left them; the file.
std::string saved(const TempDir& dir, const Recipe& recipe, const std::string& name = "w.safetensors") {
  const Experiment e = experiment_of(recipe);
  RunInfo info;
  info.config = e.training.config;
  save_weights(dir / name, e.training.network(), info, {});
  return dir / name;
}

/// A spiking student of it, in three steps.
Recipe student_of(const std::string& teacher, const std::vector<std::string>& sets = {}) {
  std::vector<std::string> all = {
      "steps=3", "neuron=if", "objective={name=\"distillation\", match=\"steps\"}", "teacher.run=" + teacher};
  all.insert(all.end(), sets.begin(), sets.end());
  return recipe_of(all);
}

/// Of all samples, in order [N,*].
Tensor teacher_outputs(const Dataset& data, int64_t epoch = 0) {
  LoaderOptions options;
  options.batch_size = 7;
  options.shuffle = false;
  Loader loader(data, options);
  loader.start(epoch);
  std::vector<Tensor> all;
  for (Batch batch; loader.next(batch);) all.push_back(batch.target.teacher);
  return torch::cat(all);
}

/// What the network of `recipe` says itself, its mean over time, of all samples in order.
Tensor own_outputs(const Recipe& recipe, const std::string& file, bool training_split, int64_t epoch = 0) {
  const Experiment e = experiment_of(recipe);
  load_weights(open_checkpoint(file), e.training.network());
  LoaderOptions options;
  options.batch_size = recipe.data.batch;
  options.shuffle = false;
  Loader loader(training_split ? *e.training.data.train : *e.training.data.test, options);
  loader.start(epoch);
  std::vector<Tensor> all;
  for (Batch batch; loader.next(batch);) {
    batch.epoch = kEvaluationEpoch;
    all.push_back(e.training.learner->infer(batch).prediction / static_cast<double>(recipe.steps));
  }
  return torch::cat(all);
}

TEST(Teacher, OutputsAreThoseOfItsNetwork) {
  const TempDir dir;
  const std::string file = saved(dir, recipe_of());
  const Recipe student = student_of(file);
  const Datasets data = open_datasets(student, "");
  ASSERT_TRUE(data.train->has_teacher() && data.test->has_teacher());
  EXPECT_EQ(data.train->sample(), open_datasets(recipe_of(), "").train->sample());
  for (const bool training : {true, false}) {
    const Tensor got = teacher_outputs(training ? *data.train : *data.test),
                 want = own_outputs(recipe_of(), file, training);
    EXPECT_GT(want.std().item<double>(), 0);
    EXPECT_TRUE(torch::equal(got, want)) << training;
  }
  std::vector<float> row(10);
  EXPECT_THROW(data.train->read_teacher(30, 0, row.data()), UsageError);
}

/// Also a run directory, another number of steps, the objective's scale, other frames and another normalisation.
TEST(Teacher, SeesTheSamplesAsItsOwnRecipeSays) {
  const TempDir dir;
  const Recipe framed = recipe_of(events_and(
      {"steps=4", "events.size=[17]", "events.accumulate=or", "objective={name=\"rate_ce\", scale=2.5}"}));
  const std::string file = saved(dir, framed);
  const Datasets data = open_datasets(student_of(file, events_and({"steps=2"})), "");
  EXPECT_EQ(data.train->sample().steps, 2);
  EXPECT_EQ(data.train->sample().shape, (Shape{2, 34, 34}));
  const Tensor want = own_outputs(framed, file, true) * 2.5;
  EXPECT_TRUE(torch::allclose(teacher_outputs(*data.train), want, 1e-5, 1e-6));
  EXPECT_GT(want.std().item<double>(), 0);

  const Recipe pixels = recipe_of({"data.mean=[0]", "data.std=[1]"});
  std::filesystem::create_directories(dir / "run/ckpt");
  const std::string best = saved(dir, pixels, "run/ckpt/best.safetensors");
  const Datasets images = open_datasets(student_of(dir / "run"), "");
  EXPECT_TRUE(torch::equal(teacher_outputs(*images.train), own_outputs(pixels, best, true)));
  EXPECT_FALSE(torch::equal(own_outputs(pixels, best, true), own_outputs(recipe_of(), best, true)));
}

/// The student's seed makes the samples, not the teacher's.
TEST(Teacher, SeesTheSamplesOfTheStudent) {
  const TempDir dir;
  const std::string file = saved(dir, recipe_of());
  const Datasets other =
      open_datasets(student_of(file, {"seed=8", "data.train_size=20", "data.validation=5"}), "");
  ASSERT_TRUE(other.validation);
  EXPECT_EQ(teacher_outputs(*other.validation).size(0), 5);
  const Recipe same = recipe_of({"seed=8", "data.train_size=20", "data.validation=5"});
  EXPECT_TRUE(torch::equal(teacher_outputs(*other.train), own_outputs(same, file, true)));
}

TEST(Teacher, IsAskedAgainInEveryEpochWhereSamplesChange) {
  const TempDir dir;
  const Recipe framed = recipe_of(events_and({"steps=2"}));
  const std::string file = saved(dir, framed);
  const Datasets plain = open_datasets(student_of(file, kEvents), "");
  EXPECT_TRUE(torch::equal(teacher_outputs(*plain.train, 0), teacher_outputs(*plain.train, 1)));
  const Datasets moved = open_datasets(student_of(file, events_and({"events.roll=9"})), "");
  const Recipe moving = recipe_of(events_and({"steps=2", "events.roll=9"}));
  EXPECT_FALSE(torch::equal(teacher_outputs(*moved.train, 0), teacher_outputs(*moved.train, 1)));
  EXPECT_TRUE(torch::equal(teacher_outputs(*moved.train, 1), own_outputs(moving, file, true, 1)));
  EXPECT_TRUE(torch::equal(teacher_outputs(*moved.train, 0), own_outputs(moving, file, true, 0)));
  EXPECT_TRUE(torch::equal(teacher_outputs(*moved.test, 0), teacher_outputs(*moved.test, 1)));
}

TEST(Teacher, RefusesWhatDoesNotFit) {
  const TempDir dir;
  const auto refused = [](const Recipe& recipe) {
    return message_of<UsageError>([&] { open_datasets(recipe, ""); });
  };
  const auto expect = [&](const Recipe& recipe, const std::string& part) {
    const std::string message = refused(recipe);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  const std::string images = saved(dir, recipe_of()),
                    events = saved(dir, recipe_of(kEvents), "events.safetensors");
  expect(student_of(dir / "none"), "there is no file");
  expect(student_of(dir / "none"), "--set objective=rate_ce");
  expect(student_of(dir / "none.safetensors"), "there is no file");
  expect(student_of(images, kEvents), "takes steps of shape [1, 28, 28]");
  const Recipe moving = recipe_of({"data.name=motion-events", "network.spec=4C5s3-6", "data.train_size=12",
                                   "data.test_size=12", "events.recording_us=40000"});
  expect(student_of(saved(dir, moving, "motion.safetensors"), kEvents), "outputs of shape [6]");
  expect(student_of(saved(dir, recipe_of(events_and({"events.size=[17]"})), "small.safetensors"),
                    events_and({"events.flip=true"})),
         "of another size, [2, 17, 17] against [2, 34, 34]");
  Recipe wrong = student_of(images);
  wrong.teacher.sha256 = digest_file(events).sha256;
  expect(wrong, "these are not the weights that were learned from");
  wrong.teacher.sha256 = digest_file(images).sha256;
  EXPECT_NO_THROW(open_datasets(wrong, ""));
  write_file_atomic(dir / "text.safetensors", std::string("no weights"));
  EXPECT_THROW(open_datasets(student_of(dir / "text.safetensors"), ""), DataError);
}

TEST(Teacher, IsThereIfTheObjectiveLearnsFromOne) {
  const TempDir dir;
  const std::string file = saved(dir, recipe_of());
  const std::string message = message_of<UsageError>([] { experiment_of(student_of("")); });
  EXPECT_NE(message.find("set teacher.run"), std::string::npos) << message;
  const Experiment e = experiment_of(student_of(file));
  EXPECT_EQ(e.recipe.teacher.sha256, digest_file(file).sha256);
  EXPECT_EQ(e.training.config["teacher"]["sha256"], digest_file(file).sha256);
  EXPECT_NE(method_text(e.recipe).find("teacher " + file), std::string::npos);
  // Without such an objective it is not even opened.
  const Experiment idle = experiment_of(recipe_of({"teacher.run=none"}));
  EXPECT_FALSE(idle.training.data.train->has_teacher());
  EXPECT_EQ(idle.recipe.teacher.sha256, "");
  ASSERT_EQ(idle.training.caveats.size(), 1U);
  EXPECT_NE(idle.training.caveats[0].find("[teacher] has no effect"), std::string::npos);
}

/// One process's share of a distilled run, with augmentation, so that the teacher is asked in every epoch.
bool run_part(const Recipe& recipe, const std::string& path, bool resume, size_t stop_after) {
  Experiment experiment = experiment_of(recipe);
  RunDir dir(path, resume);
  StopAfter observer(stop_after == 0 ? SIZE_MAX : stop_after);
  RunSettings settings;
  settings.resume = resume;
  settings.observers = {&observer};
  settings.stop = &observer.stop;
  return run_training(experiment, &dir, settings).complete;
}

NamedTensors best_of(const std::string& run) {
  const SafetensorsFile file = open_checkpoint(run + "/ckpt/best.safetensors");
  NamedTensors tensors;
  for (const TensorEntry& entry : file.entries()) tensors.emplace_back(entry.name, to_tensor(entry));
  return tensors;
}

TEST(Teacher, StaysAsItIsAndResumedRunsKeepTheirBits) {
  const TempDir dir;
  const std::string file = saved(dir, recipe_of(events_and({"steps=2", "network.norm=bn"})));
  const std::string before = digest_file(file).sha256;
  const Recipe student = student_of(file, events_and({"steps=3", "events.roll=4", "epochs=3", "data.batch=4",
                                                      "train.checkpoint_batches=1"}));
  EXPECT_TRUE(run_part(student, dir / "whole", false, 0));
  EXPECT_FALSE(run_part(student, dir / "parts", false, 2));
  EXPECT_FALSE(run_part(student, dir / "parts", true, 3));
  EXPECT_TRUE(run_part(student, dir / "parts", true, 0));
  EXPECT_TRUE(same_tensors(best_of(dir / "whole"), best_of(dir / "parts")));
  EXPECT_EQ(digest_file(file).sha256, before);
  const Experiment drawn = experiment_of(student);
  EXPECT_FALSE(same_tensors(best_of(dir / "whole"), network_tensors(drawn.training.network())));

  // Another teacher in the same place is not the teacher of that run, and one that moved is.
  EXPECT_FALSE(run_part(student, dir / "other", false, 2));
  std::filesystem::copy_file(file, dir / "moved.safetensors");
  saved(dir, recipe_of(events_and({"steps=2", "network.norm=bn", "seed=99"})));
  const std::string message = message_of<UsageError>([&] { run_part(student, dir / "other", true, 0); });
  EXPECT_NE(message.find("teacher.sha256 was"), std::string::npos) << message;
  Recipe again = student;
  again.teacher.run = dir / "moved.safetensors";
  EXPECT_TRUE(run_part(again, dir / "other", true, 0));
  EXPECT_TRUE(same_tensors(best_of(dir / "whole"), best_of(dir / "other")));
}

}  // namespace spiketrain::teacher_test
