#include "support/dns_adversary.h"

#include "base/bytes.h"
#include "base/ip_address.h"
#include "dns/name.h"
#include "dns/query.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>
#include <utility>

namespace waypost::test {
namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;

constexpr auto Await = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t OptSize = 11;

std::size_t padding_of(Bytes options) {
  while (options.size() >= 4) {
    const std::size_t size = load_u16(options.data() + 2);
    if (load_u16(options.data()) == 12) {
      return size;
    }
    options = options.subspan(std::min(options.size(), 4 + size));
  }
  return 0;
}

DnsQuestion read(Bytes message) {
  dns::Query query;
  if (dns::read_query(message, query) != dns::ReadVerdict::Answer) {
    throw std::runtime_error("the resolver under test sent something that is no query");
  }
  DnsQuestion question;
  question.message.assign(message.begin(), message.end());
  question.id = query.id;
  question.name = dns::Name::from_wire(query.question.first(query.question.size() - 4))->to_text();
  question.type = static_cast<std::uint16_t>(query.type);
  question.recursion_desired = query.recursion_desired;
  question.checking_disabled = query.checking_disabled;
  question.has_edns = query.edns.present;
  question.dnssec_ok = query.edns.dnssec_ok;
  question.udp_size = query.edns.udp_size;
  const std::size_t end = dns::HeaderSize + query.question.size() + OptSize;
  if (query.edns.present) {
    question.padding = padding_of(message.subspan(end));
  }
  return question;
}

// The header and the question of a response.
Octets begin(const DnsQuestion& question, unsigned rcode) {
  std::size_t end = dns::HeaderSize;
  while (question.message[end] != 0) {
    end += 1U + question.message[end];
  }
  Octets octets(question.message.begin(),
                question.message.begin() + static_cast<std::ptrdiff_t>(end + 5));
  octets[2] = static_cast<std::uint8_t>(0x80 | (octets[2] & 0x01));  // QR, RD as asked.
  octets[3] = static_cast<std::uint8_t>(0x80 | rcode);               // RA.
  std::fill_n(octets.begin() + 6, 6, std::uint8_t{0});
  return octets;
}

void count(Octets& octets, std::size_t section) {
  ++octets[7 + 2 * section];
}

void add_opt(Octets& octets) {
  const std::array<std::uint8_t, OptSize> opt{0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0};
  octets.insert(octets.end(), opt.begin(), opt.end());
  count(octets, 2);
}

// A record at the question's name; `rdata` of less than 256 octets.
void add_record(Octets& octets, std::size_t section, std::uint8_t type, Bytes rdata) {
  const std::array<std::uint8_t, 12> head{
      0xc0, 0x0c, 0, type, 0, 1, 0, 0, 0, 60, 0, static_cast<std::uint8_t>(rdata.size())};
  octets.insert(octets.end(), head.begin(), head.end());
  octets.insert(octets.end(), rdata.begin(), rdata.end());
  count(octets, section);
}

Octets finish(Octets octets, const DnsQuestion& question) {
  if (question.has_edns) {
    add_opt(octets);
  }
  return octets;
}

}  // namespace

Octets answer_to(const DnsQuestion& question, std::string_view ipv4) {
  Octets octets = begin(question, 0);
  add_record(octets, 0, 1, IpAddress::from_text(ipv4)->octets());
  return finish(std::move(octets), question);
}

Octets no_name(const DnsQuestion& question) {
  Octets octets = begin(question, 3);
  const std::array<std::uint8_t, 22> soa{};  // Both names are the root, all numbers zero.
  add_record(octets, 1, 6, soa);
  return finish(std::move(octets), question);
}

Octets error_to(const DnsQuestion& question, unsigned rcode) {
  return finish(begin(question, rcode), question);
}

Octets error_without_edns(const DnsQuestion& question, unsigned rcode) {
  return begin(question, rcode);
}

Octets bare_error(const DnsQuestion& question, unsigned rcode) {
  Octets octets = begin(question, rcode);
  octets.resize(dns::HeaderSize);
  octets[5] = 0;
  return octets;
}

Octets truncated(const DnsQuestion& question) {
  Octets octets = error_to(question, 0);
  octets[2] |= 0x02;
  return octets;
}

Octets referral(const DnsQuestion& question) {
  Octets octets = begin(question, 0);
  octets[3] = 0;  // No RA.
  const std::array<std::uint8_t, 1> root{};
  add_record(octets, 1, 2, root);
  return finish(std::move(octets), question);
}

DnsAct say(Octets octets) {
  return {DnsAct::Kind::Send, std::move(octets)};
}
DnsAct hold(Octets octets) {
  return {DnsAct::Kind::Hold, std::move(octets)};
}
DnsAct act(DnsAct::Kind kind, Octets octets) {
  return {kind, std::move(octets)};
}

// ---------------------------------------------------------------------------------------------

namespace {

// One connection, with TLS or without.
struct Connection {
  explicit Connection(tcp::socket the_socket) : socket(std::move(the_socket)) {}

