#include "corefile/lexer.h"

#include <algorithm>
#include <utility>

namespace waypost::corefile {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

class Lexer {
 public:
  Lexer(std::string_view text, const std::shared_ptr<const std::string>& file)
      : text_(text), file_(file) {}

  Result<std::vector<Word>> run() {
    for (skip(); at_ < text_.size(); skip()) {
      if (words_.size() == MaxWords) {
        return failure(ErrorKind::Exhausted, here().to_text() + ": found more than " +
                                                 std::to_string(MaxWords) +
                                                 " words, expected a shorter file");
      }
      Word word{.text = {}, .place = here(), .starts_line = line_ != last_line_};
      if (text_[at_] == '"') {
        word.quoted = true;
        if (!take_quoted(word.text)) {
          return failure(ErrorKind::InvalidInput,
                         word.place.to_text() + ": found a quote without end");
        }
      } else {
        take_plain(word.text);
      }
      last_line_ = line_;
      words_.push_back(std::move(word));
    }
    return std::move(words_);
  }

 private:
  Place here() const { return {file_, line_}; }

  // To the next word.
  void skip() {
    for (; at_ < text_.size() && (is_blank(text_[at_]) || text_[at_] == '#'); ++at_) {
      if (text_[at_] == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size() - 1);
      }
      line_ += text_[at_] == '\n' ? 1 : 0;
    }
  }

  void take_plain(std::string& out) {
    for (; at_ < text_.size() && !is_blank(text_[at_]) && text_[at_] != '#'; ++at_) {
      out.push_back(text_[at_]);
    }
  }

  bool take_quoted(std::string& out) {
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
        out.push_back('"');
        ++at_;
        continue;
      }
      line_ += c == '\n' ? 1 : 0;
      out.push_back(c);
    }
    return false;
  }

  std::string_view text_;
  const std::shared_ptr<const std::string>& file_;
  std::size_t at_ = 0;
  unsigned line_ = 1;
  unsigned last_line_ = 0;  // Where the word before ended.
  std::vector<Word> words_;
};

}  // namespace

std::string Place::to_text() const {
  return *file + ":" + std::to_string(line);
}

Result<std::vector<Word>> words_of(std::string_view text,
                                   const std::shared_ptr<const std::string>& file) {
  return Lexer(text, file).run();
}

}  // namespace waypost::corefile
