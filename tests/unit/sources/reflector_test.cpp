#include "sources/reflector.h"

#include "fake_api.h"
#include "sources/api_source.h"
#include "world.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <doctest/doctest.h>
#include <spdlog/fmt/fmt.h>

namespace waypost::sources {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;
using enum Step::Finish;

const std::string Path = "/api/v1/services";
const std::string FirstList = "sendInitialEvents=true";

// One reflector of Services, the cache that it fills, and what was seen of both.
struct Fixture {
  explicit Fixture(ReflectorOptions options = {.audit_interval = 0ms})
      : reflector({api, timer, cache, events, is_stopped}, {.kind = kube::ObjectKind::Service},
                  options, 1) {
    cache.subscribe(deltas);
    cache.put(kube::Namespace{.name = "shop", .resource_version = 1, .labels = {}});
    deltas.take();
  }
  ~Fixture() {
    is_stopped = true;
    timer.release();
    cache.unsubscribe(deltas);
  }

  void start() {
    boost::asio::co_spawn(context, reflector.follow(), boost::asio::detached);
    boost::asio::co_spawn(context, reflector.audit(), boost::asio::detached);
    timer.settle();
  }
  // What was asked for since the last call, without what every request has.
  Lines targets() {
    Lines lines = api.take_targets();
    for (std::string& line : lines) {
      const auto drop = [&](const std::string& from, const std::string& until) {
        const std::size_t at = line.find(from);
        if (at != std::string::npos) {
          line.erase(at, std::min(line.find(until, at + 1), line.size()) - at);
        }
      };
      drop(Path, "?");
      drop("&timeoutSeconds=", "&");
      drop("&allowWatchBookmarks=true", "&");
    }
    return lines;
  }

  bool is_stopped = false;
  boost::asio::io_context context;
  FakeTimer timer{context};
  FakeApi api{timer};
  cache::ServiceCache cache;
  Recorder deltas;
  EventLog events;
  Reflector reflector;
};

Step stream(Lines pieces, Step::Finish finish = Hang) {
  return {.pieces = std::move(pieces), .finish = finish};
}
Step refusal(unsigned code, std::string_view reason, std::string_view message) {
  return {.status = code, .pieces = {status_json(code, reason, message)}};
}
std::string added(std::string_view name, unsigned version, std::string_view ip) {
  return event("ADDED", service_json(name, version, ip));
}

const Lines TwoServices = {added("web", 5, "10.96.0.1") + added("db", 7, "10.96.0.2"),
                           bookmark("Service", 9, true)};

}  // namespace

TEST_CASE("the first list comes as a stream, and changes follow on it") {
  Fixture f;
  f.api.script(Path, {stream(TwoServices)});
  f.start();
  CHECK(f.targets() ==
        Lines{"?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"});
  CHECK(f.deltas.take() == Lines{"+service shop/web", "+service shop/db"});
  CHECK(f.events.take() == Lines{"listed 2 Service"});
  CHECK(f.reflector.status().resource_version == 9);
  CHECK(f.reflector.status().is_connected);

  f.api.say(Path, event("MODIFIED", service_json("web", 12, "10.96.0.3")));
  f.api.say(Path, event("DELETED", service_json("db", 13, "10.96.0.2")));
  f.timer.advance(1s);
  CHECK(f.deltas.take() == Lines{"~service shop/web", "-service shop/db"});
  CHECK(f.reflector.status().resource_version == 13);
  CHECK(f.reflector.status().objects == 1);
  CHECK(f.cache.newest_resource_version() == 13);
  CHECK(f.targets().empty());
}

TEST_CASE("a server that does not stream lists is read in pages") {
  Fixture f;
  f.api.script(Path, {refusal(422, "Invalid", "sendInitialEvents is forbidden"),
                      {.pieces = {list_json("Service", 20, {service_json("web", 5, "10.96.0.1")},
                                            R"(,"continue":"a/b+c","remainingItemCount":1)")}},
                      {.pieces = {list_json("Service", 20, {service_json("db", 7, "10.96.0.2")})}},
                      stream({added("new", 21, "10.96.0.4")})});
  f.start();
  CHECK(f.targets() == Lines{"?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
                             "?limit=500", "?limit=500&continue=a%2Fb%2Bc",
                             "?watch=true&resourceVersion=20"});
  CHECK(f.deltas.take() == Lines{"+service shop/web", "+service shop/db", "+service shop/new"});
  CHECK(f.reflector.status().relists == 1);
  CHECK(f.reflector.status().objects == 3);
}

