#include "ops/service_lookup.h"

#include "cache/service_cache.h"
#include "kube/api_client.h"
#include "kube/json_decoder.h"
#include "kube/list_reader.h"
#include "ops/api_connection.h"
#include "ops/run_to_end.h"
#include "sources/api_kind.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <utility>
#include <variant>

namespace waypost::ops {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds Timeout{10'000};
constexpr unsigned Forbidden = 403;

// One answer, a page of a list.
struct Page {
  unsigned status = 0;
  std::variant<kube::ListMeta, kube::ApiStatus> result;
};

asio::awaitable<Result<Page>> read_page(kube::ApiClient& client, std::string target,
                                        ListedServices& into) {
  auto exchange = co_await client.get(target, Timeout);
  if (!exchange) {
    co_return std::unexpected(std::move(exchange.error()));
  }
  kube::JsonDecoder decoder(kube::ObjectKind::Service);
  kube::ListReader reader([&](std::string_view item) {
    auto object = decoder.decode(item);
    if (!object) {
      into.problems.push_back({ErrorKind::InvalidInput, std::move(object.error().message)});
    } else if (auto* service = std::get_if<kube::Service>(&*object)) {
      into.services.push_back(std::move(*service));
    }
  });
  for (;;) {
    const auto piece = co_await (*exchange)->read(Timeout);
    if (!piece) {
      co_return std::unexpected(piece.error());
    }
    if (piece->empty()) {
      break;
    }
    if (auto fed = reader.feed(*piece); !fed) {
      co_return std::unexpected(with_context(std::move(fed.error()), target));
    }
    if (into.services.size() > MaxListedServices) {
      co_return failure(ErrorKind::Exhausted, target + ": found more than " +
                                                  std::to_string(MaxListedServices) + " Services");
    }
  }
  auto result = reader.finish();
  if (!result) {
    co_return std::unexpected(with_context(std::move(result.error()), target));
  }
  co_return Page{(*exchange)->status(), std::move(*result)};
}

// Lists page by page.  Nothing: it is forbidden, and `may_be_forbidden`.
asio::awaitable<Result<void>> list(kube::ApiClient& client, std::string path, bool may_be_forbidden,
                                   ListedServices& into) {
  std::string token;
  do {
    std::string target = path + "limit=500";
    if (!token.empty()) {
      target += "&continue=" + sources::percent_encoded(token);
    }
    auto page = co_await read_page(client, target, into);
    if (!page) {
      co_return std::unexpected(std::move(page.error()));
    }
    if (const auto* status = std::get_if<kube::ApiStatus>(&page->result)) {
      Error problem{ErrorKind::System, target + ": " + status->to_text()};
      if (may_be_forbidden && page->status == Forbidden) {
        into.problems.push_back(std::move(problem));
        co_return Result<void>();
      }
      co_return std::unexpected(std::move(problem));
    }
    token = std::get<kube::ListMeta>(page->result).continue_token;
  } while (!token.empty());
  co_return Result<void>();
}

asio::awaitable<Result<void>> list_all(kube::ApiClient& client, std::string name_space,
                                       ListedServices& into) {
  Result<void> own =
      co_await list(client, "/api/v1/namespaces/" + name_space + "/services?", false, into);
  if (!own || name_space == "default") {
    co_return own;
  }
  co_return co_await list(
      client, "/api/v1/namespaces/default/services?fieldSelector=metadata.name%3Dkubernetes&", true,
      into);
}

}  // namespace

Result<ListedServices> services_of_folder(const sources::ManifestOptions& options,
                                          const std::string& name_space) {
  cache::ServiceCache cache;
  sources::ManifestSource source(options, cache);
  ListedServices listed;
  listed.problems = source.load();
  if (!cache.is_synced()) {
    return listed.problems.empty() ? failure(ErrorKind::System, "no manifests could be read")
                                   : std::unexpected(std::move(listed.problems.front()));
  }
  const auto add = [&](const cache::ServiceState& state) {
    if (state.service) {
      listed.services.push_back(*state.service);
    }
  };
  cache.for_each_service_in(
      name_space, [&](const kube::ObjectKey&, const cache::ServiceState& state) { add(state); });
  if (name_space != "default") {
    if (const auto master = cache.find({"default", "kubernetes"})) {
      add(*master);
    }
  }
  return listed;
}

Result<ListedServices> services_of_api(const ApiConfig& api, const std::string& name_space) {
  auto access = api_access(api);
  if (!access) {
    return std::unexpected(std::move(access.error()));
  }
  ListedServices listed;
  asio::io_context context(1);
  kube::ApiClientOptions options;
  options.user_agent = kube::user_agent("waypost", WAYPOST_VERSION);
  options.credentials.warn = [&](const std::string& problem) {
    listed.problems.push_back({ErrorKind::System, problem});
  };
  const auto client = kube::ApiClient::make(context, std::move(*access), std::move(options));
  if (!client) {
    return std::unexpected(client.error());
  }
  const Result<void> done = run_to_end(context, list_all(**client, name_space, listed));
  if (!done) {
    return std::unexpected(done.error());
  }
  return listed;
}

}  // namespace waypost::ops
