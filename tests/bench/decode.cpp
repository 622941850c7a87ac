// How fast lists from the API server become typed objects, next to a bare simdjson parse of the
// same octets in the same run.
//
// The bodies are what kube-apiserver 1.36 sends, managed fields and all: Services with two ports,
// and one EndpointSlice for each.  They are fed in pieces as from a socket.  Rounds alternate, and
// medians are told.

#include "kube/json_decoder.h"
#include "kube/list_reader.h"

#include <CLI/CLI.hpp>
#include <simdjson.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::bench {
namespace {

constexpr std::size_t PieceSize = 16384;

struct Options {
  unsigned objects = 10000;
  unsigned endpoints = 10;
  unsigned rounds = 7;
};

// ---------------------------------------------------------------------------------------------------
// Bodies

std::string managed_fields(std::string_view manager, std::string_view api_version,
                           std::string_view fields) {
  return R"("managedFields":[{"manager":")" + std::string(manager) +
         R"(","operation":"Update","apiVersion":")" + std::string(api_version) +
         R"(","time":"2026-11-24T02:15:43Z","fieldsType":"FieldsV1","fieldsV1":)" +
         std::string(fields) + "}]";
}

std::string metadata(const std::string& name, unsigned index, const std::string& more) {
  return R"({"metadata":{"name":")" + name + R"(","namespace":"ns-)" + std::to_string(index % 100) +
         R"(","uid":"a6608dc9-24be-4e6d-9eae-ca3427e3ae5a","resourceVersion":")" +
         std::to_string(100000 + index) + R"(","creationTimestamp":"2026-11-24T02:15:43Z",)" +
         more + "}";
}

std::string service(unsigned index) {
  const std::string name = "svc-" + std::to_string(index);
  const std::string ip = "10." + std::to_string(96 + index / 65536) + "." +
                         std::to_string(index / 256 % 256) + "." + std::to_string(index % 256);
  static const std::string fields = managed_fields(
      "unknown", "v1",
      R"({"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:internalTrafficPolicy":{},)"
      R"("f:ports":{".":{},"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:name":{},"f:port":{},)"
      R"("f:protocol":{},"f:targetPort":{}},"k:{\"port\":9090,\"protocol\":\"TCP\"}":{".":{},)"
      R"("f:name":{},"f:port":{},"f:protocol":{},"f:targetPort":{}}},"f:selector":{},)"
      R"("f:sessionAffinity":{},"f:type":{}}})");
  return metadata(name, index, R"("labels":{"app":")" + name + "\"}," + fields) +
         R"(,"spec":{"ports":[{"name":"http","protocol":"TCP","port":80,"targetPort":8080},)"
         R"({"name":"metrics","protocol":"TCP","port":9090,"targetPort":9090}],"selector":{"app":")" +
         name + R"("},"clusterIP":")" + ip + R"(","clusterIPs":[")" + ip +
         R"("],"type":"ClusterIP","sessionAffinity":"None","ipFamilies":["IPv4"],)"
         R"("ipFamilyPolicy":"SingleStack","internalTrafficPolicy":"Cluster"},)"
         R"("status":{"loadBalancer":{}}})";
}

std::string slice(unsigned index, unsigned endpoints) {
  const std::string name = "svc-" + std::to_string(index);
  static const std::string fields = managed_fields(
      "kube-controller-manager", "discovery.k8s.io/v1",
      R"({"f:addressType":{},"f:endpoints":{},"f:metadata":{"f:annotations":{".":{},)"
      R"("f:endpoints.kubernetes.io/last-change-trigger-time":{}},"f:generateName":{},"f:labels":)"
      R"({".":{},"f:app":{},"f:endpointslice.kubernetes.io/managed-by":{},)"
      R"("f:kubernetes.io/service-name":{}},"f:ownerReferences":{".":{},)"
      R"("k:{\"uid\":\"a6608dc9-24be-4e6d-9eae-ca3427e3ae5a\"}":{}}},"f:ports":{}})");
  std::string text =
      metadata(
          name + "-x7k2p", index,
          R"("generateName":")" + name + R"(-","generation":3,"labels":{"app":")" + name +
              R"(","endpointslice.kubernetes.io/managed-by":"endpointslice-controller.k8s.io",)"
              R"("kubernetes.io/service-name":")" +
              name +
              R"("},"annotations":{"endpoints.kubernetes.io/last-change-trigger-time":)"
              R"("2026-11-24T02:15:43Z"},"ownerReferences":[{"apiVersion":"v1","kind":"Service",)"
              R"("name":")" +
              name +
              R"(","uid":"a6608dc9-24be-4e6d-9eae-ca3427e3ae5a","controller":true,)"
              R"("blockOwnerDeletion":true}],)" +
              fields) +
      R"(,"addressType":"IPv4","endpoints":[)";
  for (unsigned i = 0; i < endpoints; ++i) {
    const unsigned pod = index * endpoints + i;
    text += (i == 0 ? "" : ",");
    text += R"({"addresses":["10.)" + std::to_string(128 + pod / 65536 % 128) + "." +
            std::to_string(pod / 256 % 256) + "." + std::to_string(pod % 256) +
            R"("],"conditions":{"ready":true,"serving":true,"terminating":false},"targetRef":)"
            R"({"kind":"Pod","namespace":"ns-)" +
            std::to_string(index % 100) + R"(","name":")" + name + "-5d4f8c7b9-" +
            std::to_string(10000 + pod) +
            R"(","uid":"0052c963-daf1-4d31-9ec4-44a51d0db61f"},"nodeName":"node-)" +
            std::to_string(pod % 200) + R"(","zone":"zone-)" + std::to_string(pod % 3) + "\"}";
  }
  return text + R"(],"ports":[{"name":"http","port":8080,"protocol":"TCP"},)"
                R"({"name":"metrics","port":9090,"protocol":"TCP"}]})";
}

