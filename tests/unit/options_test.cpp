// Options, parts and their registry, on parts of this file: what a recipe or a caller may hand over, and that a part
// writes down what it was made from.
#include "spiketrain/base/options.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "spiketrain/base/registry.h"

namespace spiketrain {

/// An interface with parts for these tests only.
struct Toy : Part {
  virtual int64_t size() const = 0;
};
ST_DEFINE_REGISTRY(Toy, "toy")

namespace {

struct Box final : Toy {
  static constexpr const char* kDoc = "a box";
  int64_t low = 0, high = 10;
  double weight = 0.5;
  bool open = false;
  std::string color = "red";
  std::vector<int64_t> sides = {1, 2};
  std::vector<double> prices;
  std::vector<std::string> labels = {"up"};
  template <class V>
  void visit(V& v) {
    v(low, "low", "least", Range{-5, 1e18});
    v(high, "high", "most");
    v(weight, "weight", "of the box", Range{0, 1}, OnResume::may_change);
    v(open, "open", "whether it is open");
    v(color, "color", "of the box", Choices{{"red", "green"}});
    v(sides, "sides", "lengths");
    v(prices, "prices", "what it costs");
    v(labels, "labels", "texts on it");
  }
  void check() override {
    ++checked;
    ST_CHECK(low <= high, "box: expected low <= high, got ", low, " and ", high);
  }
  int64_t size() const override { return high - low; }
  int checked = 0;
};
ST_REGISTER(Toy, "box", Box);

struct Crate final : Toy {
  static constexpr const char* kDoc = "a toy with toys in it";
  Config inside = {{"name", "box"}};
  Config beside = nullptr;
  template <class V>
  void visit(V& v) {
    v(inside, "inside", "what it holds", OnePart<Toy>{});
    v(beside, "beside", "what stands beside it", OnePart<Toy>{"none"}, OnResume::may_change);
  }
  int64_t size() const override { return make<Toy>(inside)->size(); }
};
ST_REGISTER(Toy, "crate", Crate);

/// Message of the UsageError that f throws; a test failure if it throws none.
template <class F>
std::string usage_error(F&& f) {
  try {
    f();
  } catch (const UsageError& error) {
    return error.what();
  }
  ADD_FAILURE() << "expected a UsageError";
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Registry<Toy>& toys() { return Registry<Toy>::get(); }

TEST(Options, ErrorsKeepOneLineAndKnowTheirPlace) {
  const int before = __LINE__;
  try {
    ST_CHECK(before < 0, "two\nlines: ", 3);
    FAIL() << "expected a UsageError";
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "two lines: 3");
    EXPECT_TRUE(contains(error.file, "options_test.cpp")) << error.file;
    EXPECT_EQ(error.line, before + 2);
  }
  try {
    throw UsageError("thrown by hand");
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "thrown by hand");
    EXPECT_TRUE(contains(error.file, "options_test.cpp")) << error.file;
    EXPECT_EQ(error.line, before + 10);
  }
}

TEST(Options, ANameIsRegisteredOnce) {
  const Trial trial;
  EXPECT_FALSE((register_type<Toy, Box>("box")));  // a static object must not throw
  ASSERT_EQ(trial.problems().size(), 1u);
  EXPECT_EQ(trial.problems()[0], "toy 'box' is registered already; give this one another name");
  EXPECT_EQ(toys().names(), (std::vector<std::string>{"box", "crate"}));  // and nothing was added
}

TEST(Options, ATrialTakesBackWhatItRegistered) {
  {
    const Trial trial;
    EXPECT_TRUE((register_type<Toy, Box>("chest")));
    EXPECT_TRUE(make<Toy>("chest"));
  }
  EXPECT_EQ(toys().names(), (std::vector<std::string>{"box", "crate"}));
}

TEST(Options, OurOwnMistakesAreThrown) {
  const auto fail = [] { ST_ASSERT(1 > 2); };
  EXPECT_THROW(fail(), InternalError);
}

TEST(Options, AnUnknownNameIsAnsweredWithTheNearest) {
  const std::string message = usage_error([] { make<Toy>("bix"); });
  EXPECT_TRUE(contains(message, "did you mean 'box'?")) << message;
  EXPECT_TRUE(contains(message, "Available: box, crate")) << message;
  EXPECT_TRUE(contains(usage_error([] { make<Toy>(Config{{"low", 1}}); }), "expected name"));
  EXPECT_TRUE(contains(usage_error([] { make<Toy>(Config{{"name", 3}}); }), "expected name"));
  EXPECT_TRUE(contains(usage_error([] { make<Toy>(Config("box")); }), "expected name"));
  EXPECT_TRUE(contains(usage_error([] { make<Toy>("box", {{"hihg", 1}}); }), "did you mean 'high'?"));
}

TEST(Options, MakingAndResolvingRunCheck) {
  const Config bad = {{"name", "box"}, {"low", 3}, {"high", 2}};
  for (const std::string& message :
       {usage_error([&] { make<Toy>(bad); }), usage_error([&] { toys().resolve(bad); }), usage_error([&] {
          make<Toy>("crate", {{"inside", bad}});
        })}) {
    EXPECT_TRUE(contains(message, "expected low <= high, got 3 and 2")) << message;
  }
  const auto box = std::dynamic_pointer_cast<Box>(make<Toy>("box"));
  ASSERT_TRUE(box);
  EXPECT_EQ(box->checked, 1);
}

TEST(Options, ResolvingAddsEveryDefault) {
  const Config resolved = toys().resolve({{"name", "box"}, {"weight", 1}});
  EXPECT_EQ(resolved, (Config{{"name", "box"},
                              {"low", 0},
                              {"high", 10},
                              {"weight", 1.0},
                              {"open", false},
                              {"color", "red"},
                              {"sides", {1, 2}},
                              {"prices", Config::array()},
                              {"labels", Config::array({"up"})}}));
  EXPECT_EQ(toys().resolve(resolved), resolved);
}

TEST(Options, IntegersThatDoNotFitAreRefused) {
  constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
  for (const uint64_t value : {kMost + 1, std::numeric_limits<uint64_t>::max()}) {
    const std::string alone = usage_error([&] { make<Toy>("box", {{"high", value}}); });
    EXPECT_TRUE(contains(alone, "high: expected an integer")) << alone;
    const std::string listed = usage_error([&] {
      make<Toy>("box", {{"sides", Config::array({Config(1), Config(value)})}});
    });
    EXPECT_TRUE(contains(listed, "sides: expected a list of integers")) << listed;
  }
  EXPECT_EQ(make<Toy>("box", {{"high", kMost}})->config().at("high"), kMost);  // unsigned, but it fits
  EXPECT_EQ(make<Toy>("box", {{"low", -5}})->size(), 15);
  EXPECT_TRUE(contains(usage_error([] { make<Toy>("box", {{"low", -6}}); }), "expected a value in [-5"));
  EXPECT_TRUE(contains(usage_error([] { make<Toy>("box", {{"low", 1.5}}); }), "expected an integer"));
}

TEST(Options, ValuesOfAWrongTypeAreRefused) {
  const auto message = [](const char* key, const Config& value) {
    return usage_error([&] { make<Toy>("box", {{key, value}}); });
  };
  EXPECT_TRUE(contains(message("weight", "much"), "weight: expected a number"));
  EXPECT_TRUE(contains(message("weight", 2), "weight: expected a value in [0, 1]"));
  EXPECT_TRUE(
      contains(message("weight", std::numeric_limits<double>::quiet_NaN()), "expected a finite number"));
  EXPECT_TRUE(contains(message("open", 1), "open: expected true or false"));
  EXPECT_TRUE(contains(message("color", 1), "color: expected a string"));
  EXPECT_TRUE(contains(message("color", "grean"), "did you mean 'green'?"));
  EXPECT_TRUE(contains(message("prices", 1), "prices: expected a list of numbers"));
}

TEST(Options, ListsOfStrings) {
  const auto labels = [](const Config& value) {
    return make<Toy>("box", {{"labels", value}})->config().at("labels");
  };
  EXPECT_EQ(labels(Config::array({"a", "b c"})), Config::array({"a", "b c"}));
  EXPECT_EQ(labels(Config::array()), Config::array());
  EXPECT_EQ(make<Toy>("box")->config().at("labels"), Config::array({"up"}));
  for (const Config& bad : {Config("a"), Config::array({Config("a"), Config(1)}), Config{{"a", "b"}}}) {
    EXPECT_TRUE(contains(usage_error([&] { labels(bad); }), "labels: expected a list of strings")) << bad;
  }
}

TEST(Options, APartMayBeGivenByNameOrAsATable) {
  const Config box = toys().resolve({{"name", "box"}});
  EXPECT_EQ(make<Toy>("crate")->config(), (Config{{"name", "crate"}, {"inside", box}, {"beside", "none"}}));
  EXPECT_EQ(make<Toy>("crate", {{"inside", "box"}})->config().at("inside"), box);
  const auto filled = make<Toy>("crate", {{"inside", {{"name", "box"}, {"high", 3}}}, {"beside", "crate"}});
  EXPECT_EQ(filled->size(), 3);
  EXPECT_EQ(filled->config().at("inside"), toys().resolve({{"name", "box"}, {"high", 3}}));
  EXPECT_EQ(filled->config().at("beside"), toys().resolve({{"name", "crate"}}));

  for (const Config& none : {Config("none"), Config{{"name", "none"}}, Config()}) {
    EXPECT_EQ(make<Toy>("crate", {{"beside", none}})->config().at("beside"), "none") << none;
  }
  EXPECT_TRUE(contains(usage_error([] { make<Toy>("crate", {{"inside", "none"}}); }), "unknown toy 'none'"));
  EXPECT_TRUE(contains(usage_error([] {
                         make<Toy>("crate", {{"inside", {{"name", "box"}, {"x", 1}}}});
                       }),
                       "unknown option 'x'"));
  for (const Config& bad : {Config(3), Config::array({"box"}), Config{{"high", 3}}}) {
    EXPECT_TRUE(contains(usage_error([&] {
                           make<Toy>("crate", {{"inside", bad}});
                         }),
                         "expected name"))
        << bad;
  }
}

TEST(Options, AnEqualPartCanBeMadeFromWhatAPartWrites) {
  const Config given = {{"name", "crate"},
                        {"inside", {{"name", "box"}, {"low", -2}, {"labels", Config::array()}}},
                        {"beside", {{"name", "crate"}, {"inside", "box"}}}};
  const auto first = make<Toy>(given);
  const auto second = make<Toy>(first->config());
  EXPECT_EQ(first->part_name(), "crate");
  EXPECT_EQ(second->config(), first->config());
  EXPECT_EQ(second->size(), 12);

  const auto box = make<Toy>("box");
  std::dynamic_pointer_cast<Box>(box)->high = 7;  // the present value, not the one it was made with
  EXPECT_EQ(make<Toy>(box->config())->size(), 7);

  const Box by_hand;
  EXPECT_EQ(by_hand.part_name(), "");
  EXPECT_TRUE(contains(usage_error([&] { by_hand.config(); }), "not made by a registry"));
}

TEST(Options, AreListedWithTypesAndDefaults) {
  const std::vector<OptionDoc> box = toys().find("box").options();
  std::vector<std::string> types;
  for (const OptionDoc& option : box) types.push_back(option.type);
  EXPECT_EQ(types, (std::vector<std::string>{"integer", "integer", "number", "bool", "string", "integers",
                                             "numbers", "strings"}));
  EXPECT_EQ(box[2].allowed, "[0, 1]");
  EXPECT_EQ(box[2].resume, OnResume::may_change);
  EXPECT_EQ(box[1].resume, OnResume::must_match);
  EXPECT_EQ(box[4].allowed, "red | green");
  EXPECT_EQ(box[7].default_value, Config::array({"up"}));

  const std::vector<OptionDoc> crate = toys().find("crate").options();
  EXPECT_EQ(crate[0].type, "toy");
  EXPECT_EQ(crate[0].allowed, "box | crate");
  EXPECT_EQ(crate[0].default_value, (Config{{"name", "box"}}));
  EXPECT_EQ(crate[1].allowed, "none | box | crate");
  EXPECT_EQ(crate[1].default_value, "none");
  EXPECT_EQ(crate[1].resume, OnResume::may_change);
}

}  // namespace
}  // namespace spiketrain