TEST_CASE("a list whose continue token expires begins again, and at last comes in one piece") {
  Fixture f;
  const Step first_page = {
      .pieces = {list_json("Service", 20, {service_json("web", 5, "10.96.0.1")},
                           R"(,"continue":"t","remainingItemCount":1)")}};
  const Step expired = refusal(410, "Expired", "The provided continue parameter is too old");
  f.api.script(Path, {refusal(422, "Invalid", ""),
                      first_page,
                      expired,
                      first_page,
                      expired,
                      {.pieces = {list_json("Service", 30,
                                            {service_json("web", 5, "10.96.0.1"),
                                             service_json("db", 7, "10.96.0.2")})}},
                      stream({})});
  f.start();
  f.timer.advance(5s);
  CHECK(f.targets() == Lines{"?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
                             "?limit=500", "?limit=500&continue=t", "?limit=500",
                             "?limit=500&continue=t", "", "?watch=true&resourceVersion=30"});
  CHECK(f.deltas.take() == Lines{"+service shop/web", "+service shop/db"});
  CHECK(f.reflector.status().expired == 2);
  CHECK(f.reflector.status().resource_version == 30);
}

TEST_CASE("a stream that ends or breaks is resumed at the last version, bookmarks included") {
  for (const Step::Finish finish : {End, Break}) {
    Fixture f;
    Lines pieces = TwoServices;
    pieces.push_back(bookmark("Service", 40));
    f.api.script(Path, {stream(pieces, finish), stream({added("new", 41, "10.96.0.4")})});
    f.start();
    f.timer.advance(1s);
    const Lines targets = f.targets();
    REQUIRE(targets.size() == 2);
    CHECK(targets[1] == "?watch=true&resourceVersion=40");
    CHECK(f.deltas.take() == Lines{"+service shop/web", "+service shop/db", "+service shop/new"});
    CHECK(f.events.take() ==
          (finish == End
               ? Lines{"listed 2 Service"}
               : Lines{"listed 2 Service", "lost Service: connection reset", "restored Service"}));
    CHECK(f.reflector.status().relists == 1);
  }
}

TEST_CASE("410 Gone leads to a list that finds deletions and leaves equal objects alone") {
  const Step gone_status = refusal(410, "Expired", "too old resource version: 9 (100)");
  const Step gone_event =
      stream({event("ERROR", status_json(410, "Expired", "too old resource version: 9 (100)"))});
  for (const Step& gone : {gone_status, gone_event}) {
    Fixture f;
    f.api.script(Path, {stream(TwoServices, End), gone,
                        stream({added("web", 50, "10.96.0.1") + added("new", 60, "10.96.0.4"),
                                bookmark("Service", 100, true)})});
    f.start();
    f.deltas.take();
    f.timer.advance(1s);
    CHECK(f.deltas.take() == Lines{"+service shop/new", "-service shop/db"});
    CHECK(f.reflector.status().resource_version == 100);
    CHECK(f.reflector.status().expired == 1);
    CHECK(f.reflector.status().relists == 2);
    CHECK(f.cache.newest_resource_version() == 100);  // The deletion is of some version up to it.
  }
}

TEST_CASE("a list that breaks off anywhere changes nothing that was there") {
  const Lines whole = {added("a", 60, "10.96.0.4"), added("b", 61, "10.96.0.5"),
                       added("web", 50, "10.96.0.1"), bookmark("Service", 100, true)};
  for (std::size_t kept = 0; kept < whole.size(); ++kept) {
    for (const Step::Finish finish : {End, Break}) {
      Fixture f;
      f.api.script(Path,
                   {stream(TwoServices, End), refusal(410, "Expired", ""),
                    stream(Lines(whole.begin(), whole.begin() + static_cast<long>(kept)), finish),
                    stream(whole)});
      f.start();
      f.timer.advance(150ms);
      CHECK(f.cache.find({"shop", "db"}).has_value());
      f.timer.advance(2s);
      CHECK_FALSE(f.cache.find({"shop", "db"}).has_value());
      CHECK(f.cache.counts().services == 3);
      CHECK(f.api.steps_left() == 0);
    }
  }
}

