// The parser of the network notation: every token, every error, and mutated strings.
#include <gtest/gtest.h>

#include "spiketrain/base/check.h"
#include "spiketrain/base/rng.h"
#include "spiketrain/parts/networks/notation.h"

namespace spiketrain::spec_notation_test {

using Kind = Token::Kind;

std::string echo(const std::string& spec) {
  std::string result;
  for (const Token& token : parse_notation(spec)) result += (result.empty() ? "" : "-") + to_string(token);
  return result;
}

std::string error(const std::string& spec) {
  try {
    parse_notation(spec);
  } catch (const UsageError& e) {
    return e.what();
  }
  return "no error";
}

TEST(SpecNotation, ReadsThePapersNotation) {
  const auto tokens = parse_notation("15C5-P2-40C5p2s3-MP3-D0.2-300-RB64s2-SEW8-GAP");
  ASSERT_EQ(tokens.size(), 9u);
  EXPECT_EQ(tokens[0].kind, Kind::conv);
  EXPECT_EQ(tokens[0].size, 15);
  EXPECT_EQ(tokens[0].kernel, 5);
  EXPECT_EQ(tokens[0].padding, -1);
  EXPECT_EQ(tokens[0].stride, 1);
  EXPECT_EQ(tokens[1].kind, Kind::pool);
  EXPECT_EQ(tokens[1].size, 2);
  EXPECT_EQ(tokens[1].pool, 0);
  EXPECT_EQ(tokens[2].padding, 2);
  EXPECT_EQ(tokens[2].stride, 3);
  EXPECT_EQ(tokens[3].pool, 'M');
  EXPECT_EQ(tokens[3].size, 3);
  EXPECT_EQ(tokens[4].kind, Kind::dropout);
  EXPECT_DOUBLE_EQ(tokens[4].probability, 0.2);
  EXPECT_EQ(tokens[5].kind, Kind::linear);
  EXPECT_EQ(tokens[5].size, 300);
  EXPECT_EQ(tokens[6].kind, Kind::basic_unit);
  EXPECT_EQ(tokens[6].stride, 2);
  EXPECT_EQ(tokens[7].kind, Kind::sew_unit);
  EXPECT_EQ(tokens[7].stride, 1);
  EXPECT_EQ(tokens[8].kind, Kind::global_average);
  EXPECT_EQ(tokens[8].index, 9u);
  EXPECT_FALSE(tokens[5].recurrent);
  const auto recurrent = parse_notation("2x(128R)-10r-4C3");
  ASSERT_EQ(recurrent.size(), 4u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(recurrent[i].kind, Kind::linear);
    EXPECT_TRUE(recurrent[i].recurrent);
  }
  EXPECT_EQ(recurrent[1].size, 128);
  EXPECT_FALSE(recurrent[3].recurrent);
  const auto narrow = parse_notation("128R1-8C5s2r3p2");
  EXPECT_TRUE(narrow[0].recurrent && narrow[1].recurrent);
  EXPECT_EQ(narrow[0].recurrent_kernel, 1);
  EXPECT_EQ(narrow[1].recurrent_kernel, 3);
  EXPECT_EQ(narrow[1].padding, 2);
}

TEST(SpecNotation, EchoesCanonically) {
  EXPECT_EQ(echo("15C5-P2-40C5-P2-300-10"), "15C5-P2-40C5-P2-300-10");
  EXPECT_EQ(echo(" 15c5 - p2 -\t40c5s1p0-sp2-gap-d.25-10 "), "15C5-P2-40C5p0-SP2-GAP-D0.25-10");
  EXPECT_EQ(echo("15c5p2-p2-10"), "15C5p2-P2-10");
  EXPECT_EQ(echo("3x(64C3p1)-AP2-2x( 400-D0.5 )-10"), "64C3p1-64C3p1-64C3p1-AP2-400-D0.5-400-D0.5-10");
  EXPECT_EQ(echo("rb64s2-sew64-D0.00001-007"), "RB64s2-SEW64-D0.00001-7");
  EXPECT_EQ(echo("d.6654656565-10"), "D0.6654656565-10");  // found by fuzzing: the echo was refused
  EXPECT_EQ(echo("D0.6654656565-10"), "D0.6654656565-10");
  EXPECT_EQ(echo("128r-2x(20R)-10"), "128R-20R-20R-10");
  EXPECT_EQ(echo("12r1-8C5s2r3p2-10"), "12R1-8C5p2s2R3-10");
  EXPECT_EQ(parse_notation("2x(4C3-P2)")[3].index, 4u);
}

TEST(SpecNotation, ErrorsNameTheTokenAndTheColumn) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"15C5-Q2-10",
       "network spec \"15C5-Q2-10\": token 2 \"Q2\": unknown letter 'Q'; expected a convolution"},
      {"15C5-Q2-10", "(column 6)"},
      {"", "is empty"},
      {"  ", "is empty"},
      {"15C5--10", "token 2 \"\": nothing between two '-'"},
      {"15C5-", "token 2 \"\": nothing between two '-'"},
      {"-10", "token 1 \"\": nothing"},
      {"15C-10", "token 1 \"15C\": expected the kernel size, a number (column 4)"},
      {"15C64-10", "the kernel size is \"64\"; expected 1 to 63"},
      {"15C0-10", "the kernel size is \"0\""},
      {"0-10", "the number of neurons or maps is \"0\""},
      {"99999999999999999999999999-10", "expected 1 to 16777216"},
      {"70000C3", "the number of maps is 70000; expected 1 to 65536"},
      {"15C5q2", "unknown suffix 'q'"},
      {"15C5P2-10", "write 'p' for padding, or \"-P\" for pooling"},
      {"15C5S2-10", "write 's' for stride"},
      {"15C5p1p2", "'p' is given twice"},
      {"15C5s1s1", "'s' is given twice"},
      {"15C5p", "expected the padding, a number"},
      {"15C5s0", "the stride is \"0\""},
      {"15Y5", "unknown letter 'Y' after the number; expected C (convolution), R (recurrent) or nothing"},
      {"28x28-1000-10", "token 1 \"28x28\": a shape? The input is not written"},
      {"1x28x28-1000-10", "The input is not written"},
      {"28*28-10", "The input is not written"},
      {"128R2", "the width of the recurrence is \"2\"; expected 1 to 1"},
      {"128RR", "'R' is left over"},
      {"R128", "unknown letter 'R'"},
      {"15C5R", "expected the side of the recurrent kernel, a number"},
      {"15C5R2", "expected an odd side"},
      {"15C5R3R3", "'R' is given twice"},
      {"P", "expected the side of the pooling window, a number"},
      {"P0", "the side of the pooling window is \"0\""},
      {"P2x", "'x' is left over after \"P2\""},
      {"QP2", "unknown letter 'Q'"},
      {"D", "expected the probability, as in D0.2"},
      {"D.", "expected the probability"},
      {"D1", "the probability is 1; expected a value in [0, 1)"},
      {"D0.2.3", "'.' is left over"},
      {"D0.22222222222", "too many digits"},
      {"RB", "expected the number of maps, a number"},
      {"RB64p1", "'p' is left over"},
      {"SEW64s", "expected the stride, a number"},
      {"GAP2", "'2' is left over after \"GAP\""},
      {"15C5 P2", "expected '-' before the next token (column 6)"},
      {"3x(64C3", "the repetition has no closing ')'"},
      {"3x(64C3))", "expected '-' before the next token"},
      {"3x()", "nothing between two '-'"},
      {"0x(64C3)", "expected 1 to 1000 repetitions"},
      {"99999999999999999999x(64C3)", "expected 1 to 1000 repetitions"},
      {"900x(64C3-P2)", "more than 1000 tokens"},
      {"2x(3x(64C3))", "repetitions do not nest"},
      {"64C3)", "')' without a repetition"},
      {"64C3(2)", "'(' without a repetition"},
  };
  for (const auto& [spec, expected] : cases) {
    const std::string message = error(spec);
    EXPECT_NE(message.find(expected), std::string::npos)
        << spec << "\n  gave: " << message << "\n  not: " << expected;
    EXPECT_EQ(message.find('\n'), std::string::npos) << spec;
  }
  EXPECT_NE(error(std::string(5000, '1')).find("at most 4096"), std::string::npos);
  EXPECT_LT(error(std::string(5000, '1')).size(), 400u);
  EXPECT_NE(error(std::string("15C5-\x01\n\xff")).find("\"???\""), std::string::npos);
  EXPECT_NE(error(std::string("15C5\0", 5)).find("is left over"), std::string::npos);
}

