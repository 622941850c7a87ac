#include "kube/api_status.h"

#include "kube/json_tree.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace waypost::kube {
namespace {

constexpr std::string_view TooLargeVersion = "ResourceVersionTooLarge";
// What servers before Kubernetes 1.20 wrote, without a cause.
constexpr std::string_view TooLargeMessage = "Too large resource version";

// At most `size` octets of `text`, cut between two characters.
std::string cut(std::string_view text, std::size_t size) {
  if (text.size() > size) {
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80U) {
      --size;
    }
    text = text.substr(0, size);
  }
  return std::string(text);
}

std::string text_of(const TreeNode& object, std::string_view name) {
  const TreeNode node = object.find(name);
  return node.type() == TreeType::String ? cut(node.text(), MaxStatusMessage) : std::string();
}

// 0 for what is no number below 2^31.
unsigned number_of(const TreeNode& object, std::string_view name) {
  const TreeNode node = object.find(name);
  int number = 0;
  if (node.type() == TreeType::Number) {
    const std::string_view digits = node.text();
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (ec != std::errc() || end != digits.data() + digits.size() || number < 0) {
      return 0;
    }
  }
  return static_cast<unsigned>(number);
}

}  // namespace

bool ApiStatus::is_expired() const noexcept {
  return code == 410 || reason == "Expired" || reason == "Gone";
}

bool ApiStatus::is_too_large_version() const noexcept {
  return std::any_of(causes.begin(), causes.end(),
                     [](const StatusCause& cause) { return cause.reason == TooLargeVersion; }) ||
         (reason == "Timeout" && message.find(TooLargeMessage) != std::string::npos);
}

std::string ApiStatus::to_text() const {
  std::string text = code == 0 ? std::string() : std::to_string(code);
  if (!reason.empty()) {
    text.append(text.empty() ? "" : " ").append(reason);
  }
  if (!message.empty() && message != reason) {
    text.append(text.empty() ? "" : ": ").append(message);
  }
  return text.empty() ? "a failure without a reason" : text;
}

Result<ApiStatus> decode_status(std::string_view json) {
  JsonTreeReader reader;
  Tree tree;
  if (auto read = reader.read(json, JsonScope::Everything, tree); !read) {
    return std::unexpected(with_context(std::move(read.error()), "Status"));
  }
  const TreeNode root = tree.root();
  const TreeNode kind = root.find("kind");
  if (kind.text() != "Status") {
    return failure(ErrorKind::InvalidInput,
                   "kind: '" + cut(kind.text(), MaxStatusMessage) + "' is not Status");
  }
  ApiStatus status;
  status.code = number_of(root, "code");
  status.reason = text_of(root, "reason");
  status.message = text_of(root, "message");
  const TreeNode details = root.find("details");
  if (const unsigned seconds = number_of(details, "retryAfterSeconds"); seconds != 0) {
    status.retry_after = std::chrono::seconds(seconds);
  }
  const TreeNode causes = details.find("causes");
  if (causes.type() == TreeType::Sequence) {
    for (TreeNode at = causes.first_child();
         at.type() != TreeType::Absent && status.causes.size() < MaxStatusCauses;
         at = at.next_sibling()) {
      status.causes.push_back(
          {text_of(at, "reason"), text_of(at, "field"), text_of(at, "message")});
    }
  }
  return status;
}

}  // namespace waypost::kube
