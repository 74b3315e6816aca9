// Recursive descent over the string; every number is bounded while it is read.
//   list  := item ('-' item)*        item := number 'x' '(' list ')' | token        (repetitions do not nest)
#include "spiketrain/parts/networks/notation.h"

#include <cctype>
#include <cstdio>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

constexpr const char* kForms =
    "a convolution like 15C5 (15C5p2s1), pooling P2 (SP2, AP2, MP2), a number of neurons like 300 "
    "(recurrent: 300R, 300R1, 15C5R3), D0.2, RB64, SEW64, GAP, POP10 or a repetition like 3x(64C3)";

/// Tokens that begin with letters; of two that fit, the first counts.
struct Word {
  const char* letters;
  Token::Kind kind;
  char pool = 0;
};
constexpr Word kWords[] = {
    {"GAP", Token::Kind::global_average}, {"POP", Token::Kind::population}, {"SEW", Token::Kind::sew_unit},
    {"RB", Token::Kind::basic_unit},      {"SP", Token::Kind::pool, 'S'},   {"AP", Token::Kind::pool, 'A'},
    {"MP", Token::Kind::pool, 'M'},       {"P", Token::Kind::pool},         {"D", Token::Kind::dropout},
};

char upper(char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); }
bool digit(char c) { return c >= '0' && c <= '9'; }

/// `text` with anything but printable ASCII replaced, cut to a length fit for one line.
std::string quoted(const std::string& text, size_t limit) {
  std::string result;
  for (char c : text.substr(0, limit)) result += c >= ' ' && c <= '~' ? c : '?';
  return '"' + result + (text.size() > limit ? "..." : "") + '"';
}
/// "D0.2": as many decimals as needed, never an exponent.
std::string dropout_notation(double probability) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.10f", probability);
  std::string text = digits;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return 'D' + text;
}
std::string quoted_spec(const std::string& spec) { return "network spec " + quoted(spec, 200); }

/// Reads one token's text from left to right.
class TokenReader {
 public:
  TokenReader(const std::string& spec, std::string text, size_t index, size_t column)
      : spec_(spec), column_(column) {
    token_.text = std::move(text);
    token_.index = index;
  }

  Token read() {
    const std::string& text = token_.text;
    if (text.empty()) fail("nothing between two '-'; expected " + std::string(kForms));
    if (digit(text[0])) {
      read_number_first();
    } else {
      read_word_first();
    }
    if (at_ < text.size())
      fail(str("'", shown(text[at_]), "' is left over after ", quoted(text.substr(0, at_), 40)));
    return token_;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw UsageError(token_error(spec_, token_, str(what, " (column ", column_ + at_ + 1, ")")));
  }
  static char shown(char c) { return c >= ' ' && c <= '~' ? c : '?'; }
  char peek() const { return at_ < token_.text.size() ? token_.text[at_] : '\0'; }

  /// Passes over `letters` if they come next.
  bool word(const std::string& letters) {
    for (size_t i = 0; i < letters.size(); ++i) {
      if (at_ + i >= token_.text.size() || upper(token_.text[at_ + i]) != letters[i]) return false;
    }
    at_ += letters.size();
    return true;
  }

  /// An integer in [low, high].
  int64_t number(const char* meaning, int64_t low, int64_t high) {
    if (!digit(peek())) fail(str("expected the ", meaning, ", a number"));
    const size_t start = at_;
    int64_t value = 0;
    for (; digit(peek()); ++at_) {
      if (value <= high) value = value * 10 + (peek() - '0');
    }
    if (value < low || value > high) {
      const std::string given = quoted(token_.text.substr(start, at_ - start), 20);
      at_ = start;
      fail(str("the ", meaning, " is ", given, "; expected ", low, " to ", high));
    }
    return value;
  }

  void read_word_first() {
    for (const Word& known : kWords) {
      if (!word(known.letters)) continue;
      token_.kind = known.kind;
      token_.pool = known.pool;
      if (known.kind == Token::Kind::pool) token_.size = number("side of the pooling window", 1, kMaxKernel);
      if (known.kind == Token::Kind::population)
        token_.size = number("number of neurons in a group", 1, kMaxNeurons);
      if (known.kind == Token::Kind::dropout) dropout();
      if (known.kind == Token::Kind::basic_unit || known.kind == Token::Kind::sew_unit) unit();
      return;
    }
    fail(std::string("unknown letter '") + shown(token_.text[0]) + "'; expected " + kForms);
  }