TEST_CASE("tries that fail wait longer and longer, and at most the cap") {
  Fixture f;
  f.api.script(Path, std::vector<Step>(20, {.refuses_connection = true}));
  f.start();
  f.timer.advance(1s);
  const std::size_t in_first_second = f.targets().size();
  CHECK(in_first_second >= 3);
  CHECK(in_first_second <= 5);
  f.timer.advance(30s);
  CHECK(f.targets().size() <= 7);
  f.timer.advance(60s);
  const std::size_t at_the_cap = f.targets().size();
  CHECK(at_the_cap >= 2);
  CHECK(at_the_cap <= 4);
  CHECK(f.events.take() == Lines{"lost Service: connection refused"});
}

TEST_CASE("a stream that was useful before it broke is resumed at once, every time") {
  Fixture f;
  f.api.script(Path, {stream(TwoServices, Break)});
  for (unsigned version = 20; version < 40; ++version) {
    f.api.script(Path, {stream({added("web", version, "10.96.0.1")}, Break)});
  }
  f.start();
  f.timer.advance(5s);
  CHECK(f.api.steps_left() == 0);
}

TEST_CASE("another reason for a lost stream is told, the same one is not") {
  Fixture f;
  f.api.script(Path, {{.refuses_connection = true},
                      {.refuses_connection = true},
                      refusal(401, "Unauthorized", "Unauthorized"),
                      refusal(401, "Unauthorized", "Unauthorized"),
                      stream(TwoServices)});
  f.start();
  f.timer.advance(20s);
  CHECK(f.events.take() == Lines{"lost Service: connection refused",
                                 "lost Service: the server says: 401 Unauthorized",
                                 "restored Service", "listed 2 Service"});
}

TEST_CASE("a server whose every watch is too old is not stormed with lists") {
  for (const bool in_pages : {false, true}) {
    Fixture f;
    if (in_pages) {
      f.api.script(Path, {refusal(422, "Invalid", "")});
    }
    for (int turn = 0; turn < 50; ++turn) {
      if (in_pages) {
        f.api.script(
            Path, {{.pieces = {list_json("Service", 20, {})}}, refusal(410, "Expired", "too old")});
      } else {
        f.api.script(Path, {stream({TwoServices[0], TwoServices[1],
                                    event("ERROR", status_json(410, "Expired", "too old"))})});
      }
    }
    f.start();
    f.timer.advance(10s);
    CHECK(f.targets().size() <= 20);
  }
}

TEST_CASE("a server that closes every stream at once is not stormed") {
  Fixture f;
  f.api.script(Path, {stream(TwoServices, End)});
  f.api.script(Path, std::vector<Step>(50, stream({}, End)));
  f.start();
  f.timer.advance(10s);
  CHECK(f.targets().size() <= 10);
}

TEST_CASE("Retry-After is followed") {
  Fixture f;
  Step busy = refusal(429, "TooManyRequests", "slow down");
  busy.retry_after = 7s;
  f.api.script(Path, {busy, stream(TwoServices)});
  f.start();
  f.timer.advance(6900ms);
  CHECK(f.targets().size() == 1);
  f.timer.advance(200ms);
  CHECK(f.targets().size() == 1);
  CHECK(f.events.take() == Lines{"lost Service: the server says: 429 TooManyRequests: slow down",
                                 "restored Service", "listed 2 Service"});
}

TEST_CASE("a stream that says nothing for too long is given up and resumed") {
  Fixture f;
  f.api.script(Path, {stream(TwoServices), stream({added("new", 41, "10.96.0.4")})});
  f.start();
  f.timer.advance(149s);
  CHECK(f.targets().size() == 1);
  f.timer.advance(5s);
  CHECK(f.targets() == Lines{"?watch=true&resourceVersion=9"});
  CHECK(f.reflector.status().stalls == 1);
  CHECK(f.cache.find({"shop", "new"}).has_value());
}

