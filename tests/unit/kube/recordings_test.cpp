// What a real API server sent, byte for byte, against what another program read from it.

#include "kube/api_status.h"
#include "kube/json_decoder.h"
#include "kube/list_reader.h"
#include "kube/watch_reader.h"
#include "kube/yaml_decoder.h"

#include "support/api_recording.h"
#include "support/object_text.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::kube {
namespace {

using test::read_api_text;
using test::read_recording;
using test::show;

// Cuts a body into pieces and feeds them.
using Feed = std::function<Result<void>(std::string_view)>;
using Cut = std::function<Result<void>(const test::ApiRecording&, const Feed&)>;

Result<void> in_chunks(const test::ApiRecording& recording, const Feed& feed) {
  for (const std::string& chunk : recording.chunks) {
    if (auto fed = feed(chunk); !fed) {
      return fed;
    }
  }
  return {};
}

Cut in_pieces(std::size_t size) {
  return [size](const test::ApiRecording& recording, const Feed& feed) -> Result<void> {
    for (std::string_view rest = recording.body; !rest.empty();) {
      const std::string_view piece = rest.substr(0, size);
      rest.remove_prefix(piece.size());
      // On the heap, so that a reader that keeps a view is found out.
      if (auto fed = feed(std::string(piece)); !fed) {
        return fed;
      }
    }
    return {};
  };
}

const std::vector<std::pair<const char*, Cut>>& cuts() {
  static const std::vector<std::pair<const char*, Cut>> all = {
      {"as it came", in_chunks},        {"at once", in_pieces(std::string::npos)},
      {"octet by octet", in_pieces(1)}, {"by 7", in_pieces(7)},
      {"by 64", in_pieces(64)},         {"by 1000", in_pieces(1000)},
  };
  return all;
}

template <typename T>
std::string show_or_problem(const std::expected<T, ObjectProblem>& decoded) {
  return decoded ? show(*decoded) : "! " + decoded.error().message;
}

std::string show_end(const Result<std::variant<ListMeta, ApiStatus>>& end) {
  if (!end) {
    return "! " + end.error().message;
  }
  const auto* meta = std::get_if<ListMeta>(&*end);
  if (meta == nullptr) {
    return std::get<ApiStatus>(*end).to_text();
  }
  std::string text = meta->kind + " @" + std::to_string(meta->resource_version) + " " +
                     std::to_string(meta->items) + " items";
  text += meta->continue_token.empty() ? "" : " continue " + meta->continue_token;
  text +=
      meta->remaining_item_count ? " remaining " + std::to_string(*meta->remaining_item_count) : "";
  return text;
}

// A whole list, one element a line, its metadata last.
std::string read_list(const test::ApiRecording& recording, const Cut& cut,
                      const std::function<std::string(std::string_view)>& show_item) {
  std::string text;
  ListReader reader([&](std::string_view item) { text += show_item(item) + "\n"; });
  const auto fed = cut(recording, [&](std::string_view piece) { return reader.feed(piece); });
  return fed ? text + show_end(reader.finish()) + "\n" : text + "! " + fed.error().message + "\n";
}

std::string read_event(JsonDecoder& decoder, const WatchEvent& event) {
  std::string text(to_text(event.type));
  switch (event.type) {
    case WatchEventType::Added:
    case WatchEventType::Modified:
      return text + " " + show_or_problem(decoder.decode(event.object));
    case WatchEventType::Deleted:
      return text + " " + show_or_problem(decoder.decode_version(event.object));
    case WatchEventType::Bookmark: {
      const auto bookmark = decoder.decode_bookmark(event.object);
      return bookmark ? text + " @" + std::to_string(bookmark->resource_version) +
                            (bookmark->ends_initial_events ? " ends the initial events" : "")
                      : text + " ! " + bookmark.error().message;
    }
    case WatchEventType::Error: {
      const auto status = decode_status(event.object);
      return text + " " + (status ? status->to_text() : "! " + status.error().message);
    }
  }
  return text;
}

// A whole watch, one event a line.
std::string read_watch(const test::ApiRecording& recording, const Cut& cut, ObjectKind kind) {
  std::string text;
  JsonDecoder decoder(kind);
  WatchReader reader([&](const WatchEvent& event) { text += read_event(decoder, event) + "\n"; });
  const auto fed = cut(recording, [&](std::string_view piece) { return reader.feed(piece); });
  const auto end = reader.finish();
  return fed && end ? text : text + "! " + (fed ? end : fed).error().message + "\n";
}

}  // namespace

