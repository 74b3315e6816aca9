// The recipes of this repository and network notations, damaged in a few thousand ways: reading returns
// something sound or throws UsageError or DataError with a message of one line.  Nothing is built, since a
// damaged number may well ask for gigabytes.  Deterministic; the failing text is printed.
#include <gtest/gtest.h>

#include <filesystem>

#include "spiketrain/core/encoder.h"
#include "spiketrain/core/head.h"
#include "spiketrain/core/learning_signal.h"
#include "spiketrain/core/network.h"
#include "spiketrain/core/objective.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/parts/networks/notation.h"
#include "spiketrain/recipe/recipe.h"
#include "spiketrain/recipe/toml.h"
#include "tests/support/mutation.h"

namespace spiketrain::recipe_mutation_test {

using Pieces = std::vector<std::string>;

/// The text cut behind every `end`.
Pieces split(const std::string& text, char end) {
  Pieces pieces(1);
  for (const char c : text) {
    pieces.back() += c;
    if (c == end) pieces.emplace_back();
  }
  return pieces;
}

const std::string& any_of(const Pieces& list, Rng& rng) { return list[rng.below(list.size())]; }

/// One random edit of whole pieces; `replace` makes a new piece of an old one.
void shuffle_pieces(Pieces& pieces, Rng& rng, const std::function<std::string(const std::string&)>& replace) {
  const size_t at = rng.below(pieces.size()), to = rng.below(pieces.size());
  switch (rng.below(8)) {
    case 0:
      std::swap(pieces[at], pieces[to]);
      break;
    case 1:
      pieces.insert(pieces.begin() + static_cast<int64_t>(to), std::string(pieces[at]));
      break;
    case 2:
      if (pieces.size() > 1) pieces.erase(pieces.begin() + static_cast<int64_t>(at));
      break;
    default:
      pieces[at] = replace(pieces[at]);
  }
}

std::string bytes_mutated(const std::string& text, Rng& rng) {
  Bytes bytes(text.begin(), text.end());
  mutate(bytes, rng);
  return std::string(bytes.begin(), bytes.end());
}

struct Outcome {
  int accepted = 0, refused = 0;
};

/// Reads one text; what it may throw, and how.
void try_text(const std::string& text, const std::function<void(const std::string&)>& read,
              Outcome& outcome) {
  std::string message;
  try {
    read(text);
    ++outcome.accepted;
    return;
  } catch (const UsageError& error) {
    message = error.what();
  } catch (const DataError& error) {
    message = error.what();
  } catch (const std::exception& error) {
    FAIL() << typeid(error).name() << ": " << error.what() << "\nfrom:\n" << text;
  }
  ++outcome.refused;
  ASSERT_FALSE(message.empty()) << text;
  ASSERT_EQ(message.find_first_of("\n\r"), std::string::npos)
      << "more than one line: " << message << "\nfrom:\n"
      << text;
}

/// `good` and `rounds` damaged versions of it, cut into pieces at `end` for every other one.
void attack_text(const std::string& good, uint64_t kind, uint64_t rounds, char end,
                 const std::function<std::string(const std::string&, Rng&)>& replace,
                 const std::function<void(const std::string&)>& read, Outcome& outcome) {
  ASSERT_NO_THROW(read(good)) << good;
  for (uint64_t i = 0; i < rounds && !::testing::Test::HasFatalFailure(); ++i) {
    Rng rng(kind, Purpose::test, 4, i);
    std::string text = good;
    for (uint64_t edits = 1 + rng.below(3); edits > 0; --edits) {
      if (i % 2 == 0) {
        text = bytes_mutated(text, rng);
        continue;
      }
      Pieces pieces = split(text, end);
      shuffle_pieces(pieces, rng, [&](const std::string& piece) { return replace(piece, rng); });
      text.clear();
      for (const std::string& piece : pieces) text += piece;
    }
    try_text(text, read, outcome);
  }
}

/// Another value or key in a line "key = value".
std::string damage_line(const std::string& line, Rng& rng) {
  static const Pieces values = {"-1",
                                "0",
                                "1e308",
                                "-0.0",
                                "9223372036854775807",
                                "9223372036854775808",
                                "0x7fffffff",
                                "inf",
                                "nan",
                                "true",
                                "1979-05-27T07:32:00Z",
                                "07:32:00",
                                "\"\"",
                                "\"two\\nlines\"",
                                "\"\\u0000\"",
                                "'''\ntwo\nlines'''",
                                "\"\xff\"",
                                "\"\\U0010FFFF\"",
                                "[]",
                                "[[]]",
                                "[0, 1]",
                                "[1e9, \"x\"]",
                                "{}",
                                "{name = \"lif\"}",
                                "[\"accuracy\", {name = \"top_k\"}]",
                                "{name = []}",
                                "\"all\"",
                                "\"spec\"",
                                "\"99999C99\"",
                                "\"1000x(65536C63)\"",
                                "\"tssl_bp\"",
                                "[1,,2]",
                                std::string(300, '['),
                                '"' + std::string(5000, '1') + '"'};
  static const Pieces keys = {
      "name",    "\"\"",       "\"two\\nlines\"", "\"\xc3\xa4\"",    "a.b.c",
      "size",    "[data]",     "[[data]]",        "[neuron.name]",   "[\"new\\nsection\"]",
      "metrics", "[rules]",    "[rules.readout]", "[learning_rate]", "[]",
      "=",       "data.batch", "neuron"};
  const size_t equals = line.find('=');
  if (equals == std::string::npos || rng.below(4) == 0)
    return any_of(keys, rng) + (equals == std::string::npos ? "\n" : line.substr(equals));
  return line.substr(0, equals + 1) + any_of(values, rng) + "\n";
}

/// What is accepted can be written out and read again, and its parts refuse or accept their options.
void read_recipe(const std::string& text) {
  const Config resolved = resolve(parse_recipe(text));
  const Config again = resolve(parse_recipe(write_toml(resolved), "again"));
  ASSERT_EQ(nlohmann::json::parse(resolved.dump()), nlohmann::json::parse(again.dump())) << text;
  make<Encoder>(resolved["encoder"]);
  make<NetworkBuilder>(resolved["network"]);
  make<Neuron>(resolved["neuron"]);
  make<Neuron>(resolved["readout"]);
  make<Rule>(resolved["rule"]);
  make<Schedule>(resolved["schedule"]);
  make<Feedback>(resolved["feedback"]);
  make<Head>(resolved["head"]);
  make<LearningSignal>(resolved["learning_signal"]);
  make<Objective>(resolved["objective"]);
  make<Optimizer>(resolved["optimizer"]);
  make<LearningRate>(resolved["learning_rate"]);
  for (const Config& metric : resolved["metrics"]) make<Metric>(metric);
}

TEST(RecipeMutation, RecipesAreReadOrRefusedInOneLine) {
  Outcome outcome;
  uint64_t kind = 50;
  Pieces paths;
  for (const auto& entry : std::filesystem::directory_iterator(ST_SOURCE_DIR "/recipes")) {
    if (entry.path().extension() == ".toml") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());  // the order of a folder is the file system's own
  ASSERT_GE(paths.size(), 10U);
  for (const std::string& path : paths) {
    SCOPED_TRACE(path);
    const Bytes bytes = read_file(path);
    attack_text({bytes.begin(), bytes.end()}, kind++, 400, '\n', damage_line, read_recipe, outcome);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(outcome.accepted, 500) << "the edits break everything";
  EXPECT_GT(outcome.refused, 2000) << "the edits do not reach the checks";
}

TEST(RecipeMutation, NestingIsBounded) {
  Outcome outcome;
  for (const size_t depth : {20, 200, 2000, 100000}) {
    std::string dotted = "a", tables;
    for (size_t i = 1; i < depth; ++i) dotted += ".a";
    for (size_t i = 1; i < std::min<size_t>(depth, 1000); ++i)
      tables += "[" + dotted.substr(0, 2 * i - 1) + "]\n";
    for (const std::string& text :
         {dotted + " = 1", "[" + dotted + "]", "[[" + dotted + "]]", tables,
          "a = " + std::string(depth, '[') + std::string(depth, ']'), "a = " + std::string(depth, '{')}) {
      SCOPED_TRACE(str("depth ", depth, ", ", text.substr(0, 10)));
      try_text(
          text, [](const std::string& t) { write_toml(parse_toml(t, "deep")); }, outcome);
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_EQ(outcome.accepted, 5);  // all of depth 20 but the open brace
}

/// A number or a letter of a token made another, or the token repeated.
std::string damage_token(const std::string& token, Rng& rng) {
  static const Pieces numbers = {
      "0",     "00",       "1",        "7",  "63",  "64", "65536", "65537",
      "99999", "16777216", "16777217", "0.", ".99", "1.", "-1",    "99999999999999999999"};
  static const Pieces tokens = {"99999C99-", "1C1p0s1-",     "65536C63p63s63-",
                                "P0-",       "MP63-",        "D0.9999999999-",
                                "D1-",       "1000x(1)-",    "1001x(1)-",
                                "2x(",       ")-",           "x(",
                                "GAP-",      "SEW65536s63-", "RB0-",
                                "gap-",      "\x01\n-",      "10"};
  const size_t from = token.find_first_of("0123456789");
  switch (rng.below(4)) {
    case 0:
      return any_of(tokens, rng);
    case 1:
      return std::to_string(rng.below(600)) + "x(" + token.substr(0, token.find('-')) + ")-";
    default:
      if (from == std::string::npos) return any_of(tokens, rng);
      const size_t to = std::min(token.size(), token.find_first_not_of("0123456789.", from));
      return token.substr(0, from) + any_of(numbers, rng) + token.substr(to);
  }
}

/// What is accepted is bounded, and its echo reads the same.
void read_notation(const std::string& text) {
  const auto echo = [](const std::string& spec) {
    const std::vector<Token> tokens = parse_notation(spec);
    EXPECT_LE(tokens.size(), kMaxTokens);
    std::string result;
    for (const Token& token : tokens) result += (result.empty() ? "" : "-") + to_string(token);
    return result;
  };
  const std::string once = echo(text);
  if (once.size() > kMaxNotationLength) return;  // repetitions are written out
  ASSERT_EQ(echo(once), once) << text;
}

TEST(RecipeMutation, NotationsAreReadOrRefusedInOneLine) {
  Outcome outcome;
  uint64_t kind = 80;
  for (const char* spec :
       {"15C5-P2-40C5-P2-300-10", "32C5p2s1-3x(64C3-AP2)-MP3-D0.25-10", "64C3p1-SEW64-SEW128s2-GAP-D0.5-10",
        "16C3-RB16-2x(RB32s2)-10C1-GAP", "800-D0.1-10", "10"}) {
    attack_text(spec, kind++, 800, '-', damage_token, read_notation, outcome);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(outcome.accepted, 500);
  EXPECT_GT(outcome.refused, 1000);
}

}  // namespace spiketrain::recipe_mutation_test
