// Small runs on built-in data, for tests of reports; and a check of pages.
#pragma once
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "spiketrain/recipe/experiment.h"
#include "spiketrain/recipe/memory.h"
#include "spiketrain/recipe/toml.h"
#include "spiketrain/train/environment.h"
#include "spiketrain/train/trainer.h"
#include "tests/support/process.h"
#include "tests/support/runs.h"

namespace spiketrain {

/// Trains as `spiketrain train` does; `stop_after` batches, 0: to its end.  `given`: instead of the recipe's data.
inline void train_for_report(const std::string& path, const std::vector<std::string>& sets,
                             size_t stop_after = 0, const std::optional<Datasets>& given = {}) {
  Config config = {
      {"title", "drawn <digits> & \"more\""},
      {"steps", 4},
      {"epochs", 2},
      {"data",
       {{"name", "glyphs"}, {"batch", 20}, {"train_size", 120}, {"test_size", 60}, {"validation", 20}}},
      {"network", {{"name", "spec"}, {"spec", "4C5-P2-10"}}},
      {"neuron", {{"name", "psp_lif"}}},
      {"rule", {{"name", "tssl_bp"}}},
      {"objective", {{"name", "van_rossum"}}},
      {"train", {{"clip_norm", 1.0}}}};
  for (const std::string& set : sets) apply_set(config, set);
  const Recipe recipe = make_recipe(config);
  Experiment experiment = build_experiment(recipe, given ? *given : open_datasets(recipe, ""));
  RunDir dir(path, false);
  StopAfter stop(stop_after == 0 ? SIZE_MAX : stop_after);
  CostObserver cost(recipe);
  TrainerOptions options;
  options.run_dir = &dir;
  options.observers = {&stop, &cost};
  options.stop = &stop.stop;
  options.environment = environment("test");
  dir.write_text("config.toml", write_toml(experiment.training.config));
  dir.write_json("environment.json", options.environment);
  EXPECT_EQ(Trainer(experiment.training, options).run(), stop_after == 0);
}

/// Parses a page as XML with Python: exit code 0 if it is well-formed, uses no other resource, every picture has a title and a
/// description or a text in its place, every table heading rows, and no number is none.
inline void expect_sound_page(const std::string& html) {
  static constexpr const char* kCheck = R"py(
import html.parser, sys, xml.etree.ElementTree as tree
text = open(sys.argv[1], encoding='utf-8').read()
root = tree.fromstring(text)
for element in root.iter():
    assert element.tag not in ('script', 'link', 'iframe', 'object'), element.tag
    assert not {'onload', 'onclick', 'style'} & set(element.attrib), element.attrib
    assert element.get('src', 'data:').startswith('data:image/png;base64,') or element.tag != 'img', element.attrib
    assert element.get('href', '#').startswith('#'), element.attrib
    if element.tag == 'img':
        assert element.get('alt')
    if element.tag == 'svg' and element.get('aria-hidden') is None:
        assert element.get('role') == 'img' and element.find('title').text and element.find('desc').text
levels = [int(e.tag[1]) for e in root.iter() if e.tag in ('h1', 'h2', 'h3', 'h4')]
assert levels[0] == 1 and levels.count(1) == 1
ids = [e.get('id') for e in root.iter() if e.get('id')]
assert len(ids) == len(set(ids))
for e in root.iter('a'):
    assert e.get('href')[1:] in ids
for word in ('http', 'url(', '@import', '>nan', '>inf', '"nan', 'NaN '):
    assert word not in text, word
html.parser.HTMLParser().feed(text)
)py";
  const TempDir dir;
  write_file_atomic(dir / "page.html", html);
  const pid_t child = spawn({"/usr/bin/env", "python3", "-c", kCheck, dir / "page.html"}, dir / "log");
  EXPECT_EQ(wait_for(child), 0) << text_of(dir / "log");
}

}  // namespace spiketrain