TEST_CASE("a list by stream that never ends is followed by pages") {
  Fixture f;
  f.api.script(Path, {stream({added("web", 5, "10.96.0.1")}),
                      {.pieces = {list_json("Service", 20, {service_json("web", 5, "10.96.0.1")})}},
                      stream({})});
  f.start();
  f.timer.advance(40s);
  CHECK(f.targets() == Lines{"?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
                             "?limit=500", "?watch=true&resourceVersion=20"});
}

TEST_CASE("an object that cannot be used keeps its last good version and is named once") {
  Fixture f;
  f.api.script(Path, {stream(TwoServices)});
  f.start();
  f.deltas.take();
  f.events.take();
  std::string bad = service_json("web", 12, "10.96.0.3");
  bad.replace(bad.find("\"port\":80"), 9, "\"port\":\"x\"");
  f.api.say(Path, event("MODIFIED", bad) + event("MODIFIED", bad) + added("new", 14, "10.96.0.4"));
  f.timer.advance(1s);
  CHECK(f.deltas.take() == Lines{"+service shop/new"});
  const Lines told = f.events.take();
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("Service shop/web") != std::string::npos);
  CHECK(told[0].find("spec.ports[0].port") != std::string::npos);
  CHECK(f.reflector.status().quarantined == 1);
  CHECK(f.reflector.status().decode_errors == 2);
  CHECK(f.reflector.status().objects == 3);
  CHECK(f.cache.find({"shop", "web"})->service->cluster_ips[0].to_text() == "10.96.0.1");

  f.api.say(Path, event("MODIFIED", service_json("web", 15, "10.96.0.3")));
  f.timer.advance(1s);
  CHECK(f.deltas.take() == Lines{"~service shop/web"});
  CHECK(f.reflector.status().quarantined == 0);
  CHECK(f.reflector.status().objects == 3);

  f.api.say(Path, event("ADDED", [] {
              std::string text = service_json("never", 16, "10.96.0.9");
              text.replace(text.find("ClusterIP\","), 11, "Surprise\",");
              return text;
            }()));
  f.timer.advance(1s);
  CHECK(f.reflector.status().objects == 4);
  f.api.say(Path, event("DELETED", service_json("never", 17, "10.96.0.9")));
  f.timer.advance(1s);
  CHECK(f.reflector.status().objects == 3);
  CHECK(f.reflector.status().quarantined == 0);
  CHECK(f.deltas.take().empty());
}

TEST_CASE("a frame that is no JSON leads to a list") {
  Fixture f;
  f.api.script(Path, {stream(TwoServices),
                      stream({added("web", 5, "10.96.0.1"), bookmark("Service", 30, true)})});
  f.start();
  f.deltas.take();
  f.api.say(Path, "{\"type\":\"ADDED\",\"object\":]}\n");
  f.timer.advance(2s);
  CHECK(f.deltas.take() == Lines{"-service shop/db"});
  CHECK(f.reflector.status().relists == 2);
}

TEST_CASE("a missing right is told once, with the rule to add, and tried again now and then") {
  Fixture f;
  const Step forbidden = refusal(403, "Forbidden", "services is forbidden");
  f.api.script(Path, std::vector<Step>(6, forbidden));
  f.api.script(Path, {{.pieces = {list_json("Service", 20, {})}}, stream({})});
  f.start();
  f.timer.advance(70s);
  CHECK(f.events.take() == Lines{"forbidden Service: the server says: 403 Forbidden: services is "
                                 "forbidden; apiGroups: [\"\"], "
                                 "resources: [\"services\"], verbs: [\"list\", \"watch\"]"});
  CHECK(f.reflector.status().is_forbidden);
  CHECK(f.targets().size() <= 5);
  f.timer.advance(150s);
  CHECK(f.events.take() == Lines{"listed 0 Service"});
  CHECK_FALSE(f.reflector.status().is_forbidden);
}

