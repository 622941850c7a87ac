// Any bytes as the body of a list: cut in two anywhere it reads as in one piece, elements are
// objects by their braces, and what is a list to its end is JSON to simdjson too, when its elements
// are.

#include "kube/json_tree.h"
#include "kube/list_reader.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace waypost;

void expect(bool holds) {
  if (!holds) {
    std::abort();
  }
}

struct Outcome {
  std::string items;
  std::string end;
  bool is_list = false;
  bool are_objects = true;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome read(std::string_view body, std::size_t first) {
  Outcome outcome;
  kube::JsonTreeReader items;
  kube::Tree tree;
  kube::ListReader reader([&](std::string_view item) {
    expect(item.starts_with('{') && item.size() >= 2);
    outcome.items.append(item).append("\n");
    outcome.are_objects =
        outcome.are_objects && items.read(item, kube::JsonScope::Everything, tree).has_value();
  });
  // On the heap, so that a view that outlives its piece is found out.
  for (const std::string& piece :
       {std::string(body.substr(0, first)), std::string(body.substr(first))}) {
    if (const auto fed = reader.feed(piece); !fed) {
      outcome.end = fed.error().message;
      expect(!reader.finish());
      return outcome;
    }
  }
  const auto end = reader.finish();
  if (!end) {
    outcome.end = end.error().message;
  } else if (const auto* meta = std::get_if<kube::ListMeta>(&*end)) {
    outcome.is_list = true;
    outcome.end = meta->kind + " " + std::to_string(meta->resource_version) + " " +
                  meta->continue_token + " " + std::to_string(meta->items);
    expect(meta->items == reader.items());
  } else {
    outcome.end = std::get<kube::ApiStatus>(*end).to_text();
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(bytes), size);
  const Outcome whole = read(body, size);
  const std::size_t steps = size < 64 ? 1 : size / 16;
  for (std::size_t first = 0; first < size; first += steps) {
    expect(read(body, first) == whole);
  }
  if (whole.is_list && whole.are_objects) {
    kube::JsonTreeReader reader;
    kube::Tree tree;
    const auto read_whole = reader.read(body, kube::JsonScope::Everything, tree);
    // The list and its elements may be as deep as the bound each on its own.
    expect(read_whole || read_whole.error().kind == ErrorKind::Exhausted);
  }
  return 0;
}
