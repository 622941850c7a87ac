#include "kube/yaml_tree.h"

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <optional>
#include <streambuf>
#include <utility>

namespace waypost::kube {
namespace {

constexpr std::string_view EndComment = "\n#";
constexpr std::string_view StringTag = "tag:yaml.org,2002:str";

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

YamlType YamlNode::type() const noexcept {
  return document_ == nullptr ? YamlType::Absent : document_->nodes_[index_].type;
}

bool YamlNode::is_present() const noexcept {
  return type() != YamlType::Absent && type() != YamlType::Null;
}

std::string_view YamlNode::text() const noexcept {
  const YamlType own = type();
  if (own == YamlType::Absent || own == YamlType::Sequence || own == YamlType::Mapping) {
    return {};
  }
  const auto& node = document_->nodes_[index_];
  return std::string_view(document_->text_).substr(node.begin, node.size);
}

std::size_t YamlNode::line() const noexcept {
  return document_ == nullptr ? 0 : document_->nodes_[index_].line;
}

YamlNode YamlNode::first_child() const noexcept {
  const YamlType own = type();
  return own == YamlType::Sequence || own == YamlType::Mapping
             ? document_->at(document_->nodes_[index_].begin)
             : YamlNode();
}

YamlNode YamlNode::next_sibling() const noexcept {
  return document_ == nullptr ? YamlNode() : document_->at(document_->nodes_[index_].next_sibling);
}

YamlNode YamlNode::find(std::string_view key) const noexcept {
  if (type() != YamlType::Mapping) {
    return {};
  }
  for (YamlNode at = first_child(); at.type() != YamlType::Absent;) {
    const YamlNode value = at.next_sibling();
    if (at.text() == key) {
      return value;
    }
    at = value.next_sibling();
  }
  return {};
}

YamlNode YamlNode::repeated_key() const {
  if (type() != YamlType::Mapping || !document_->nodes_[index_].has_repeated_key) {
    return {};
  }
  std::vector<YamlNode> keys;
  for (YamlNode at = first_child(); at.type() != YamlType::Absent;
       at = at.next_sibling().next_sibling()) {
    keys.push_back(at);
  }
  std::sort(keys.begin(), keys.end(), [](const YamlNode& left, const YamlNode& right) {
    const int order = left.text().compare(right.text());
    return order != 0 ? order < 0 : left.line() < right.line();
  });
  const auto twin = std::adjacent_find(
      keys.begin(), keys.end(),
      [](const YamlNode& left, const YamlNode& right) { return left.text() == right.text(); });
  return twin == keys.end() ? YamlNode() : *(twin + 1);
}

// Turns events into nodes.  Nodes stand in document order; siblings are linked, so that an alias is
// one node that shares its target's children.
class YamlBuilder : public YAML::EventHandler {
 public:
  // The place where the document began; two documents at one place mean that the parser is stuck.
  int start_position() const noexcept { return start_position_; }
  const YAML::Mark& start() const noexcept { return start_; }