  void read_number_first() {
    token_.size = number("number of neurons or maps", 1, kMaxNeurons);
    if (peek() == '\0') return;  // fully connected
    if (word("R")) {
      token_.recurrent = true;
      if (digit(peek())) token_.recurrent_kernel = number("width of the recurrence", 1, 1);
    } else if (upper(peek()) == 'C') {
      convolution();
    } else if (upper(peek()) == 'X' || peek() == '*') {
      fail("a shape? The input is not written: begin with the first layer; a repetition is written 3x(64C3)");
    } else {
      fail(std::string("unknown letter '") + shown(peek()) +
           "' after the number; expected C (convolution), R (recurrent) or nothing (fully connected)");
    }
  }

  void convolution() {
    if (token_.size > kMaxMaps) {
      at_ = 0;
      fail(str("the number of maps is ", token_.size, "; expected 1 to ", kMaxMaps));
    }
    ++at_;
    token_.kind = Token::Kind::conv;
    token_.kernel = number("kernel size", 1, kMaxKernel);
    bool strided = false;
    while (peek() != '\0') {
      const char suffix = peek();
      if (suffix == 'P' || suffix == 'S') {
        fail(str("write '", suffix == 'P' ? 'p' : 's', "' for ", suffix == 'P' ? "padding" : "stride",
                 suffix == 'P' ? ", or \"-P\" for pooling" : ""));
      }
      if (upper(suffix) == 'R') {
        recurrence();
        continue;
      }
      if (suffix != 'p' && suffix != 's') {
        fail(std::string("unknown suffix '") + shown(suffix) +
             "'; expected p (padding), s (stride) or R (recurrent kernel)");
      }
      if (suffix == 'p' ? token_.padding >= 0 : strided) fail(str("'", suffix, "' is given twice"));
      ++at_;
      if (suffix == 'p') {
        token_.padding = number("padding", 0, kMaxKernel);
      } else {
        token_.stride = number("stride", 1, kMaxKernel);
        strided = true;
      }
    }
  }

  void recurrence() {
    if (token_.recurrent) fail("'R' is given twice");
    ++at_;
    const size_t start = at_;
    token_.recurrent = true;
    token_.recurrent_kernel = number("side of the recurrent kernel", 1, kMaxKernel);
    if (token_.recurrent_kernel % 2 == 0) {
      at_ = start;
      fail("the recurrent kernel keeps the size of the map; expected an odd side");
    }
  }

  void unit() {
    token_.size = number("number of maps", 1, kMaxMaps);
    if (peek() == 's' || peek() == 'S') {
      ++at_;
      token_.stride = number("stride", 1, kMaxKernel);
    }
  }

  void dropout() {
    const size_t start = at_;
    double value = 0, place = 1;
    bool point = false;
    size_t first = at_;  // of the digits before or behind the point
    for (; digit(peek()) || (peek() == '.' && !point); ++at_) {
      if (peek() == '.') {
        point = true;
        first = at_ + 1;
        continue;
      }
      if (at_ - first >= 10) fail("the probability has too many digits");
      value = value * 10 + (peek() - '0');
      if (point) place *= 10;
    }
    if (at_ == start || (at_ == start + 1 && point)) fail("expected the probability, as in D0.2");
    token_.probability = value / place;
    if (token_.probability >= 1) {
      at_ = start;
      fail(str("the probability is ", token_.probability, "; expected a value in [0, 1)"));
    }
  }

  const std::string& spec_;
  size_t column_;
  size_t at_ = 0;
  Token token_;
};

class Parser {
 public:
  explicit Parser(const std::string& spec) : spec_(spec) {}

  std::vector<Token> parse() {
    if (spec_.size() > kMaxNotationLength) {
      throw UsageError(str(quoted_spec(spec_), ": ", spec_.size(), " characters; at most ",
                           kMaxNotationLength, " are allowed"));
    }
    skip_spaces();
    if (at_ == spec_.size()) {
      throw UsageError(str(quoted_spec(spec_), " is empty; expected e.g. \"15C5-P2-40C5-P2-300-10\""));
    }
    list(false);
    return std::move(tokens_);
  }

