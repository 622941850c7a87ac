// What the status page is made of: markup, tables, drawings, rates, queries, and who may see it.

#include "ops/page/charts.h"
#include "ops/page/dns_sections.h"
#include "ops/page/html.h"
#include "ops/page/page_files.h"
#include "ops/page/page_query.h"
#include "ops/page/page_server.h"
#include "ops/page/rate_history.h"
#include "ops/page/table.h"
#include "ops/page/top_queries.h"
#include "sources/api_kind.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace waypost::ops {
namespace {

using namespace std::string_view_literals;

// Where the next polyline is, as the drawing says it.
std::string points_of(const Html& drawing) {
  const std::string& text = drawing.to_text();
  const std::size_t begin = text.find("points=\"") + 8;
  return text.substr(begin, text.find('"', begin) - begin);
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + part.size())) {
    ++found;
  }
  return found;
}

constexpr std::string_view Hostile = "\"><script>alert('x')</script>&amp;\n\0\xff"sv;
constexpr std::string_view Harmless =
    "&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;amp;\\x0a\\x00\\xff";

}  // namespace

TEST_CASE("text becomes no markup, whatever octets it has") {
  CHECK(escaped(Hostile).to_text() == Harmless);
  for (unsigned octet = 0; octet < 256; ++octet) {
    const char each = static_cast<char>(octet);
    const std::string html = escaped(std::string_view(&each, 1)).to_text();
    CAPTURE(octet);
    CHECK(html.find_first_of("<>\"'") == std::string::npos);
    for (const char one : html) {
      CHECK((one >= ' ' && one <= '~'));
    }
    CHECK((each == '&') == (html == "&amp;"));
  }
}

TEST_CASE("a table escapes its caption, titles and what stands in place of rows") {
  HtmlTable empty(Hostile, {{"a"}}, Hostile);
  CHECK(empty.finish().to_text() ==
        "<p class=\"empty\">" + std::string(Harmless) + ": " + std::string(Harmless) + "</p>\n");
  HtmlTable table(Hostile, {{Hostile}, {"n", Align::Number}}, "");
  table.row({escaped(Hostile), Html().number(std::uint64_t{7})});
  const std::string text = table.finish().to_text();
  CHECK(text.find("<script") == std::string::npos);
  CHECK(text.find("<caption>" + std::string(Harmless) + "</caption>") != std::string::npos);
  CHECK(text.find("<th scope=\"row\">" + std::string(Harmless) +
                  "</th><td class=\"number\">7</td></tr>") != std::string::npos);
}

TEST_CASE("the places of a file are filled with what is given") {
  const Html filled = fill("search.html", {{"wanted", escaped(Hostile)}});
  CHECK(filled.to_text().find("value=\"" + std::string(Harmless) + "\"") != std::string::npos);
  CHECK(filled.to_text().find("{{") == std::string::npos);
}

TEST_CASE("of a histogram the buckets count from the first to the last with anything in it") {
  using Buckets = std::vector<std::uint64_t>;
  CHECK(used_range(Buckets{0, 1, 0, 2, 0}) == std::pair<std::size_t, std::size_t>{1, 4});
  CHECK(used_range(Buckets{3}) == std::pair<std::size_t, std::size_t>{0, 1});
  const auto [begin, end] = used_range(Buckets{0, 0});
  CHECK(begin == end);
}

TEST_CASE("the files of the page name nothing that is elsewhere, and no script or style in place") {
  CHECK(page_files().size() >= 5);
  for (const PageFile& file : page_files()) {
    CAPTURE(file.name);
    CHECK(file.text.find("://") == std::string_view::npos);
    CHECK(file.text.find(" style=") == std::string_view::npos);
    CHECK(file.text.find("innerHTML") == std::string_view::npos);
    for (std::size_t at = 0; (at = file.text.find(" on", at)) != std::string_view::npos; ++at) {
      CHECK(file.text.substr(at, 4) == " on ");
    }
  }
}

