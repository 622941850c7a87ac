#include "kube/yaml_tree.h"

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cstdint>
#include <istream>
#include <optional>
#include <streambuf>
#include <utility>

namespace waypost::kube {
namespace {

constexpr std::string_view EndComment = "\n#";
constexpr std::string_view StringTag = "tag:yaml.org,2002:str";

// A brace or bracket that begins a document may turn out to be a mapping's key: up to its end the
// parser keeps everything as tokens, which take twenty times the text.  As a mapping's value it can
// be no key, so that a first document in braces, as all JSON is, is read behind this key.
constexpr std::string_view WrapperKey = "x: ";

// Where in `text` the key has to stand; npos: nowhere.
std::size_t wrapper_place(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \r\n");
  return first != std::string_view::npos && (text[first] == '{' || text[first] == '[')
             ? first
             : std::string_view::npos;
}

// Ends the parser's recursion from inside an event.
struct Refusal {
  ErrorKind kind;
  std::size_t line;
  std::size_t column;
  std::string message;
};

std::string at_text(std::size_t line, std::size_t column) {
  return "line " + std::to_string(line) + ", column " + std::to_string(column) + ": ";
}

// A stream buffer over borrowed text.
class TextBuffer : public std::streambuf {
 public:
  explicit TextBuffer(std::string& text) {
    setg(text.data(), text.data(), text.data() + text.size());
  }
};

}  // namespace

// Turns events into nodes.  An alias is one node that shares its target's children.
class YamlBuilder : public YAML::EventHandler {
 public:
  // The place where the document began; two documents at one place mean that the parser is stuck.
  int start_position() const noexcept { return start_position_; }
  const YAML::Mark& start() const noexcept { return start_; }