TEST_CASE("where only lists are allowed, lists are read again and again") {
  Fixture f;
  const Step forbidden = refusal(403, "Forbidden", "cannot watch");
  const Step one = {.pieces = {list_json("Service", 20, {service_json("web", 5, "10.96.0.1")})}};
  const Step two = {.pieces = {list_json("Service", 21, {service_json("db", 21, "10.96.0.2")})}};
  f.api.script(Path, {forbidden, one, forbidden, two, forbidden});
  f.start();
  f.timer.advance(1s);
  CHECK(f.deltas.take() == Lines{"+service shop/web"});
  f.timer.advance(31s);
  CHECK(f.deltas.take() == Lines{"+service shop/db", "-service shop/web"});
}

TEST_CASE("a server whose history was set back is listed again") {
  Fixture f;
  Step too_large{
      .status = 504,
      .pieces = {R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)"
                 R"("message":"Timeout: Too large resource version: 9, current: 3",)"
                 R"("reason":"Timeout","details":{"causes":[{"reason":)"
                 R"("ResourceVersionTooLarge","message":"Too large resource version"}],)"
                 R"("retryAfterSeconds":1},"code":504})"}};
  f.api.script(Path, {stream(TwoServices, End), too_large,
                      stream({added("web", 2, "10.96.0.1"), bookmark("Service", 3, true)})});
  f.start();
  f.deltas.take();
  f.timer.advance(2s);
  CHECK(f.deltas.take() == Lines{"-service shop/db"});
  CHECK(f.reflector.status().resource_version == 3);
}

//------------------------------------------------------------------ audits

namespace {

struct Audited : Fixture {
  Audited() : Fixture({.audit_interval = 10s}) {
    api.script(Path, {stream(TwoServices)});
    start();
    targets();
    events.take();
  }
  Step count(unsigned version, unsigned others) {
    return {
        .pieces = {list_json("Service", version, {service_json("web", 5, "10.96.0.1")},
                             fmt::format(R"(,"continue":"x","remainingItemCount":{})", others))}};
  }
  void keep_alive(unsigned version) { api.say(Path, bookmark("Service", version)); }
};

}  // namespace

TEST_CASE("an audit that agrees changes nothing") {
  Audited f;
  f.api.script(Path, {f.count(50, 1)});
  f.timer.advance(15s);
  CHECK(f.targets() == Lines{"?limit=1"});
  CHECK(f.reflector.status().audits == 0);  // The stream has yet to reach version 50.
  f.keep_alive(50);
  f.timer.advance(1s);
  CHECK(f.reflector.status().audits == 1);
  CHECK(f.reflector.status().audit_mismatches == 0);
  CHECK(f.reflector.status().relists == 1);
}

TEST_CASE("an audit counts up to its version and not beyond") {
  Audited f;
  f.api.script(Path, {f.count(50, 2)});
  f.timer.advance(15s);
  f.api.say(Path, added("a", 50, "10.96.0.5"));
  f.api.say(Path, added("b", 51, "10.96.0.6"));
  f.timer.advance(1s);
  CHECK(f.reflector.status().audits == 1);
  CHECK(f.reflector.status().audit_mismatches == 0);
  CHECK(f.reflector.status().lag > 0ms);
}

TEST_CASE("an audit that finds another number of objects leads to a list") {
  Audited f;
  f.api.script(
      Path, {f.count(50, 5), stream({added("web", 5, "10.96.0.1"), added("lost", 45, "10.96.0.7"),
                                     bookmark("Service", 52, true)})});
  f.timer.advance(15s);
  f.deltas.take();
  f.keep_alive(51);
  f.timer.advance(2s);
  CHECK(f.events.take() ==
        Lines{"mismatch Service: 2 objects are known here, the server has 6", "listed 2 Service"});
  CHECK(f.deltas.take() == Lines{"+service shop/lost", "-service shop/db"});
  CHECK(f.reflector.status().audit_mismatches == 1);
}