TEST_CASE("a query string is decoded, trimmed and bounded") {
  const PageQuery query("q=%20web+shop%2f%3C&page=3&q=second&flag&bad=%zz%4");
  CHECK(query.value("q") == "web shop/<");
  CHECK(query.value("flag").empty());
  CHECK(query.value("bad") == "%zz%4");
  CHECK(query.value("none").empty());
  CHECK(query.number("page", 50) == 3);
  CHECK(query.number("page", 2) == 2);
  CHECK(query.number("q", 50) == 1);
  CHECK(PageQuery("page=0").number("page", 50) == 1);
  CHECK(PageQuery("page=99999999999999999999").number("page", 50) == 1);
  CHECK(PageQuery("q=" + std::string(1000, 'a')).value("q").size() == PageQuery::MaxValueSize);
  std::string many;
  for (int i = 0; i < 100; ++i) {
    many += "a=1&";
  }
  CHECK(PageQuery(many + "b=2").value("b").empty());
  CHECK(PageQuery("").value("q").empty());
  CHECK(sources::percent_encoded("a b/<&\xff~") == "a%20b%2F%3C%26%FF~");
  CHECK(PageQuery("q=" + sources::percent_encoded(Hostile)).value("q") == Hostile);
}

TEST_CASE("a sparkline goes from the oldest value to the newest, and up to the largest") {
  CHECK(points_of(sparkline(std::vector<double>{0, 2, 1}, "x")) == "1.0,23.0 60.0,1.0 119.0,12.0");
  CHECK(points_of(sparkline(std::vector<double>{5}, "x")) == "119.0,1.0");
  CHECK(points_of(sparkline(std::vector<double>{0, 0}, "x")) == "1.0,23.0 119.0,23.0");
  CHECK(points_of(sparkline(std::vector<double>{}, "x")).empty());
  CHECK(points_of(sparkline(std::vector<double>{-1, 1, 0.0 / 0.0}, "x")) ==
        "1.0,23.0 60.0,1.0 119.0,23.0");
  CHECK(sparkline(std::vector<double>{1}, Hostile).to_text().find("<script") == std::string::npos);

  // More values than points: each point is a mean, so that no second is left out.
  std::vector<double> values(MaxSparkPoints * 3, 0);
  values[0] = 3;
  values.back() = 6;
  const std::string points = points_of(sparkline(values, "x"));
  CHECK(count(points, ",") == MaxSparkPoints);
  CHECK(points.starts_with("1.0,12.0 "));
  CHECK(points.ends_with(" 119.0,1.0"));
}

TEST_CASE("a bar is as wide as its share") {
  CHECK(bar(0.256).to_text().find("width=\"25.6\"") != std::string::npos);
  CHECK(bar(7).to_text().find("width=\"100.0\"") != std::string::npos);
  CHECK(bar(-1).to_text().find("width=\"0.0\"") != std::string::npos);
}

TEST_CASE("rates are those of the last samples, which are bounded") {
  using std::chrono::seconds;
  server::Counters one;
  server::Counters two;
  const std::vector<const server::Counters*> workers{&one, &two};
  RateHistory history;
  SteadyTime now{};
  one.rcodes[0].add(1000);  // Before the page began to look.
  history.sample(now, workers);
  CHECK(history.size() == 0);
  CHECK(history.mean_rate(0, 10) == 0);

  one.rcodes[0].add(30);
  two.rcodes[0].add(10);
  two.rcodes[3].add(4);
  history.sample(now += seconds(2), workers);
  CHECK(history.rates(0) == std::vector<double>{20});
  CHECK(history.rates(3) == std::vector<double>{2});
  CHECK(history.rates() == std::vector<double>{22});
  CHECK(history.total(0) == 1040);

  history.sample(now += seconds(1), workers);
  CHECK(history.rates(0) == std::vector<double>{20, 0});
  CHECK(history.mean_rate(0, 1) == 0);
  CHECK(history.mean_rate(0, 3) == doctest::Approx(40.0 / 3));
  CHECK(history.mean_rate(300) == doctest::Approx(44.0 / 3));

  for (std::size_t i = 0; i < RateHistory::Capacity + 7; ++i) {
    one.rcodes[0].add(5);
    history.sample(now += seconds(1), workers);
  }
  CHECK(history.size() == RateHistory::Capacity);
  CHECK(history.rates(0) == std::vector<double>(RateHistory::Capacity, 5));
  CHECK(history.seconds() == RateHistory::Capacity);
  CHECK(history.rates(3) == std::vector<double>(RateHistory::Capacity, 0));

  const std::string table = rates_table(history).to_text();
  CHECK(table.find("<th scope=\"row\">NOERROR</th><td class=\"number\">5.0</td>") !=
        std::string::npos);
  CHECK(count(table, "<tr><th scope=\"row\">") == 3);  // NOERROR, NXDOMAIN, all.
}