struct Body {
  std::string name;
  kube::ObjectKind kind;
  std::string text;
  std::vector<std::string> items;
};

Body make_body(kube::ObjectKind kind, unsigned count,
               const std::function<std::string(unsigned)>& make_item) {
  Body body{std::string(to_text(kind)), kind, {}, {}};
  body.text = "{\"kind\":\"" + body.name +
              R"(List","apiVersion":"v1","metadata":{"resourceVersion":"200000"},"items":[)";
  for (unsigned i = 0; i < count; ++i) {
    body.items.push_back(make_item(i));
    body.text += (i == 0 ? "" : ",") + body.items.back();
  }
  body.text += "]}\n";
  return body;
}

// ---------------------------------------------------------------------------------------------------
// What is measured; each returns how many objects it has seen

std::size_t parse_bare(const Body& body) {
  simdjson::dom::parser parser;
  std::size_t objects = 0;
  std::string padded;
  for (const std::string& item : body.items) {
    padded = item;
    padded.append(simdjson::SIMDJSON_PADDING, ' ');
    objects += parser.parse(padded.data(), item.size(), false).is_object() ? 1 : 0;
  }
  return objects;
}

std::size_t read_list(const Body& body, const kube::ListReader::ItemSink& on_item) {
  kube::ListReader reader(on_item);
  for (std::string_view rest(body.text); !rest.empty();) {
    const std::string_view piece = rest.substr(0, PieceSize);
    if (auto fed = reader.feed(piece); !fed) {
      throw std::runtime_error(fed.error().message);
    }
    rest.remove_prefix(piece.size());
  }
  if (auto end = reader.finish(); !end) {
    throw std::runtime_error(end.error().message);
  }
  return reader.items();
}

std::size_t find_items(const Body& body) {
  return read_list(body, [](std::string_view) {});
}

std::size_t decode(const Body& body, const kube::DecodeOptions& options) {
  kube::JsonDecoder decoder(body.kind, options);
  return read_list(body, [&](std::string_view item) {
    if (auto object = decoder.decode(item); !object) {
      throw std::runtime_error(object.error().message);
    }
  });
}

std::size_t decode_versions(const Body& body) {
  kube::JsonDecoder decoder(body.kind);
  return read_list(body, [&](std::string_view item) {
    if (auto version = decoder.decode_version(item); !version) {
      throw std::runtime_error(version.error().message);
    }
  });
}

// ---------------------------------------------------------------------------------------------------

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void measure(const Body& body, unsigned rounds) {
  struct Job {
    const char* name;
    std::function<std::size_t()> run;
    std::vector<double> seconds;
  };
  std::vector<Job> jobs = {
      {"bare simdjson parse", [&] { return parse_bare(body); }, {}},
      {"list reader alone", [&] { return find_items(body); }, {}},
      {"decode, all of it", [&] { return decode(body, {.traffic = true}); }, {}},
      {"decode, for names",
       [&] { return decode(body, {.labels = false, .selectors = false}); },
       {}},
      {"decode, versions only", [&] { return decode_versions(body); }, {}},
  };
  for (unsigned round = 0; round < rounds; ++round) {
    for (Job& job : jobs) {
      const double before = cpu_seconds();
      if (job.run() != body.items.size()) {
        throw std::runtime_error(std::string(job.name) + ": objects are missing");
      }
      job.seconds.push_back(cpu_seconds() - before);
    }
  }
  std::printf("%zu %s objects, %.1f MB, %zu octets each\n", body.items.size(), body.name.c_str(),
              static_cast<double>(body.text.size()) / 1e6, body.items.front().size());
  const double bare = median(jobs.front().seconds);
  for (const Job& job : jobs) {
    const double seconds = median(job.seconds);
    std::printf("  %-22s %8.1f ms %8.0f MB/s %10.0f objects/s   %.2f x bare\n", job.name,
                seconds * 1e3, static_cast<double>(body.text.size()) / seconds / 1e6,
                static_cast<double>(body.items.size()) / seconds, seconds / bare);
  }
}

int run(int count, char** arguments) {
  Options options;
  CLI::App app("How fast lists from the API server become typed objects.");
  app.add_option("--objects", options.objects, "Services, and slices")->capture_default_str();
  app.add_option("--endpoints", options.endpoints, "of each slice")->capture_default_str();
  app.add_option("--rounds", options.rounds)->capture_default_str()->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, count, arguments);
  measure(make_body(kube::ObjectKind::Service, options.objects, service), options.rounds);
  measure(make_body(kube::ObjectKind::EndpointSlice, options.objects,
                    [&](unsigned i) { return slice(i, options.endpoints); }),
          options.rounds);
  return 0;
}

}  // namespace
}  // namespace waypost::bench

int main(int count, char** arguments) {
  try {
    return waypost::bench::run(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "waypost-bench-decode: %s\n", error.what());
    return 1;
  }
}