 private:
  bool at(char c) const { return at_ < spec_.size() && spec_[at_] == c; }
  void skip_spaces() {
    while (at(' ') || at('\t')) ++at_;
  }

  [[noreturn]] void fail(const std::string& text, const std::string& what) const {
    Token token;
    token.text = text;
    token.index = tokens_.size() + 1;
    throw UsageError(token_error(spec_, token, str(what, " (column ", at_ + 1, ")")));
  }

  /// Items up to the end, or up to the closing parenthesis of a repetition.
  void list(bool inside) {
    for (;;) {
      skip_spaces();
      item(inside);
      skip_spaces();
      if (at_ == spec_.size() || (inside && at(')'))) return;
      if (!at('-')) fail(spec_.substr(at_, 1), "expected '-' before the next token");
      ++at_;
    }
  }

  void item(bool inside) {
    size_t end = at_;
    while (end < spec_.size() && digit(spec_[end])) ++end;
    if (end > at_ && end + 1 < spec_.size() && upper(spec_[end]) == 'X' && spec_[end + 1] == '(') {
      if (inside) fail(spec_.substr(at_, end + 2 - at_), "repetitions do not nest");
      repetition(end);
      return;
    }
    end = spec_.find_first_of("- \t()", at_);
    if (end == std::string::npos) end = spec_.size();
    if (tokens_.size() >= kMaxTokens) fail("", str("more than ", kMaxTokens, " tokens"));
    const std::string text = spec_.substr(at_, end - at_);
    if (end < spec_.size() && (spec_[end] == '(' || (spec_[end] == ')' && !inside))) {
      at_ = end;
      fail(text, str("'", spec_[end], "' without a repetition like 3x(64C3)"));
    }
    tokens_.push_back(TokenReader(spec_, text, tokens_.size() + 1, at_).read());
    at_ = end;
  }

  /// at_ is on the count, `letter` on the 'x'.
  void repetition(size_t letter) {
    const std::string text = spec_.substr(at_, letter + 2 - at_);
    int64_t times = 0;
    for (size_t i = at_; i < letter; ++i) {
      if (times <= static_cast<int64_t>(kMaxTokens)) times = times * 10 + (spec_[i] - '0');
    }
    if (times < 1 || times > static_cast<int64_t>(kMaxTokens))
      fail(text, str("expected 1 to ", kMaxTokens, " repetitions"));
    at_ = letter + 2;
    const size_t first = tokens_.size();
    list(true);
    if (!at(')')) fail(text, "the repetition has no closing ')'");
    ++at_;
    const size_t last = tokens_.size();
    for (size_t i = first; i < last; ++i) tokens_[i].repeated = true;
    if (first + static_cast<size_t>(times) * (last - first) > kMaxTokens)
      fail(text, str("more than ", kMaxTokens, " tokens"));
    for (int64_t k = 1; k < times; ++k) {
      for (size_t i = first; i < last; ++i) {
        tokens_.push_back(tokens_[i]);
        tokens_.back().index = tokens_.size();
      }
    }
  }

  const std::string& spec_;
  size_t at_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> parse_notation(const std::string& spec) { return Parser(spec).parse(); }

std::string to_string(const Token& token) {
  const std::string stride = token.stride == 1 ? "" : str('s', token.stride);
  switch (token.kind) {
    case Token::Kind::conv:
      return str(token.size, 'C', token.kernel, token.padding < 0 ? "" : str('p', token.padding), stride,
                 token.recurrent ? str('R', token.recurrent_kernel) : "");
    case Token::Kind::pool:
      return str(token.pool ? std::string(1, token.pool) : "", 'P', token.size);
    case Token::Kind::linear:
      return str(token.size, token.recurrent ? "R" : "", token.recurrent_kernel == 1 ? "1" : "");
    case Token::Kind::dropout:
      return dropout_notation(token.probability);
    case Token::Kind::basic_unit:
      return str("RB", token.size, stride);
    case Token::Kind::sew_unit:
      return str("SEW", token.size, stride);
    case Token::Kind::global_average:
      return "GAP";
    case Token::Kind::population:
      return str("POP", token.size);
  }
  return "";
}

std::string token_error(const std::string& spec, const Token& token, const std::string& what) {
  return str(quoted_spec(spec), ": token ", token.index, ' ', quoted(token.text, 40), ": ", what);
}

}  // namespace spiketrain