  // Of a document behind WrapperKey the value becomes the root.
  void begin(Tree& tree, bool is_wrapped) {
    wrapping_ = is_wrapped ? Wrapping::Mapping : Wrapping::None;
    builder_.begin(tree);
    open_.clear();
    anchors_.clear();
    expanded_ = 0;
    aliased_ = 0;
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    start_ = mark;
    start_position_ = mark.pos;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add_scalar(mark, anchor, TreeType::Null, "null");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (wrapping_ == Wrapping::Key) {
      wrapping_ = Wrapping::Value;
      return;
    }
    // The parser tags a quoted scalar "!" and a plain one "?".
    const bool is_string = tag == "!" || tag == StringTag;
    add_scalar(mark, anchor, is_string ? TreeType::String : classify_plain_scalar(value), value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open_container(mark, anchor, TreeType::Sequence);
  }
  void OnSequenceEnd() override { close_container(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    if (wrapping_ == Wrapping::Mapping) {
      wrapping_ = Wrapping::Key;
      return;
    }
    open_container(mark, anchor, TreeType::Mapping);
  }
  void OnMapEnd() override {
    if (wrapping_ == Wrapping::Over) {
      return;
    }
    finish_mapping();
    close_container();
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;

 private:
  struct Open {
    YAML::anchor_t anchor;
    std::size_t expanded_before;
  };
  struct Anchor {
    TreeNode node;
    std::size_t expanded = 0;  // 0: still open, or never set.
  };

  // What comes next in a document behind WrapperKey.
  enum class Wrapping : std::uint8_t { None, Mapping, Key, Value, Over };

  void count(const YAML::Mark& mark);
  void add_scalar(const YAML::Mark& mark, YAML::anchor_t anchor, TreeType type,
                  std::string_view text);
  void open_container(const YAML::Mark& mark, YAML::anchor_t anchor, TreeType type);
  void close_container();
  void finish_mapping();
  void merge(const TreeNode& source, std::vector<std::string_view>& keys);
  void set_anchor(YAML::anchor_t anchor, TreeNode node, std::size_t expanded);

  TreeBuilder builder_;
  Wrapping wrapping_ = Wrapping::None;
  YAML::Mark start_;
  int start_position_ = -1;
  std::vector<Open> open_;
  std::vector<Anchor> anchors_;  // By the parser's numbers.
  std::size_t expanded_ = 0;     // Nodes so far, aliases counted with all that they stand for.
  std::size_t aliased_ = 0;      // The part of it that aliases account for.
};

namespace {

[[noreturn]] void refuse(const YAML::Mark& mark, ErrorKind kind, std::string message) {
  throw Refusal{kind, static_cast<std::size_t>(mark.line) + 1,
                static_cast<std::size_t>(mark.column) + 1, std::move(message)};
}

std::size_t line_of(const YAML::Mark& mark) {
  return static_cast<std::size_t>(mark.line) + 1;
}

}  // namespace

// Makes sure that one more node may be added.
void YamlBuilder::count(const YAML::Mark& mark) {
  if (wrapping_ == Wrapping::Over) {
    refuse(mark, ErrorKind::InvalidInput, "not YAML: unexpected here");
  }
  if (builder_.size() >= MaxTreeNodes) {
    refuse(mark, ErrorKind::Exhausted,
           "a document has more than " + std::to_string(MaxTreeNodes) + " values");
  }
  ++expanded_;
}

void YamlBuilder::set_anchor(YAML::anchor_t anchor, TreeNode node, std::size_t expanded) {
  if (anchor == YAML::NullAnchor) {
    return;
  }
  if (anchors_.size() <= anchor) {
    anchors_.resize(anchor + 1);
  }
  anchors_[anchor] = {node, expanded};
}

void YamlBuilder::add_scalar(const YAML::Mark& mark, YAML::anchor_t anchor, TreeType type,
                             std::string_view text) {
  count(mark);
  set_anchor(anchor, builder_.add_scalar(type, line_of(mark), text), 1);
}

void YamlBuilder::open_container(const YAML::Mark& mark, YAML::anchor_t anchor, TreeType type) {
  if (builder_.depth() >= MaxTreeDepth) {
    refuse(mark, ErrorKind::Exhausted,
           "values are nested deeper than " + std::to_string(MaxTreeDepth));
  }
  open_.push_back({anchor, expanded_});
  count(mark);
  builder_.open(type, line_of(mark));
}

void YamlBuilder::close_container() {
  const Open closed = open_.back();
  open_.pop_back();
  set_anchor(closed.anchor, builder_.close(), expanded_ - closed.expanded_before);
  if (open_.empty() && wrapping_ == Wrapping::Value) {
    wrapping_ = Wrapping::Over;
  }
}

void YamlBuilder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
  const Anchor target = anchor < anchors_.size() ? anchors_[anchor] : Anchor();
  if (target.expanded == 0) {
    refuse(mark, ErrorKind::InvalidInput, "an alias stands inside the value that it names");
  }
  aliased_ += target.expanded;
  if (aliased_ > MaxAliasedNodes) {
    refuse(mark, ErrorKind::Exhausted,
           "aliases expand to more than " + std::to_string(MaxAliasedNodes) + " values");
  }
  count(mark);
  builder_.add_copy(target.node, line_of(mark));
  expanded_ += target.expanded - 1;
}

// Notes a key that comes twice, and resolves the merge key "<<" (yaml.org/type/merge.html): its
// mapping, or each of its mappings, adds the keys that are not there yet.
void YamlBuilder::finish_mapping() {
  builder_.note_repeated_key();
  std::vector<std::string_view> keys;
  TreeNode merged;
  TreeNode before_merged;
  TreeNode last;
  for (TreeNode key = builder_.innermost().first_child(); key.type() != TreeType::Absent;) {
    const TreeNode value = key.next_sibling();
    keys.push_back(key.text());
    if (key.text() == "<<") {
      merged = value;
      before_merged = last;
    }
    last = value;
    key = value.next_sibling();
  }
  if (merged.type() != TreeType::Mapping && merged.type() != TreeType::Sequence) {
    return;
  }
  builder_.remove_pair(before_merged, merged);
  std::sort(keys.begin(), keys.end());
  if (merged.type() == TreeType::Mapping) {
    merge(merged, keys);
    return;
  }
  for (TreeNode at = merged.first_child(); at.type() != TreeType::Absent; at = at.next_sibling()) {
    merge(at, keys);
  }
}

// Appends the pairs of `source` whose keys are not among the sorted `keys`, and their keys to
// `keys`.
void YamlBuilder::merge(const TreeNode& source, std::vector<std::string_view>& keys) {
  if (source.type() != TreeType::Mapping) {
    return;
  }
  const std::size_t own_keys = keys.size();
  for (TreeNode key = source.first_child(); key.type() != TreeType::Absent;) {
    const TreeNode value = key.next_sibling();
    const auto own_end = keys.begin() + static_cast<std::ptrdiff_t>(own_keys);
    if (!std::binary_search(keys.begin(), own_end, key.text())) {
      keys.push_back(key.text());
      builder_.add_copy(key, 0);
      builder_.add_copy(value, 0);
    }
    key = value.next_sibling();
  }
  std::sort(keys.begin(), keys.end());
}

struct YamlStream::State {
  explicit State(std::string_view input) {
    text.reserve(input.size() + WrapperKey.size() + EndComment.size());
    text = input;
    place = wrapper_place(text);
    if (is_wrapped()) {
      text.insert(place, WrapperKey);
    }
    // The parser overlooks that a quote is not closed when the text ends in a line break; behind an
    // empty comment it does not.
    comment_size = text.ends_with('\n') ? 1 : EndComment.size();
    text += EndComment.substr(EndComment.size() - comment_size);
    rewind();
  }

  // What was given.
  std::string_view input() const noexcept {
    return std::string_view(text).substr(0, text.size() - comment_size);
  }

  bool is_wrapped() const noexcept { return place != std::string::npos; }
  void unwrap() {
    if (is_wrapped()) {
      text.erase(std::exchange(place, std::string::npos), WrapperKey.size());
      rewind();
    }
  }
  // The column that a place on `line` has without WrapperKey; both begin at 1.
  std::size_t given_column(std::size_t line, std::size_t column) const noexcept {
    const bool is_shifted =
        is_wrapped() && line == 1 + static_cast<std::size_t>(std::count(
                                        text.begin(), text.begin() + std::ptrdiff_t(place), '\n'));
    return is_shifted ? column - WrapperKey.size() : column;
  }
  // To the beginning of the text.
  void rewind() {
    parser.reset();
    buffer.emplace(text);
    stream.emplace(&*buffer);
  }
  bool read_document(Tree& tree);

  std::string text;
  std::size_t comment_size = 0;           // Of the comment behind it.
  std::size_t place = std::string::npos;  // Of WrapperKey in the text.
  std::optional<TextBuffer> buffer;
  std::optional<std::istream> stream;
  std::optional<YAML::Parser> parser;
  YamlBuilder builder;
  int last_position = -1;
  bool is_over = false;
};

YamlStream::YamlStream(std::string_view text) : state_(std::make_unique<State>(text)) {}
YamlStream::~YamlStream() = default;

namespace {

// The parser takes octet 4 for the end of the input, and guesses encodings from octets that YAML
// does not admit in UTF-8; so both are refused before it sees them (YAML 1.2, 5.1).
std::optional<Error> find_forbidden_octet(std::string_view text) {
  const auto at = std::find_if(text.begin(), text.end(), [](char c) {
    const auto octet = static_cast<unsigned char>(c);
    return (octet < 0x20 && c != '\t' && c != '\n' && c != '\r') || octet == 0x7f || octet >= 0xf8;
  });
  if (at == text.end()) {
    return std::nullopt;
  }
  const std::string_view before(text.begin(), at);
  const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0.
  return Error{ErrorKind::InvalidInput,
               at_text(line, before.size() - line_start + 1) +
                   "a control character or an octet that is not UTF-8; expected UTF-8 text"};
}

std::string parse_error(const YAML::Exception& error, std::string_view input) {
  if (error.mark.is_null()) {
    return error.msg;
  }
  auto line = static_cast<std::size_t>(error.mark.line) + 1;
  auto column = static_cast<std::size_t>(error.mark.column) + 1;
  const auto breaks = static_cast<std::size_t>(std::count(input.begin(), input.end(), '\n'));
  const std::size_t lines = breaks + (input.ends_with('\n') ? 0 : 1);
  if (line > lines) {  // The comment: say where the input ends.
    const std::string_view last = input.substr(0, input.find_last_not_of('\n') + 1);
    line = static_cast<std::size_t>(std::count(last.begin(), last.end(), '\n')) + 1;
    column = last.size() - (last.rfind('\n') + 1) + 1;  // npos + 1 is 0.
  }
  return at_text(line, column) + "not YAML: " + error.msg;
}

}  // namespace

// Throws what the parser and its events throw.
bool YamlStream::State::read_document(Tree& tree) {
  const bool is_first = !parser;
  if (is_first) {
    parser.emplace(*stream);
  }
  builder.begin(tree, is_first && is_wrapped());
  if (!parser->HandleNextDocument(builder)) {
    return false;
  }
  if (builder.start_position() == last_position) {
    refuse(builder.start(), ErrorKind::InvalidInput, "not YAML: unexpected here");
  }
  last_position = builder.start_position();
  return true;
}

Result<bool> YamlStream::next(Tree& tree) {
  State& state = *state_;
  if (state.is_over) {
    return false;
  }
  state.is_over = true;  // Until this document has been read.
  try {
    if (!state.parser) {
      if (find_forbidden_octet(state.text)) {
        state.unwrap();
        return std::unexpected(*find_forbidden_octet(state.text));
      }
      if (state.is_wrapped()) {
        try {
          state.is_over = !state.read_document(tree);
          return !state.is_over;
        } catch (const std::exception&) {
          state.unwrap();
        } catch (const Refusal& refusal) {
          if (refusal.kind == ErrorKind::Exhausted) {
            throw;  // A bound of the document, which is not read a second time to reach it again.
          }
          state.unwrap();
        }
      }
    }
    state.is_over = !state.read_document(tree);
    return !state.is_over;
  } catch (const Refusal& refusal) {
    return failure(
        refusal.kind,
        at_text(refusal.line, state.given_column(refusal.line, refusal.column)) + refusal.message);
  } catch (const YAML::Exception& error) {
    return failure(ErrorKind::InvalidInput, parse_error(error, state.input()));
  }
}

}  // namespace waypost::kube
