#include "sources/reflector.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

namespace waypost::sources {
namespace {

namespace asio = boost::asio;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

// The body of a response that is no list: a Status, which is small.
constexpr std::size_t MaxStatusSize = 64U << 10;
// A stream that ends sooner and says nothing was not worth opening: the next one waits.
constexpr milliseconds ShortLife{1000};
// Continue tokens that expire before a list is through, until it is asked for in one piece.
constexpr unsigned MaxExpiredPages = 2;

constexpr unsigned Ok = 200;
constexpr unsigned Forbidden = 403;

std::string without_digits(std::string text) {
  std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
  return text;
}

// How a server says that it does not stream lists: it does not know the parameters.
bool is_unsupported(unsigned code) noexcept {
  return code == 400 || code == 406 || code == 422;
}

}  // namespace

Reflector::Reflector(const ReflectorContext& context, KindRequest request,
                     const ReflectorOptions& options, std::uint64_t seed)
    : context_(context),
      request_(std::move(request)),
      options_(options),
      status_{.kind = request_.kind},
      writer_(request_.kind, request_.decode, context.cache, status_, context.events),
      backoff_(options.backoff, seed) {}

//------------------------------------------------------------------ the life of a kind

asio::awaitable<void> Reflector::follow() {
  while (!context_.is_stopped) {
    const SteadyTime begun = context_.timer.now();
    const KindStatus before = status_;
    const End end = co_await bring_up_to_date();
    if (end == End::Stopped) {
      co_return;
    }
    note_end(end);
    const bool has_lived =
        status_.watches != before.watches && context_.timer.now() - begun >= ShortLife;
    const bool has_told = status_.events != before.events || status_.bookmarks != before.bookmarks;
    // A list whose watch is too old at once (410) would otherwise be read over and over.
    if (has_lived || (has_told && end != End::Expired)) {
      backoff_.reset();
    }
    const bool is_listed = status_.relists != before.relists;
    if (end == End::Done && (has_lived || has_told || is_listed)) {
      continue;
    }
    const milliseconds own = backoff_.next();
    co_await context_.timer.wait(end == End::Failed ? failure_.retry_after.value_or(own) : own);
  }
}

asio::awaitable<Reflector::End> Reflector::bring_up_to_date() {
  if (!needs_list_) {
    co_return co_await stream(false);
  }
  // Where watching is forbidden, listing may still be allowed, and old data is better than none.
  if (!lists_in_pages_ && !status_.is_forbidden) {
    const End end = co_await stream(true);
    if (end != End::Unsupported) {
      co_return end;
    }
    lists_in_pages_ = true;
  }
  co_return co_await list_in_pages();
}

//------------------------------------------------------------------ the stream

std::string Reflector::stream_target(bool with_list) {
  const auto seconds =
      duration_cast<std::chrono::seconds>(backoff_.spread(options_.watch_time)).count();
  std::string parameters =
      fmt::format("watch=true&allowWatchBookmarks=true&timeoutSeconds={}", seconds);
  parameters += with_list ? "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
                          : fmt::format("&resourceVersion={}", status_.resource_version);
  return target_of(request_, parameters);
}

asio::awaitable<Reflector::End> Reflector::stream(bool with_list) {
  auto exchange = co_await context_.transport.get(stream_target(with_list), options_.head_timeout);
  if (context_.is_stopped) {
    co_return End::Stopped;
  }
  if (!exchange) {
    co_return fail(exchange.error().message);
  }
  if ((*exchange)->status() != Ok) {
    const bool is_refusal = with_list && is_unsupported((*exchange)->status());
    co_return is_refusal ? End::Unsupported : co_await refuse(**exchange);
  }
  ++status_.watches;
  status_.is_forbidden = false;
  if (!with_list) {
    note_contact();
  }
  is_behind_ = false;
  is_listing_ = with_list;
  if (is_listing_) {
    writer_.begin_list();
  }
  const End end = co_await read_stream(**exchange);
  if (end != End::Stopped && std::exchange(is_listing_, false)) {
    writer_.abandon_list();
  }
  co_return end;
}

asio::awaitable<Reflector::End> Reflector::read_stream(kube::ApiExchange& exchange) {
  std::optional<End> end;
  kube::WatchReader reader([&](const kube::WatchEvent& event) {
    if (!end) {
      end = on_event(event);
    }
  });
  while (!end) {
    const auto piece =
        co_await exchange.read(is_listing_ ? options_.list_timeout : options_.stall_timeout);
    if (context_.is_stopped) {
      co_return End::Stopped;
    }
    if (!piece) {
      co_return on_silence(piece.error());
    }
    if (piece->empty()) {
      const Result<void> closed = reader.finish();
      co_return !closed ? fail(closed.error().message)
      : is_listing_     ? fail("the stream ended before its list was complete")
                        : End::Done;
    }
    if (const Result<void> fed = reader.feed(*piece);
        !fed) {  // What was lost with it is not known.
      needs_list_ = true;
      co_return fail(fed.error().message);
    }
    if (is_behind_) {
      co_return End::Done;
    }
  }
  co_return *end;
}

Reflector::End Reflector::on_silence(const Error& error) {
  if (error.kind == ErrorKind::Exhausted) {
    ++status_.stalls;
    // A proxy may swallow the parameters that make a list of a stream; then its end never comes.
    lists_in_pages_ = lists_in_pages_ || is_listing_;
  }
  return fail(error.message);
}

std::optional<Reflector::End> Reflector::on_event(const kube::WatchEvent& event) {
  using Type = kube::WatchEventType;
  const std::size_t before = writer_.count();
  switch (event.type) {
    case Type::Added:
    case Type::Modified:
      return on_change(writer_.put(event.object), before);
    case Type::Deleted:
      return on_change(writer_.erase(event.object), before);
    case Type::Bookmark:
      return on_bookmark(event.object);
    case Type::Error:
      return on_error(event.object);
  }
  return std::nullopt;
}

std::optional<Reflector::End> Reflector::on_change(std::uint64_t version, std::size_t before) {
  ++status_.events;
  status_.last_event = context_.timer.now();
  if (is_listing_) {
    return std::nullopt;  // In the order of names, not of versions.
  }
  note_contact();
  if (version == 0) {  // It cannot even be read; a list shows what became of it.
    return std::nullopt;
  }
  const bool agrees =
      !audit_ || (version > audit_->resource_version ? settle_audit(before)
                                                     : advance_audit(version, writer_.count()));
  status_.resource_version = version;
  last_change_ = version;
  return agrees ? std::nullopt : std::optional(End::Done);
}

std::optional<Reflector::End> Reflector::on_bookmark(std::string_view json) {
  ++status_.bookmarks;
  const auto bookmark = writer_.read_bookmark(json);
  if (!bookmark) {
    return fail(bookmark.error().message);
  }
  status_.last_bookmark = context_.timer.now();
  if (is_listing_) {
    if (bookmark->ends_initial_events) {
      finish_list(bookmark->resource_version);
    }
    return std::nullopt;
  }
  note_contact();
  status_.resource_version = std::max(status_.resource_version, bookmark->resource_version);
  const bool agrees = !audit_ || bookmark->resource_version < audit_->resource_version ||
                      settle_audit(writer_.count());
  return agrees ? std::nullopt : std::optional(End::Done);
}

void Reflector::finish_list(std::uint64_t version) {
  writer_.end_list(version);
  is_listing_ = false;
  needs_list_ = false;
  expired_pages_ = 0;
  audit_.reset();
  status_.resource_version = version;
  last_change_ = version;
  ++status_.relists;
  status_.is_listed = true;
  note_contact();
  context_.events.on_listed(status_);
}

//------------------------------------------------------------------ lists in pages

asio::awaitable<Reflector::End> Reflector::list_in_pages() {
  is_listing_ = true;
  writer_.begin_list();
  kube::ListMeta meta;
  End end = End::Done;
  do {
    std::string parameters;
    if (expired_pages_ < MaxExpiredPages) {
      parameters = fmt::format("limit={}", options_.page_size);
    }
    if (!meta.continue_token.empty()) {
      parameters += "&continue=" + percent_encoded(meta.continue_token);
    }
    end = co_await list_page(target_of(request_, parameters), meta);
  } while (end == End::Done && !meta.continue_token.empty());
  if (end == End::Done) {
    finish_list(meta.resource_version);
  } else if (end != End::Stopped) {
    expired_pages_ += end == End::Expired ? 1 : 0;
    is_listing_ = false;
    writer_.abandon_list();
  }
  co_return end;
}

asio::awaitable<Reflector::End> Reflector::list_page(const std::string& target,
                                                     kube::ListMeta& meta) {
  auto exchange = co_await context_.transport.get(target, options_.head_timeout);
  if (context_.is_stopped) {
    co_return End::Stopped;
  }
  if (!exchange) {
    co_return fail(exchange.error().message);
  }
  if ((*exchange)->status() != Ok) {
    co_return co_await refuse(**exchange);
  }
  auto read =
      co_await read_items(**exchange, [this](std::string_view item) { (void)writer_.put(item); });
  if (context_.is_stopped) {
    co_return End::Stopped;
  }
  if (!read) {
    co_return fail(read.error().message);
  }
  meta = std::move(*read);
  co_return End::Done;
}

asio::awaitable<Result<kube::ListMeta>> Reflector::read_items(kube::ApiExchange& exchange,
                                                              kube::ListReader::ItemSink on_item) {
  kube::ListReader reader(std::move(on_item));
  for (;;) {
    const auto piece = co_await exchange.read(options_.list_timeout);
    if (context_.is_stopped) {
      co_return failure(ErrorKind::System, "stopped");
    }
    if (!piece) {
      co_return std::unexpected(piece.error());
    }
    if (piece->empty()) {
      break;
    }
    if (const Result<void> fed = reader.feed(*piece); !fed) {
      co_return std::unexpected(fed.error());
    }
  }
  auto body = reader.finish();
  if (!body) {
    co_return std::unexpected(std::move(body.error()));
  }
  if (auto* meta = std::get_if<kube::ListMeta>(&*body)) {
    co_return std::move(*meta);
  }
  co_return failure(ErrorKind::InvalidInput, "a list was expected, the server says: " +
                                                 std::get<kube::ApiStatus>(*body).to_text());
}

//------------------------------------------------------------------ refusals and failures

asio::awaitable<Reflector::End> Reflector::refuse(kube::ApiExchange& exchange) {
  std::string body;
  while (body.size() < MaxStatusSize) {
    const auto piece = co_await exchange.read(options_.list_timeout);
    if (context_.is_stopped) {
      co_return End::Stopped;
    }
    if (!piece || piece->empty()) {
      break;
    }
    body += *piece;
  }
  kube::ApiStatus status = kube::decode_status(body).value_or(kube::ApiStatus());
  status.code = exchange.status();  // The line is there even when the body is a proxy's page.
  co_return on_status(status, exchange.retry_after());
}

Reflector::End Reflector::on_error(std::string_view json) {
  const auto status = kube::decode_status(json);
  return status ? on_status(*status, std::nullopt) : fail(status.error().message);
}

Reflector::End Reflector::on_status(const kube::ApiStatus& status,
                                    std::optional<std::chrono::seconds> retry_after) {
  if (status.is_expired()) {
    ++status_.expired;
    needs_list_ = true;
    return End::Expired;
  }
  const End end = fail("the server says: " + status.to_text());
  failure_.retry_after = retry_after ? retry_after : status.retry_after;
  if (status.is_too_large_version()) {  // The server's history was set back: an etcd was restored.
    needs_list_ = true;
  }
  if (status.code == Forbidden) {
    needs_list_ = true;
    const bool is_news = !std::exchange(status_.is_forbidden, true);
    failure_.retry_after = is_news ? milliseconds(0) : options_.backoff.cap;
    if (is_news) {
      context_.events.on_forbidden(status_, failure_.message,
                                   rbac_rule(resource_of(request_.kind)));
    }
  }
  return end;
}

Reflector::End Reflector::fail(std::string message) {
  failure_ = {.message = std::move(message), .retry_after = std::nullopt};
  return End::Failed;
}

void Reflector::note_end(End end) {
  status_.is_connected = false;
  if (end != End::Failed) {
    return;
  }
  ++status_.failures;
  status_.last_error = failure_.message;
  // Retries repeat themselves but for jitter and versions; another reason is news.
  std::string reason = without_digits(failure_.message);
  if (!status_.is_forbidden && reason != told_) {
    told_ = std::move(reason);
    context_.events.on_lost(status_, failure_.message);
  }
}

void Reflector::note_contact() {
  status_.last_contact = context_.timer.now();
  status_.is_connected = true;
  status_.last_error.clear();
  if (!std::exchange(told_, {}).empty()) {
    context_.events.on_restored(status_);
  }
}

//------------------------------------------------------------------ audits

asio::awaitable<void> Reflector::audit() {
  while (options_.audit_interval.count() != 0) {
    co_await context_.timer.wait(backoff_.spread(options_.audit_interval));
    if (context_.is_stopped) {
      co_return;
    }
    if (audit_ && status_.is_connected) {
      // Bookmarks come more often than audits, so the stream passes events by.
      const auto since =
          duration_cast<std::chrono::seconds>(context_.timer.now() - audit_->asked).count();
      give_up_stream(fmt::format("the stream is at version {}, the server was at {} {} s ago",
                                 status_.resource_version, audit_->resource_version, since));
      audit_.reset();
      continue;
    }
    if (!status_.is_connected || is_listing_) {
      continue;
    }
    co_await ask_for_audit();
  }
}

// Asks for one object and the number of the others; a selection is counted whole, because the
// server does not tell its size.  What fails here proves nothing: the next audit comes.
asio::awaitable<void> Reflector::ask_for_audit() {
  const SteadyTime asked = context_.timer.now();
  const std::uint64_t known = status_.resource_version;
  const auto exchange = co_await context_.transport.get(
      target_of(request_, request_.has_selector() ? "" : "limit=1"), options_.head_timeout);
  if (context_.is_stopped || !exchange || (*exchange)->status() != Ok) {
    co_return;
  }
  const auto meta = co_await read_items(**exchange, [](std::string_view) {});
  if (context_.is_stopped || !meta || !status_.is_connected || is_listing_) {
    co_return;
  }
  if (meta->resource_version < known) {
    // A list is never older than what was told before, unless an etcd was restored from a backup;
    // a watch from a version that is yet to come says nothing at all.
    give_up_stream(fmt::format("the server is at version {}, version {} is known here",
                               meta->resource_version, known));
    co_return;
  }
  if (meta->resource_version < last_change_ ||
      (!meta->continue_token.empty() && !meta->remaining_item_count)) {
    co_return;
  }
  audit_ =
      Audit{meta->resource_version, meta->items + meta->remaining_item_count.value_or(0), asked};
  status_.lag = milliseconds(0);
  if (status_.resource_version >= audit_->resource_version) {
    (void)settle_audit(writer_.count());  // The open stream sees when it has to end.
  }
}

// An event of a version that the audit's list has: what it did counts.
bool Reflector::advance_audit(std::uint64_t version, std::size_t count) {
  status_.lag = duration_cast<milliseconds>(context_.timer.now() - audit_->asked);
  return version < audit_->resource_version || settle_audit(count);
}

// Everything up to the audit's version and nothing beyond it makes `count`.  False: a list has to
// follow.
bool Reflector::settle_audit(std::size_t count) {
  ++status_.audits;
  const std::size_t objects = std::exchange(audit_, std::nullopt)->objects;
  if (count == objects) {
    return true;
  }
  give_up_stream(fmt::format("{} objects are known here, the server has {}", count, objects));
  return false;
}

void Reflector::give_up_stream(const std::string& reason) {
  ++status_.audit_mismatches;
  needs_list_ = true;
  is_behind_ = true;
  context_.events.on_mismatch(status_, reason);
}

}  // namespace waypost::sources