TEST(SpecNotation, MutatedStringsParseOrThrowUsageError) {
  const std::string seeds[] = {"15C5-P2-40C5p2s1-P2-300-10", "3x(64C3)-AP2-D0.25-SEW64s2-RB8-GAP-20R-10"};
  const std::string alphabet = std::string("0123456789CPDRBSEWGAxps()-. ", 28) + '\0' + '\xff';
  Rng rng(7, Purpose::test);
  int parsed = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string spec = seeds[round % 2];
    for (uint64_t n = 1 + rng.below(4); n > 0; --n) {
      const size_t at = rng.below(spec.size() + 1);
      const char c = alphabet[rng.below(alphabet.size())];
      const uint64_t what = rng.below(3);
      if (what == 0) {
        spec.insert(at, 1, c);
      } else if (what == 1) {
        spec.erase(at, 1);
      } else if (at < spec.size()) {
        spec[at] = c;
      }
    }
    try {
      const auto tokens = parse_notation(spec);
      ASSERT_LE(tokens.size(), kMaxTokens);
      const std::string once = echo(spec);
      EXPECT_EQ(echo(once), once) << spec;
      ++parsed;
    } catch (const UsageError&) {
    }
  }
  EXPECT_GT(parsed, 1000);
}

}  // namespace spiketrain::spec_notation_test