  tcp::socket& lowest() { return tls ? tls->next_layer() : socket; }
  void close() {
    error_code ignored;
    lowest().close(ignored);
  }
  // Small messages, which the socket's buffer takes.
  void write(const Octets& octets) {
    error_code ignored;
    if (tls) {
      asio::write(*tls, asio::buffer(octets), ignored);
    } else {
      asio::write(socket, asio::buffer(octets), ignored);
    }
  }

  tcp::socket socket;  // Moved into `tls` when there is TLS.
  std::shared_ptr<ssl::context> context;
  std::optional<ssl::stream<tcp::socket>> tls;
};

}  // namespace

struct DnsAdversary::State : std::enable_shared_from_this<State> {
  State(asio::io_context& context, Respond the_respond, std::optional<Tls> the_tls,
        std::string_view the_host)
      : respond(std::move(the_respond)),
        tls(std::move(the_tls)),
        host(asio::ip::make_address(the_host)),
        acceptor(context),
        datagrams(context),
        elsewhere(context, udp::endpoint(host, 0)) {
    // A port that is free for TCP may be taken for UDP.
    for (int i = 0; i < 100 && !listen(); ++i) {
    }
    if (port == 0) {
      throw std::runtime_error("no port is free for both UDP and TCP");
    }
  }

  bool listen() {
    error_code code;
    acceptor = tcp::acceptor(acceptor.get_executor(), tcp::endpoint(host, 0));
    const udp::endpoint same(host, acceptor.local_endpoint().port());
    datagrams = udp::socket(acceptor.get_executor(), same.protocol());
    datagrams.bind(same, code);
    port = code ? std::uint16_t{0} : same.port();
    return !code;
  }

  asio::awaitable<void> receive();
  asio::awaitable<void> accept();
  asio::awaitable<void> serve(std::shared_ptr<Connection> connection, std::size_t number);
  template <typename Stream>
  asio::awaitable<void> converse(Stream& stream, std::shared_ptr<Connection> connection,
                                 std::size_t number);
  void take(DnsQuestion question, std::shared_ptr<Connection> connection);
  void perform(const DnsAct& what, const udp::endpoint& client,
               const std::shared_ptr<Connection>& connection);

  Respond respond;
  std::optional<Tls> tls;
  asio::ip::address host;
  tcp::acceptor acceptor;
  udp::socket datagrams;
  udp::socket elsewhere;
  std::uint16_t port = 0;
  std::vector<DnsQuestion> questions;
  std::vector<DnsQuestion> loop_probes;
  DnsScript loop_script{say({})};  // What is said is filled in.
  std::size_t accepted = 0;
  std::map<std::size_t, std::shared_ptr<Connection>> open;
  struct Held {
    DnsAct what;
    udp::endpoint client;
    std::shared_ptr<Connection> connection;
  };
  std::vector<Held> held;
};

asio::awaitable<void> DnsAdversary::State::receive() {
  const auto self = shared_from_this();
  Octets buffer(4096);
  while (true) {
    udp::endpoint client;
    const auto [code, size] =
        co_await datagrams.async_receive_from(asio::buffer(buffer), client, Await);
    if (code == asio::error::operation_aborted || !datagrams.is_open()) {
      co_return;
    }
    if (code) {
      continue;  // A client was gone before an answer came.
    }
    DnsQuestion question = read(Bytes(buffer).first(size));
    question.port = client.port();
    take(std::move(question), nullptr);
  }
}

asio::awaitable<void> DnsAdversary::State::accept() {
  const auto self = shared_from_this();
  while (true) {
    auto [code, socket] = co_await acceptor.async_accept(Await);
    if (code) {
      co_return;
    }
    // Otherwise an answer waits for the client's word about what went before, in real time.
    socket.set_option(tcp::no_delay(true));
    const std::size_t number = ++accepted;
    const auto connection = std::make_shared<Connection>(std::move(socket));
    open.emplace(number, connection);
    asio::co_spawn(acceptor.get_executor(), serve(connection, number),
                   [self, connection, number](const std::exception_ptr&) {
                     connection->close();
                     self->open.erase(number);
                   });
  }
}

asio::awaitable<void> DnsAdversary::State::serve(std::shared_ptr<Connection> connection,
                                                 std::size_t number) {
  const auto self = shared_from_this();
  if (!tls) {
    co_await converse(connection->socket, connection, number);
    co_return;
  }
  if (tls->hangs) {
    co_await connection->socket.async_wait(tcp::socket::wait_error, Await);
    co_return;
  }
  connection->context = std::make_shared<ssl::context>(ssl::context::tls_server);
  connection->context->use_certificate_chain(asio::buffer(tls->certificate.certificate));
  connection->context->use_private_key(asio::buffer(tls->certificate.key), ssl::context::pem);
  connection->tls.emplace(std::move(connection->socket), *connection->context);
  const auto [code] = co_await connection->tls->async_handshake(ssl::stream_base::server, Await);
  if (!code) {
    co_await converse(*connection->tls, connection, number);
  }
}