  void begin(YamlDocument& document) {
    document.nodes_.clear();
    document.text_.clear();
    document_ = &document;
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
    add_scalar(mark, anchor, YamlType::Null, "null");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    // The parser tags a quoted scalar "!" and a plain one "?".
    const bool is_string = tag == "!" || tag == StringTag;
    add_scalar(mark, anchor, is_string ? YamlType::String : classify_plain_scalar(value), value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open_container(mark, anchor, YamlType::Sequence);
  }
  void OnSequenceEnd() override { close_container(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open_container(mark, anchor, YamlType::Mapping);
  }
  void OnMapEnd() override {
    finish_mapping();
    close_container();
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;

 private:
  using Node = YamlDocument::Node;
  struct Open {
    std::uint32_t node;
    std::uint32_t last_child;
    YAML::anchor_t anchor;
    std::size_t expanded_before;
  };
  struct Anchor {
    std::uint32_t node = 0;
    std::size_t expanded = 0;  // 0: still open, or never set.
  };

  std::uint32_t add(const YAML::Mark& mark, Node node);
  void append_child(std::uint32_t child);
  void add_scalar(const YAML::Mark& mark, YAML::anchor_t anchor, YamlType type,
                  std::string_view text);
  void open_container(const YAML::Mark& mark, YAML::anchor_t anchor, YamlType type);
  void close_container();
  void finish_mapping();
  void merge(const YamlNode& source, std::vector<std::string_view>& keys);
  void set_anchor(YAML::anchor_t anchor, std::uint32_t node, std::size_t expanded);

  YamlDocument* document_ = nullptr;
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

}  // namespace

std::uint32_t YamlBuilder::add(const YAML::Mark& mark, Node node) {
  if (document_->nodes_.size() >= MaxYamlNodes) {
    refuse(mark, ErrorKind::Exhausted,
           "a document has more than " + std::to_string(MaxYamlNodes) + " values");
  }
  node.line = static_cast<std::uint32_t>(mark.line) + 1;
  const auto index = static_cast<std::uint32_t>(document_->nodes_.size());
  document_->nodes_.push_back(node);
  append_child(index);
  ++expanded_;
  return index;
}

void YamlBuilder::append_child(std::uint32_t child) {
  if (open_.empty()) {
    return;
  }
  Open& parent = open_.back();
  if (parent.last_child == 0) {
    document_->nodes_[parent.node].begin = child;
  } else {
    document_->nodes_[parent.last_child].next_sibling = child;
  }
  parent.last_child = child;
}

void YamlBuilder::set_anchor(YAML::anchor_t anchor, std::uint32_t node, std::size_t expanded) {
  if (anchor == YAML::NullAnchor) {
    return;
  }
  if (anchors_.size() <= anchor) {
    anchors_.resize(anchor + 1);
  }
  anchors_[anchor] = {node, expanded};
}

void YamlBuilder::add_scalar(const YAML::Mark& mark, YAML::anchor_t anchor, YamlType type,
                             std::string_view text) {
  Node node;
  node.type = type;
  node.begin = static_cast<std::uint32_t>(document_->text_.size());
  node.size = static_cast<std::uint32_t>(text.size());
  document_->text_ += text;
  set_anchor(anchor, add(mark, node), 1);
}

void YamlBuilder::open_container(const YAML::Mark& mark, YAML::anchor_t anchor, YamlType type) {
  if (open_.size() >= MaxYamlDepth) {
    refuse(mark, ErrorKind::Exhausted,
           "values are nested deeper than " + std::to_string(MaxYamlDepth));
  }
  const std::size_t before = expanded_;
  Node node;
  node.type = type;
  open_.push_back({add(mark, node), 0, anchor, before});
}

void YamlBuilder::close_container() {
  const Open closed = open_.back();
  open_.pop_back();
  set_anchor(closed.anchor, closed.node, expanded_ - closed.expanded_before);
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
  Node node = document_->nodes_[target.node];
  node.next_sibling = 0;
  add(mark, node);
  expanded_ += target.expanded - 1;
}

// Notes a key that comes twice, and resolves the merge key "<<" (yaml.org/type/merge.html): its
// mapping, or each of its mappings, adds the keys that are not there yet.
void YamlBuilder::finish_mapping() {
  const std::uint32_t own = open_.back().node;
  const YamlNode mapping(document_, own);
  std::vector<std::string_view> keys;
  YamlNode merged;
  YamlNode before_merged;
  YamlNode last;
  for (YamlNode key = mapping.first_child(); key.type() != YamlType::Absent;) {
    const YamlNode value = key.next_sibling();
    keys.push_back(key.text());
    if (key.text() == "<<") {
      merged = value;
      before_merged = last;
    }
    last = value;
    key = value.next_sibling();
  }
  std::sort(keys.begin(), keys.end());
  document_->nodes_[own].has_repeated_key =
      std::adjacent_find(keys.begin(), keys.end()) != keys.end();
  if (merged.type() != YamlType::Mapping && merged.type() != YamlType::Sequence) {
    return;
  }

  // The merge key itself leaves the mapping.
  const std::uint32_t after = document_->nodes_[merged.index_].next_sibling;
  if (before_merged.type() == YamlType::Absent) {
    document_->nodes_[own].begin = after;
  } else {
    document_->nodes_[before_merged.index_].next_sibling = after;
  }
  if (after == 0) {
    open_.back().last_child = before_merged.index_;
  }

  if (merged.type() == YamlType::Mapping) {
    merge(merged, keys);
    return;
  }
  for (YamlNode at = merged.first_child(); at.type() != YamlType::Absent; at = at.next_sibling()) {
    merge(at, keys);
  }
}

// Appends the pairs of `source` whose keys are not among the sorted `keys`, and their keys to
// `keys`.
void YamlBuilder::merge(const YamlNode& source, std::vector<std::string_view>& keys) {
  if (source.type() != YamlType::Mapping) {
    return;
  }
  const std::size_t own_keys = keys.size();
  for (YamlNode key = source.first_child(); key.type() != YamlType::Absent;) {
    const YamlNode value = key.next_sibling();
    const auto own_end = keys.begin() + static_cast<std::ptrdiff_t>(own_keys);
    if (!std::binary_search(keys.begin(), own_end, key.text())) {
      keys.push_back(key.text());
      for (const std::uint32_t original : {key.index_, value.index_}) {
        Node copy = document_->nodes_[original];
        copy.next_sibling = 0;
        const auto index = static_cast<std::uint32_t>(document_->nodes_.size());
        document_->nodes_.push_back(copy);
        append_child(index);
      }
    }
    key = value.next_sibling();
  }
  std::sort(keys.begin(), keys.end());
}

struct YamlStream::State {
  // The parser overlooks that a quote is not closed when the text ends in a line break; behind an
  // empty comment it does not.
  explicit State(std::string_view input)
      : text(std::string(input) += EndComment), buffer(text), stream(&buffer) {}

  std::string text;
  TextBuffer buffer;
  std::istream stream;
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

// `text` is the input with the comment behind it.
std::string parse_error(const YAML::Exception& error, std::string_view text) {
  if (error.mark.is_null()) {
    return error.msg;
  }
  auto line = static_cast<std::size_t>(error.mark.line) + 1;
  auto column = static_cast<std::size_t>(error.mark.column) + 1;
  const std::string_view input = text.substr(0, text.size() - EndComment.size());
  const auto breaks = static_cast<std::size_t>(std::count(input.begin(), input.end(), '\n'));
  if (line > breaks + 1) {  // The comment: say where the input ends.
    const std::string_view last = input.substr(0, input.find_last_not_of('\n') + 1);
    line = static_cast<std::size_t>(std::count(last.begin(), last.end(), '\n')) + 1;
    column = last.size() - (last.rfind('\n') + 1) + 1;  // npos + 1 is 0.
  }
  return at_text(line, column) + "not YAML: " + error.msg;
}

}  // namespace

Result<bool> YamlStream::next(YamlDocument& document) {
  State& state = *state_;
  if (state.is_over) {
    return false;
  }
  state.is_over = true;  // Until this document has been read.
  try {
    if (!state.parser) {
      if (auto forbidden = find_forbidden_octet(state.text)) {
        return std::unexpected(std::move(*forbidden));
      }
      state.parser.emplace(state.stream);
    }
    state.builder.begin(document);
    if (!state.parser->HandleNextDocument(state.builder)) {
      return false;
    }
    if (state.builder.start_position() == state.last_position) {
      refuse(state.builder.start(), ErrorKind::InvalidInput, "not YAML: unexpected here");
    }
    state.last_position = state.builder.start_position();
    state.is_over = false;
    return true;
  } catch (const Refusal& refusal) {
    return failure(refusal.kind, at_text(refusal.line, refusal.column) + refusal.message);
  } catch (const YAML::Exception& error) {
    return failure(ErrorKind::InvalidInput, parse_error(error, state.text));
  }
}

}  // namespace waypost::kube