TEST_CASE("the latencies of all upstreams are one histogram, from the first to the last bucket") {
  using std::chrono::microseconds;
  std::vector<resolver::UpstreamReport> upstreams(2);
  CHECK(latency_table(upstreams).to_text().find("no upstream has answered yet") !=
        std::string::npos);
  for (int i = 0; i < 3; ++i) {
    upstreams[0].counters.latencies[0].observe(microseconds(700));  // Up to 1 ms.
  }
  upstreams[1].counters.latencies[3].observe(microseconds(3000));  // Up to 4 ms.
  const std::string text = latency_table(upstreams).to_text();
  CHECK(count(text, "<tr><th scope=\"row\">") == 3);
  CHECK(text.find("1.00 ms</th><td class=\"number\">3</td><td class=\"number\">75.0 %</td>") !=
        std::string::npos);
  CHECK(text.find("2.00 ms</th><td class=\"number\">0</td>") != std::string::npos);
  CHECK(text.find("4.00 ms</th><td class=\"number\">1</td>") != std::string::npos);

  upstreams[1].counters.latencies[0].observe(std::chrono::seconds(60));
  CHECK(latency_table(upstreams).to_text().find(
            "longer than 8192 ms</th><td class=\"number\">1</td>") != std::string::npos);
}

TEST_CASE("upstreams are shown with their health, and no more than fit") {
  std::vector<resolver::UpstreamReport> upstreams(MaxUpstreamRows + 2);
  upstreams[0].upstream = "tls://192.0.2.1#<b>";
  upstreams[0].zone = ".";
  upstreams[0].health = resolver::HealthState::Down;
  upstreams[0].counters.queries = 17;
  const std::string text = upstreams_table(upstreams).to_text();
  CHECK(text.find("tls://192.0.2.1#&lt;b&gt;</th><td>.</td><td><span class=\"bad\">down</span>") !=
        std::string::npos);
  CHECK(text.find("<td class=\"number\">17</td>") != std::string::npos);
  CHECK(count(text, "<tr><th scope=\"row\">") == MaxUpstreamRows);
  CHECK(text.find("And 2 more") != std::string::npos);
}

TEST_CASE("of a kind, the page says whether it is followed, and how old it is") {
  sources::KindStatus kind;
  const SteadyTime now = SteadyTime{} + std::chrono::hours(1);
  kind.is_listed = true;
  kind.last_contact = now - std::chrono::seconds(42);
  kind.resource_version = 123;
  kind.last_error = "<refused>";
  const sources::KindStatus* const kinds[] = {&kind};
  std::string text = kinds_table(kinds, now).to_text();
  CHECK(text.find("Service</th><td><span class=\"bad\">lost</span>: &lt;refused&gt;</td>"
                  "<td class=\"number\">42 s</td><td class=\"number\">-</td>") !=
        std::string::npos);
  CHECK(text.find(">123<") != std::string::npos);
  kind.is_connected = true;
  CHECK(kinds_table(kinds, now).to_text().find("<span class=\"good\">connected</span>") !=
        std::string::npos);
}

TEST_CASE("names and clients are counted over one to two windows, with how wrong that may be") {
  const auto sample = [](std::string_view wire, std::uint8_t client, std::uint32_t weight) {
    server::QuerySample made;
    made.client = IpAddress::v4(10, 0, 0, client);
    made.weight = weight;
    made.name_size = static_cast<std::uint16_t>(wire.size());
    std::ranges::copy(as_bytes(wire), made.octets.begin());
    return made;
  };
  constexpr std::string_view Web = "\3web\4shop\0"sv;
  SteadyTime now{};
  TopQueries tops(now);
  CHECK(tops.tables(now).to_text().find("nothing was asked of late") != std::string::npos);
  for (int i = 0; i < 3; ++i) {
    tops.note(sample(Web, 1, 1));
  }
  tops.note(sample("\10<script>\0"sv, 2, 1));
  tops.note(sample("", 2, 1));
  std::string text = tops.tables(now).to_text();
  CHECK(text.find("<th scope=\"row\">web.shop.</th><td class=\"number\">3</td>"
                  "<td class=\"number\">0</td><td class=\"number\">60.0 %</td>") !=
        std::string::npos);
  CHECK(text.find("<th scope=\"row\">10.0.0.2</th><td class=\"number\">2</td>") !=
        std::string::npos);
  CHECK(text.find("&lt;script&gt;.") != std::string::npos);
  CHECK(text.find("<script") == std::string::npos);
  CHECK(text.find("(not readable)") != std::string::npos);
  CHECK(text.find("5 samples of about 5 queries") != std::string::npos);
  CHECK(text.find("not looked at") == std::string::npos);

  tops.advance(now += TopQueries::Window, 40);
  for (int i = 0; i < 4; ++i) {
    tops.note(sample(Web, 1, 100));
  }
  text = tops.tables(now).to_text();
  // Four samples that stand for 100 each: 2 * sqrt(4 * 100 * 99), as far as they are this name's.
  CHECK(text.find("web.shop.</th><td class=\"number\">403</td><td class=\"number\">398</td>") !=
        std::string::npos);
  CHECK(text.find("About 40 queries were not looked at") != std::string::npos);

  tops.advance(now += TopQueries::Window, 40);
  CHECK(tops.tables(now).to_text().find("web.shop.</th><td class=\"number\">400</td>") !=
        std::string::npos);
  tops.advance(now += TopQueries::Window, 40);
  CHECK(tops.tables(now).to_text().find("nothing was asked of late") != std::string::npos);
}

