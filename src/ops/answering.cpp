#include "ops/answering.h"

#include "base/log.h"
#include "base/rcu.h"
#include "base/thread_role.h"
#include "ops/announcement.h"
#include "ops/metric_collectors.h"
#include "server/transfer.h"
#include "zones/zone_loader.h"

#include <boost/asio/post.hpp>
#include <cassert>
#include <utility>

namespace waypost::ops {
namespace {

namespace asio = boost::asio;

std::vector<dns::Name> zones_of(const std::vector<resolver::StubDomain>& stubs) {
  std::vector<dns::Name> zones;
  zones.reserve(stubs.size());
  for (const resolver::StubDomain& stub : stubs) {
    zones.push_back(stub.zone);
  }
  return zones;
}

}  // namespace

Answering::Answering(asio::io_context& context, server::Views& views, const Config& config,
                     const std::optional<dns::CookieMaker::Secret>& secret)
    : context_(context),
      views_(views),
      zone_folders_(config.static_zones),
      built_in_zones_(config.built_in_zones),
      stub_zones_(zones_of(config.forward.stub_domains)),
      readers_(server::reader_count(config.server)),
      rules_(context, views, readers_, secret),
      query_log_(context, views, readers_),
      forwarding_(context, views, config.forward) {
  watch_zones();
  rules_.configure(config);
  query_log_.configure(config.query_log);
  load_zones();
}

Answering::~Answering() {
  stop();
}

Result<void> Answering::start(const server::Options& options, FindPublisher publisher,
                              server::Inheritance* inheritance) {
  assert(server::reader_count(options) == readers_);
  forwarding_.offer();
  auto server = server::Server::start(options, views_, transfer_source(std::move(publisher)),
                                      &forwarding_.recursion(), inheritance);
  if (!server) {
    return std::unexpected(server.error());
  }
  server_ = std::move(*server);
  if (const std::size_t granted = server_->receive_buffer(); granted < options.udp_buffer_size) {
    log::info("receiveBuffer: {} octets were asked for, and the kernel grants {}",
              options.udp_buffer_size, granted);
  }
  // From here on, workers and the resolver come first where they share a core with this thread.
  yield_to_others();
  return forwarding_.start();
}

void Answering::stop() {
  if (is_running()) {
    forwarding_.stop();
    server_.reset();
    query_log_.write();
  }
}

//------------------------------------------------------------------ putting things in force

void Answering::configure(const Config& next) {
  std::vector<dns::Name> stub_zones = zones_of(next.forward.stub_domains);
  if (zone_folders_ != next.static_zones || built_in_zones_ != next.built_in_zones ||
      stub_zones_ != stub_zones) {
    zone_folders_ = next.static_zones;
    built_in_zones_ = next.built_in_zones;
    stub_zones_ = std::move(stub_zones);
    watch_zones();
    load_zones();
  }
  rules_.configure(next);
  query_log_.configure(next.query_log);
  forwarding_.configure(next.forward);
}

void Answering::load_zones() {
  zones::LoadedZones loaded =
      zones::load_zones(zone_folders_, built_in_zones_, zones_.get(), stub_zones_);
  zone_problems_.update(loaded.errors);
  rcu::replace(views_.zones, zones_, std::move(loaded.zones));
}

void Answering::reload_files() {
  reload_zones();
  rules_.reload_hosts();
}

void Answering::reload_zones() {
  load_zones();
  log::info("static zones read again: {} zones", zones_->zones().size());
}

// Before anything is read, so that no change falls between reading and watching.
void Answering::watch_zones() {
  zone_watch_.emplace(context_, [this] { reload_zones(); });
  zone_watch_->follow(zone_folders_);
}

server::TransferSource Answering::transfer_source(FindPublisher publisher) {
  return [this, publisher = std::move(publisher)](std::vector<std::uint8_t> request, auto done) {
    asio::post(context_, [this, publisher, request = std::move(request), done = std::move(done)] {
      done(server::make_transfer(request, publisher(), *zones_));
    });
  };
}

//------------------------------------------------------------------ telling

bool Answering::is_drained() const {
  return server_->open_connections() == 0 && forwarding_.in_flight() == 0;
}

std::vector<const server::Counters*> Answering::counters() const {
  std::vector<const server::Counters*> counters;
  if (is_running()) {
    counters = server_->counters();
  }
  counters.push_back(&forwarding_.counters());
  return counters;
}

std::uint64_t Answering::queries() const {
  const std::vector<const server::Counters*> workers = server_->counters();
  return sum(workers, &server::Counters::udp_queries) +
         sum(workers, &server::Counters::tcp_queries);
}

std::string Answering::totals() const {
  return ops::totals(counters());
}

std::string Answering::label() const {
  return server_label(server_->addresses());
}

void Answering::collect(Scrape& scrape) {
  const std::vector<const server::Counters*> all = counters();
  collect_server(scrape, all, label());
  forwarding_.collect(scrape, all, label());
  rules_.collect(scrape);
  query_log_.collect(scrape);
}

void Answering::collect_searches(Scrape& scrape, const search::PodDirectory& pods) const {
  ops::collect_searches(scrape, counters(), pods, label());
}

FlushCache Answering::flush() {
  return [this](const dns::NameKey& name, bool below) {
    const auto flushed = forwarding_.flush(name, below);
    if (flushed) {
      const auto text = dns::Name::from_wire(name.wire());
      log::info("flushed {} answers for {}{}", *flushed, below ? "the zone " : "",
                text ? text->to_text() : "");
    }
    return flushed;
  };
}

}  // namespace waypost::ops