TEST_CASE("recorded lists decode to what they say, however they are cut") {
  struct Case {
    std::string name;
    ObjectKind kind;
  };
  for (const Case& c : {
           Case{"list-services", ObjectKind::Service},
           Case{"list-endpointslices", ObjectKind::EndpointSlice},
           Case{"list-namespaces", ObjectKind::Namespace},
           Case{"list-pods", ObjectKind::Pod},
           Case{"list-nodes", ObjectKind::Node},
           Case{"page-services-0", ObjectKind::Service},
           Case{"page-services-1", ObjectKind::Service},
           Case{"page-services-2", ObjectKind::Service},
       }) {
    CAPTURE(c.name);
    const auto recording = read_recording(c.name);
    const std::string expected = read_api_text(c.name + ".txt");
    JsonDecoder decoder(c.kind);
    for (const auto& [how, cut] : cuts()) {
      CAPTURE(how);
      CHECK(read_list(recording, cut, [&](std::string_view item) {
              return show_or_problem(decoder.decode(item));
            }) == expected);
    }
  }
}

TEST_CASE("a recorded list of metadata tells which objects there are") {
  JsonDecoder decoder(ObjectKind::Service);
  for (const auto& [how, cut] : cuts()) {
    CAPTURE(how);
    CHECK(read_list(read_recording("list-services-metadata-only"), cut, [&](std::string_view item) {
            return show_or_problem(decoder.decode_version(item));
          }) == read_api_text("list-services-metadata-only.txt"));
  }
}

TEST_CASE("recorded watches decode to what they say, however they are cut") {
  struct Case {
    std::string name;
    ObjectKind kind;
  };
  for (const Case& c : {
           Case{"watch-services-scripted", ObjectKind::Service},
           Case{"watch-endpointslices-scripted", ObjectKind::EndpointSlice},
           Case{"watch-namespaces-scripted", ObjectKind::Namespace},
           Case{"watch-pods-scripted", ObjectKind::Pod},
           Case{"watchlist-services", ObjectKind::Service},
           Case{"watchlist-endpointslices", ObjectKind::EndpointSlice},
           Case{"watch-too-old", ObjectKind::Service},
       }) {
    CAPTURE(c.name);
    const auto recording = read_recording(c.name);
    const std::string expected = read_api_text(c.name + ".txt");
    for (const auto& [how, cut] : cuts()) {
      CAPTURE(how);
      CHECK(read_watch(recording, cut, c.kind) == expected);
    }
  }
}

TEST_CASE("recorded failures tell their reason instead of a list") {
  struct Case {
    std::string name;
    unsigned status;
    std::string text;
  };
  for (const Case& c : {
           Case{"error-401", 401, "401 Unauthorized"},
           Case{"error-403", 403,
                "403 Forbidden: services is forbidden: User \"system:serviceaccount:dev:nobody\" "
                "cannot list resource \"services\" in API group \"\" at the cluster scope"},
           Case{"error-403-watch", 403,
                "403 Forbidden: services is forbidden: User \"system:serviceaccount:dev:nobody\" "
                "cannot watch resource \"services\" in API group \"\" at the cluster scope"},
           Case{"error-404", 404, "404 NotFound: the server could not find the requested resource"},
           Case{"watch-too-large-rv", 504,
                "504 Timeout: Timeout: Too large resource version: 99999999, current: 369"},
       }) {
    CAPTURE(c.name);
    const auto recording = read_recording(c.name);
    CHECK(recording.status == c.status);
    for (const auto& [how, cut] : cuts()) {
      CAPTURE(how);
      CHECK(read_list(recording, cut, [](std::string_view) { return "an item"; }) == c.text + "\n");
    }
  }
}

TEST_CASE("an object is the same through YAML and through JSON") {
  std::size_t compared = 0;
  const auto compare = [&](const auto& decoded, JsonDecoder& decoder,
                           const std::vector<std::string>& items) {
    REQUIRE(decoded.size() == items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      const auto object = decoder.decode(items[i]);
      REQUIRE(object);
      CAPTURE(show(*object));
      CHECK(*object == ApiObject(decoded[i].object));
      ++compared;
    }
  };
  // JSON is YAML (YAML 1.2, 1.3), and a typed list gives its elements their kind.
  const auto read = [](const std::string& name, std::vector<std::string>& items) {
    const std::string body = read_recording(name).body;
    ListReader reader([&](std::string_view item) { items.emplace_back(item); });
    CHECK(reader.feed(body));
    return decode_manifests(body);
  };
  for (const ObjectKind kind : {ObjectKind::Service, ObjectKind::EndpointSlice,
                                ObjectKind::Namespace, ObjectKind::Pod, ObjectKind::Node}) {
    std::string name = "list-" + std::string(to_text(kind)) + "s";
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    CAPTURE(name);
    std::vector<std::string> items;
    const Manifests manifests = read(name, items);
    CHECK(manifests.problems.empty());
    JsonDecoder decoder(kind);
    switch (kind) {
      case ObjectKind::Service:
        compare(manifests.services, decoder, items);
        break;
      case ObjectKind::EndpointSlice:
        compare(manifests.slices, decoder, items);
        break;
      case ObjectKind::Namespace:
        compare(manifests.namespaces, decoder, items);
        break;
      case ObjectKind::Pod:
        compare(manifests.pods, decoder, items);
        break;
      case ObjectKind::Node:
        compare(manifests.nodes, decoder, items);
        break;
    }
  }
  CHECK(compared == 26 + 26 + 8 + 10 + 2);
}

}  // namespace waypost::kube