TEST_CASE("a flood of names takes no more room, and says what that does to the counts") {
  TopQueries tops(SteadyTime{});
  for (unsigned i = 0; i < 100 * TopQueries::Capacity; ++i) {
    server::QuerySample sample;
    sample.client = IpAddress::v4(10, 0, static_cast<std::uint8_t>(i >> 8U & 0xffU),
                                  static_cast<std::uint8_t>(i & 0xffU));
    sample.weight = 1;
    const std::string wire = "\5" + std::to_string(10000 + i % 90000) + '\0';
    sample.name_size = static_cast<std::uint16_t>(wire.size());
    std::ranges::copy(as_bytes(wire), sample.octets.begin());
    tops.note(sample);
  }
  const std::string text = tops.tables(SteadyTime{}).to_text();
  CHECK(count(text, "<tr><th scope=\"row\">") == 2 * TopQueries::Shown);
  CHECK(text.find("<td class=\"number\">100</td><td class=\"number\">100</td>") !=
        std::string::npos);
}

TEST_CASE("the page is local to who asks on the loopback address for an address or localhost") {
  const auto status = [](PageAccess access, const char* client, const char* host) {
    const auto refused =
        refuse_page(access, {.client = *IpAddress::from_text(client), .host = host, .query = ""});
    return refused ? refused->status : 200;
  };
  for (const char* host :
       {"127.0.0.1:9153", "localhost", "localhost:1", "[::1]:9153", "10.0.0.1"}) {
    CAPTURE(host);
    CHECK(status(PageAccess::Local, "127.0.0.1", host) == 200);
    CHECK(status(PageAccess::Local, "::1", host) == 200);
    CHECK(status(PageAccess::Local, "10.244.1.5", host) == 403);
  }
  // A name that somebody has lead to 127.0.0.1, so that a browser takes both for one site.
  for (const char* host : {"evil.example:9153", "evil.example", "", "127.0.0.1.evil.example",
                           "localhost.evil.example", "[evil", "x@127.0.0.1"}) {
    CAPTURE(host);
    CHECK(status(PageAccess::Local, "127.0.0.1", host) == 403);
    CHECK(status(PageAccess::Open, "127.0.0.1", host) == 200);
  }
  CHECK(status(PageAccess::Open, "10.244.1.5", "waypost:9153") == 200);
}

TEST_CASE("pages are made as often as the rate admits") {
  PageRate rate(2, 10);
  SteadyTime now{};
  CHECK(rate.admits(now));
  CHECK(rate.admits(now));
  CHECK(!rate.admits(now));
  now += std::chrono::milliseconds(101);
  CHECK(rate.admits(now));
  CHECK(!rate.admits(now));
  now += std::chrono::hours(1);
  CHECK(rate.admits(now));
  CHECK(rate.admits(now));
  CHECK(!rate.admits(now));
}

TEST_CASE("durations and sizes have one unit") {
  CHECK(duration_text(0.04) == "0.0 s");
  CHECK(duration_text(9.94) == "9.9 s");
  CHECK(duration_text(9.96) == "10 s");
  CHECK(duration_text(119) == "119 s");
  CHECK(duration_text(121) == "2 min");
  CHECK(duration_text(7300) == "2 h");
  CHECK(duration_text(200000) == "2 d");
  CHECK(size_text(512) == "512 octets");
  CHECK(size_text(1536) == "1.5 KiB");
  CHECK(size_text(std::uint64_t{300} << 20) == "300 MiB");
}

}  // namespace waypost::ops