template <typename Stream>
asio::awaitable<void> DnsAdversary::State::converse(Stream& stream,
                                                    std::shared_ptr<Connection> connection,
                                                    std::size_t number) {
  while (true) {
    std::array<std::uint8_t, 2> length{};
    auto [code, size] = co_await asio::async_read(stream, asio::buffer(length), Await);
    if (code) {
      co_return;
    }
    Octets message(load_u16(length.data()));
    std::tie(code, size) = co_await asio::async_read(stream, asio::buffer(message), Await);
    if (code) {
      co_return;
    }
    DnsQuestion question = read(message);
    question.over_stream = true;
    question.connection = number;
    question.port = connection->lowest().remote_endpoint().port();
    take(std::move(question), connection);
    if (!connection->lowest().is_open()) {
      co_return;
    }
  }
}

void DnsAdversary::State::take(DnsQuestion question, std::shared_ptr<Connection> connection) {
  constexpr std::uint16_t Hinfo = 13;
  const udp::endpoint client(host, question.port);
  DnsScript script;
  if (question.type == Hinfo) {
    loop_probes.push_back(question);
    script = loop_script;
    for (DnsAct& what : script) {
      what.octets = no_name(question);
    }
  } else {
    questions.push_back(question);
    script = respond ? respond(question) : DnsScript{say(answer_to(question))};
  }
  for (DnsAct& what : script) {
    if (what.kind == DnsAct::Kind::Hold) {
      what.kind = DnsAct::Kind::Send;
      held.push_back({std::move(what), client, connection});
    } else {
      perform(what, client, connection);
    }
  }
}

void DnsAdversary::State::perform(const DnsAct& what, const udp::endpoint& client,
                                  const std::shared_ptr<Connection>& connection) {
  error_code ignored;
  switch (what.kind) {
    case DnsAct::Kind::Send:
    case DnsAct::Kind::Hold:
      if (connection) {
        Octets octets{static_cast<std::uint8_t>(what.octets.size() >> 8),
                      static_cast<std::uint8_t>(what.octets.size())};
        octets.insert(octets.end(), what.octets.begin(), what.octets.end());
        connection->write(octets);
      } else {
        datagrams.send_to(asio::buffer(what.octets), client, 0, ignored);
      }
      return;
    case DnsAct::Kind::SendElsewhere:
      elsewhere.send_to(asio::buffer(what.octets), client, 0, ignored);
      return;
    case DnsAct::Kind::SendRaw:
      connection->write(what.octets);
      return;
    case DnsAct::Kind::HalfClose:
      connection->lowest().shutdown(tcp::socket::shutdown_send, ignored);
      return;
    case DnsAct::Kind::Reset:
      connection->lowest().set_option(asio::socket_base::linger(true, 0), ignored);
      connection->close();
      return;
  }
}

DnsAdversary::DnsAdversary(asio::io_context& context, Respond respond, std::optional<Tls> tls,
                           std::string_view host)
    : state_(std::make_shared<State>(context, std::move(respond), std::move(tls), host)) {
  const auto state = state_;
  asio::co_spawn(context, state->receive(), asio::detached);
  asio::co_spawn(context, state->accept(), asio::detached);
}

DnsAdversary::~DnsAdversary() {
  stop_udp();
  stop_streams();
}

std::uint16_t DnsAdversary::port() const noexcept {
  return state_->port;
}
std::string DnsAdversary::address() const {
  const std::string host = state_->host.to_string();
  return (state_->host.is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(port());
}
void DnsAdversary::set_respond(Respond respond) {
  state_->respond = std::move(respond);
}
const std::vector<DnsQuestion>& DnsAdversary::questions() const noexcept {
  return state_->questions;
}
const std::vector<DnsQuestion>& DnsAdversary::loop_probes() const noexcept {
  return state_->loop_probes;
}
void DnsAdversary::ignore_loop_probes() {
  state_->loop_script.clear();
}
void DnsAdversary::hold_loop_probes() {
  state_->loop_script = {hold({})};
}
std::size_t DnsAdversary::connections() const noexcept {
  return state_->accepted;
}
std::size_t DnsAdversary::open_connections() const noexcept {
  return state_->open.size();
}
std::size_t DnsAdversary::held() const noexcept {
  return state_->held.size();
}

void DnsAdversary::release(std::size_t index) {
  const auto at = state_->held.begin() + static_cast<std::ptrdiff_t>(index);
  const State::Held one = *at;
  state_->held.erase(at);
  state_->perform(one.what, one.client, one.connection);
}

void DnsAdversary::release() {
  while (held() != 0) {
    release(0);
  }
}

void DnsAdversary::close_connections() {
  for (const auto& [number, connection] : state_->open) {
    connection->close();
  }
}

void DnsAdversary::stop_udp() {
  error_code ignored;
  state_->datagrams.close(ignored);
}

void DnsAdversary::stop_streams() {
  error_code ignored;
  state_->acceptor.close(ignored);
  close_connections();
}

}  // namespace waypost::test