TEST_CASE("a stream that lives but does not get on is given up for a list") {
  Audited f;
  f.api.script(Path, {f.count(50, 1), stream(TwoServices)});
  for (int seconds = 0; seconds < 60; seconds += 5) {
    if (f.api.steps_left() != 0) {
      f.keep_alive(9);
    }
    f.timer.advance(5s);
  }
  CHECK(f.reflector.status().relists == 2);
  CHECK(f.reflector.status().audit_mismatches == 1);
}

TEST_CASE("an audit that finds the server's history set back leads to a list") {
  Audited f;
  f.api.script(
      Path, {f.count(4, 0), stream({added("web", 2, "10.96.0.1"), bookmark("Service", 5, true)})});
  f.timer.advance(15s);
  f.deltas.take();
  f.keep_alive(9);
  f.timer.advance(2s);
  CHECK(f.events.take() ==
        Lines{"mismatch Service: the server is at version 4, version 9 is known here",
              "listed 1 Service"});
  CHECK(f.deltas.take() == Lines{"-service shop/db"});
  CHECK(f.reflector.status().resource_version == 5);
}

//------------------------------------------------------------------ several kinds

namespace {

struct SourceFixture {
  SourceFixture() {
    cache.subscribe(deltas);
    auto transport = std::make_unique<FakeApi>(clock());
    api = transport.get();
    source = std::make_unique<ApiSource>(
        context, ApiOptions{.kinds = kinds_for_names(false, false), .reflector = {}},
        std::move(transport), std::move(timer_owner), cache, events);
  }
  ~SourceFixture() { cache.unsubscribe(deltas); }
  FakeTimer& clock() {
    timer_owner = std::make_unique<FakeTimer>(context);
    timer = timer_owner.get();
    return *timer;
  }

  boost::asio::io_context context;
  cache::ServiceCache cache;
  Recorder deltas;
  EventLog events;
  std::unique_ptr<FakeTimer> timer_owner;
  FakeTimer* timer = nullptr;
  FakeApi* api = nullptr;
  std::unique_ptr<ApiSource> source;
};

const std::string Slices = "/apis/discovery.k8s.io/v1/endpointslices";
const std::string Namespaces = "/api/v1/namespaces";

}  // namespace

TEST_CASE("a source is synced once every kind was listed") {
  SourceFixture f;
  f.api->script(
      Namespaces,
      {stream({event("ADDED", namespace_json("shop", 3)), bookmark("Namespace", 9, true)})});
  f.api->script(Path, {stream(TwoServices)});
  f.api->script(Slices, {stream({event("ADDED", slice_json("web-1", "web", 6, "10.244.0.5"))})});
  f.source->start();
  f.timer->settle();
  CHECK_FALSE(f.source->is_synced());
  CHECK_FALSE(f.cache.is_synced());
  f.api->say(Slices, bookmark("EndpointSlice", 9, true));
  f.timer->advance(1s);
  CHECK(f.source->is_synced());
  CHECK(f.cache.is_synced());
  CHECK(f.cache.counts().endpoints == 1);
  CHECK(f.source->age() <= 2s);
}

TEST_CASE("without the right to read Namespaces, those of Services are taken to exist") {
  SourceFixture f;
  f.api->script(Namespaces, std::vector<Step>(3, refusal(403, "Forbidden", "no")));
  f.api->script(
      Namespaces,
      {stream({event("ADDED", namespace_json("other", 3)), bookmark("Namespace", 90, true)})});
  f.api->script(Path, {stream(TwoServices)});
  f.api->script(Slices, {stream({bookmark("EndpointSlice", 9, true)})});
  f.source->start();
  f.timer->advance(1s);
  CHECK(f.source->is_synced());
  CHECK(f.cache.find_namespace("shop") != nullptr);
}

TEST_CASE("a source that is gone touches nothing any more") {
  SourceFixture f;
  f.api->script(Namespaces, {stream({})});
  f.api->script(Path, {stream(TwoServices)});
  f.source->start();
  f.timer->settle();
  CHECK(f.deltas.take() == Lines{"+service shop/web", "+service shop/db"});
  f.source.reset();
  f.api->say(Path, added("new", 41, "10.96.0.4"));
  f.timer->advance(2s);
  CHECK(f.deltas.take().empty());
}

}  // namespace waypost::sources
