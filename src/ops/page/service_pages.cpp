#include "ops/page/service_pages.h"

#include "dns/ldns_bridge.h"
#include "dns/reverse_name.h"
#include "ops/page/service_search.h"
#include "ops/page/table.h"
#include "sources/api_kind.h"

#include <algorithm>
#include <string>
#include <vector>

namespace waypost::ops {
namespace {

using dns::RecordType;

constexpr std::size_t MaxListedRecords = 4;  // In the list, for each question.
constexpr std::size_t MaxRecords = 30;       // On a Service's own page.
constexpr std::size_t MaxEndpoints = 100;
constexpr std::size_t MaxQuestions = 40;

std::string_view type_text(const kube::Service& service) {
  if (service.headless) {
    return "headless";
  }
  switch (service.type) {
    case kube::ServiceType::ClusterIp:
      return "ClusterIP";
    case kube::ServiceType::NodePort:
      return "NodePort";
    case kube::ServiceType::LoadBalancer:
      return "LoadBalancer";
    case kube::ServiceType::ExternalName:
      return "ExternalName";
  }
  return "";
}

std::string service_name(const kube::ObjectKey& key, const dns::Name& zone) {
  return key.name + "." + key.name_space + ".svc." + zone.to_text();
}

void add_more(Html& html, std::size_t left_out) {
  if (left_out != 0) {
    html.markup("<li class=\"note\">and ").number(std::uint64_t{left_out}).markup(" more</li>");
  }
}

// What a client gets over UDP.
Html answer_html(Trial& trial, const std::string& name, RecordType type, std::size_t most,
                 bool with_names) {
  const auto owner = dns::Name::from_text(name);
  if (!owner) {
    return escaped("not a name in DNS: " + owner.error().message);
  }
  const Bytes octets = trial.ask(*owner, type, server::Transport::Udp);
  const auto message = dns::parse_message(octets);
  if (!message) {
    return escaped("asked of other servers");
  }
  Html html;
  if (message->answer.empty()) {
    return html.text(message->rcode == dns::Rcode::NoError ? "no data"
                                                           : dns::to_text(message->rcode));
  }
  html.markup("<ul class=\"records\">");
  for (std::size_t i = 0; i < std::min(message->answer.size(), most); ++i) {
    const dns::Record& record = message->answer[i];
    std::string text = dns::to_text(record);
    if (!with_names) {  // TTL, class, type and data are behind the name.
      text.erase(0, text.find(' ') + 1);
    }
    html.markup("<li>").text(text).markup("</li>");
  }
  add_more(html, message->answer.size() - std::min(message->answer.size(), most));
  if (message->truncated) {
    html.markup("<li class=\"note\">truncated; the whole answer comes over TCP</li>");
  }
  if (message->rcode != dns::Rcode::NoError) {
    html.markup("<li class=\"note\">").text(dns::to_text(message->rcode)).markup("</li>");
  }
  return html.markup("</ul>");
}

Html endpoint_count(const cache::ServiceState& state) {
  std::size_t ready = 0;
  std::size_t all = 0;
  for (const cache::SlicePointer& slice : state.slices) {
    all += slice->endpoints.size();
    ready += static_cast<std::size_t>(
        std::ranges::count_if(slice->endpoints, [](const auto& each) { return each.ready; }));
  }
  return Html().number(std::uint64_t{ready}).markup(" of ").number(std::uint64_t{all});
}

Html page_links(const FoundServices& found, std::string_view wanted) {
  Html links;
  if (found.pages == 1) {
    return links;
  }
  links.markup("<nav class=\"pages\" aria-label=\"Pages of the list\">");
  const auto link = [&](std::size_t page, Markup rel, std::string_view text) {
    links.markup("<a rel=\"").markup(rel).markup("\" href=\"/services?q=");
    links.text(sources::percent_encoded(wanted)).markup("&amp;page=").number(std::uint64_t{page});
    links.markup("\">").text(text).markup("</a> ");
  };
  if (found.page > 1) {
    link(found.page - 1, "prev", "Previous page");
  }
  links.markup("<span>Page ").number(std::uint64_t{found.page}).markup(" of ");
  links.number(std::uint64_t{found.pages}).markup("</span> ");
  if (found.page < found.pages) {
    link(found.page + 1, "next", "Next page");
  }
  return links.markup("</nav>\n");
}

std::string joined(const std::vector<IpAddress>& addresses) {
  std::string text;
  for (const IpAddress& address : addresses) {
    text += (text.empty() ? "" : ", ") + address.to_text();
  }
  return text;
}

}  // namespace

Html service_form(std::string_view wanted) {
  return fill("search.html", {{"wanted", escaped(wanted)}});
}

Html service_link(const kube::ObjectKey& key) {
  return Html()
      .markup("<a href=\"/service?namespace=")
      .text(sources::percent_encoded(key.name_space))
      .markup("&amp;name=")
      .text(sources::percent_encoded(key.name))
      .markup("\">")
      .text(key.to_text())
      .markup("</a>");
}

kube::ObjectKey service_key(const PageQuery& query) {
  return {std::string(query.value("namespace")), std::string(query.value("name"))};
}

Html service_list(const cache::ServiceCache& cache, const dns::Name& zone, const PageQuery& query,
                  Trial* trial) {
  const std::string_view wanted = query.value("q");
  const FoundServices found =
      find_services(cache, zone.to_text(), wanted, query.number("page", MaxServicePages));

  Html html = service_form(wanted);
  html.markup("<p role=\"status\">").number(std::uint64_t{found.matches});
  html.text(found.matches == 1 ? " Service" : " Services");
  if (!wanted.empty()) {
    html.markup(" with &ldquo;").text(wanted).markup("&rdquo;");
  }
  if (found.matches > MaxServicePages * ServicesOnPage) {
    html.markup(", of which the first ").number(std::uint64_t{MaxServicePages * ServicesOnPage});
    html.markup(" can be listed; narrow the search to see others");
  }
  html.markup("</p>\n");

  HtmlTable table =
      trial != nullptr
          ? HtmlTable("Services",
                      {{"Service"}, {"Type"}, {"Ready endpoints", Align::Number}, {"A"}, {"AAAA"}},
                      "none")
          : HtmlTable("Services",
                      {{"Service"}, {"Type"}, {"Ready endpoints", Align::Number}, {"Cluster IPs"}},
                      "none");
  for (const kube::ObjectKey& key : found.keys) {
    const auto state = cache.find(key);
    if (!state) {
      continue;
    }
    const kube::Service* service = state->service.get();
    std::vector<Html> cells{service_link(key),
                            escaped(service != nullptr ? type_text(*service) : "slices only"),
                            endpoint_count(*state)};
    if (trial != nullptr) {
      for (const RecordType type : {RecordType::A, RecordType::AAAA}) {
        cells.push_back(
            answer_html(*trial, service_name(key, zone), type, MaxListedRecords, false));
      }
    } else {
      cells.push_back(escaped(service != nullptr ? joined(service->cluster_ips) : ""));
    }
    table.row(cells);
  }
  return html.add(table.finish()).add(page_links(found, wanted));
}

PageContent no_such_service(const kube::ObjectKey& key) {
  return {.title = "Not found",
          .html = Html()
                      .markup("<p role=\"status\">There is no Service ")
                      .text(key.to_text())
                      .markup(" here.</p>\n")
                      .add(service_form("")),
          .status = 404};
}

Html service_facts(const kube::ObjectKey& key, const cache::ServiceState& state) {
  Html html;
  if (const kube::Service* service = state.service.get()) {
    FactTable facts("What it is");
    facts.row("Namespace", key.name_space);
    facts.row("Type", type_text(*service));
    if (!service->cluster_ips.empty()) {
      facts.row("Cluster IPs", joined(service->cluster_ips));
    }
    if (!service->external_name.empty()) {
      facts.row("External name", service->external_name);
    }
    std::string ports;
    for (const kube::ServicePort& port : service->ports) {
      ports += (ports.empty() ? "" : ", ") + (port.name.empty() ? "" : port.name + " ") +
               std::to_string(port.port) + "/" + std::string(kube::to_text(port.protocol));
      if (ports.size() > 4096) {
        ports += ", ...";
        break;
      }
    }
    facts.row("Ports", ports);
    facts.row("Ready endpoints", endpoint_count(state));
    facts.row("resourceVersion", service->resource_version);
    html.add(facts.finish());
  } else {
    html.markup("<p>Only EndpointSlices name this Service; the Service itself is not known.</p>\n");
  }

  HtmlTable endpoints("Endpoints", {{"Address"}, {"Hostname"}, {"Conditions"}, {"Slice"}},
                      "there are none");
  std::size_t left_out = 0;
  for (const cache::SlicePointer& slice : state.slices) {
    for (const kube::Endpoint& endpoint : slice->endpoints) {
      if (endpoints.size() == MaxEndpoints) {
        ++left_out;
        continue;
      }
      std::string conditions = endpoint.ready     ? "ready"
                               : endpoint.serving ? "serving"
                                                  : "not ready";
      conditions += endpoint.terminating ? ", terminating" : "";
      endpoints.row({escaped(endpoint.address.to_text()), escaped(slice->hostname(endpoint)),
                     escaped(conditions), escaped(slice->key.name)});
    }
  }
  if (left_out != 0) {
    endpoints.note(Html().markup("And ").number(std::uint64_t{left_out}).markup(" more."));
  }
  return html.add(endpoints.finish());
}

Html service_answers(const kube::ObjectKey& key, const cache::ServiceState& state,
                     const dns::Name& zone, Trial& trial) {
  HtmlTable table("Answers", {{"Question"}, {"Type"}, {"Answer"}}, "");
  const auto ask = [&](const std::string& name, RecordType type) {
    if (table.size() < MaxQuestions) {
      table.row({escaped(name), escaped(dns::to_text(type)),
                 answer_html(trial, name, type, MaxRecords, true)});
    }
  };
  const std::string name = service_name(key, zone);
  ask(name, RecordType::A);
  ask(name, RecordType::AAAA);
  if (const kube::Service* service = state.service.get()) {
    for (const IpAddress& address : service->cluster_ips) {
      ask(dns::reverse_name(address).to_text(), RecordType::PTR);
    }
    for (const kube::ServicePort& port : service->ports) {
      if (!port.name.empty()) {
        ask("_" + port.name + "._" + std::string(kube::to_text(port.protocol)) + "." + name,
            RecordType::SRV);
      }
    }
  }
  table.note(
      escaped("As this server answers a client over UDP at this moment, without asking "
              "other servers. At most " +
              std::to_string(MaxQuestions) + " questions and " + std::to_string(MaxRecords) +
              " records of each answer are shown."));
  return table.finish();
}

}  // namespace waypost::ops
