#include "kube/api_credentials.h"

#include "base/pending.h"
#include "kube/base64.h"
#include "kube/exec_credential.h"
#include "kube/rotating_text.h"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <optional>
#include <utility>

namespace waypost::kube {
namespace {

namespace asio = boost::asio;

using Clock = std::chrono::steady_clock;
using WallClock = std::chrono::system_clock;
using PluginRun = Pending<Result<void>>;

// A credential is renewed this long before it expires, or a tenth of its life if that is less, so
// that none expires on its way to the server.
constexpr std::chrono::seconds RenewalMargin{10};

bool has_tls(const ApiAccess& access) noexcept {
  return access.endpoint.transport == ApiEndpoint::Transport::Tls;
}

// A token as it goes into a header: without the line end of its file.  Refuses one that could end
// the header.
Result<std::string> usable_token(std::string_view text, const std::string& origin) {
  constexpr std::string_view Blanks = " \t\r\n";
  const auto first = text.find_first_not_of(Blanks);
  if (first == std::string_view::npos) {
    return failure(ErrorKind::InvalidInput, "the token of " + origin + " is empty");
  }
  text = text.substr(first, text.find_last_not_of(Blanks) - first + 1);
  const bool is_usable =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!is_usable) {
    return failure(ErrorKind::InvalidInput,
                   "the token of " + origin + " has characters that no token has");
  }
  return std::string(text);
}

WallClock::time_point renewal_time(WallClock::time_point now, WallClock::time_point expires) {
  const auto tenth = std::max((expires - now) / 10, WallClock::duration::zero());
  return expires - std::min<WallClock::duration>(RenewalMargin, tenth);
}

// Warns about a problem when it appears, not while it lasts.
class Warning {
 public:
  void set(const CredentialOptions& options, const std::string& problem) {
    if (problem != last_ && !problem.empty()) {
      options.warn(problem);
    }
    last_ = problem;
  }

 private:
  std::string last_;
};

}  // namespace

struct ApiCredentials::State : std::enable_shared_from_this<State> {
  State(asio::any_io_executor the_executor, ApiAccess the_access, CredentialOptions the_options)
      : executor(std::move(the_executor)),
        access(std::move(the_access)),
        options(std::move(the_options)),
        authority(access.certificate_authority),
        certificate(access.client_certificate),
        key(access.client_key),
        token(access.token) {}

  // Reads every file for the first time.
  Result<void> load();
  // Looks at the files again, if that is due or `at_once`.
  void refresh_files(bool at_once);
  // Makes a context when the material has changed.
  Result<void> refresh_tls();
  Result<void> refresh_token();
  void warn_of_plain_credentials();

  bool needs_plugin() const {
    return access.exec && (!issued || (renew_at && WallClock::now() >= *renew_at));
  }
  // Makes sure that a plugin's credential is there, or fails.
  asio::awaitable<Result<void>> ensure_issued(TimePoint deadline);
  void start_plugin();
  Result<void> take(ExecCredential credential);

  Presented presented() const;

  asio::any_io_executor executor;
  ApiAccess access;
  CredentialOptions options;

  RotatingText authority;
  RotatingText certificate;
  RotatingText key;
  RotatingText token;
  TimePoint next_check = TimePoint::min();
  std::array<Warning, 4> file_warnings;
  Warning tls_warning;
  Warning token_warning;
  bool has_warned_of_plain = false;

  TlsMaterial material;  // Of `tls`.
  TlsContext tls;
  std::string bearer;  // From `token`.

  std::optional<ExecCredential> issued;  // By the plugin.
  std::optional<WallClock::time_point> renew_at;
  std::shared_ptr<PluginRun> run;  // Under way.
};

Result<void> ApiCredentials::State::load() {
  for (RotatingText* text : {&authority, &certificate, &key, &token}) {
    if (auto read = text->refresh(); !read) {
      return read;
    }
  }
  if (token.has_file() || !token.text().empty()) {
    if (auto read = refresh_token(); !read) {
      return read;
    }
  }
  if (has_tls(access)) {
    if (auto made = refresh_tls(); !made) {
      return made;
    }
  }
  next_check = Clock::now() + options.file_check_interval;
  return {};
}

Result<void> ApiCredentials::State::refresh_token() {
  auto usable = usable_token(token.text(), token.origin());
  if (!usable) {
    return std::unexpected(std::move(usable.error()));
  }
  bearer = std::move(*usable);
  return {};
}

Result<void> ApiCredentials::State::refresh_tls() {
  TlsMaterial now{authority.text(), certificate.text(), key.text(),
                  !access.insecure_skip_tls_verify, "http/1.1"};
  if (issued && !issued->client_certificate.empty()) {
    now.certificate = issued->client_certificate;
    now.key = issued->client_key;
  }
  if (authority.has_file() && now.authority.empty()) {
    return failure(ErrorKind::InvalidInput,
                   authority.origin() + " is empty; expected certificates");
  }
  if (tls && now == material) {
    return {};
  }
  auto context = make_tls_context(now);
  if (!context) {
    return std::unexpected(with_context(std::move(context.error()), access.origin));
  }
  tls = std::move(*context);
  material = std::move(now);
  return {};
}

void ApiCredentials::State::refresh_files(bool at_once) {
  const auto now = Clock::now();
  if (!at_once && now < next_check) {
    return;
  }
  next_check = now + options.file_check_interval;
  const std::array texts{&authority, &certificate, &key, &token};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto read = texts[i]->refresh();
    file_warnings[i].set(options,
                         read ? "" : read.error().message + "; what it held stays in force");
  }
  if (token.has_file()) {
    const auto read = refresh_token();
    token_warning.set(options,
                      read ? "" : read.error().message + "; the one before stays in force");
  }
  if (has_tls(access)) {
    // A certificate and its key are two files: between the two replacements they do not fit.
    const auto made = refresh_tls();
    tls_warning.set(options, made ? "" : made.error().message + "; what was before stays in force");
  }
}

Presented ApiCredentials::State::presented() const {
  Presented result{{}, tls};
  if (!bearer.empty()) {
    result.authorization = "Bearer " + bearer;
  } else if (!access.username.empty() || !access.password.empty()) {
    result.authorization = "Basic " + encode_base64(access.username + ":" + access.password);
  } else if (issued && !issued->token.empty()) {
    result.authorization = "Bearer " + issued->token;
  }
  return result;
}

// Allowed, as in client-go: a test server has no certificate.
void ApiCredentials::State::warn_of_plain_credentials() {
  if (has_warned_of_plain || has_tls(access) || access.endpoint.is_local() ||
      presented().authorization.empty()) {
    return;
  }
  has_warned_of_plain = true;
  options.warn(access.endpoint.to_text() +
               ": credentials are sent without TLS, for everyone on the way to read");
}

Result<void> ApiCredentials::State::take(ExecCredential credential) {
  const auto now = WallClock::now();
  if (credential.expires && *credential.expires <= now) {
    return failure(ErrorKind::InvalidInput,
                   "credential plugin: " + access.exec->command +
                       ": the credential has expired already; mend this machine's clock");
  }
  if (!credential.token.empty()) {
    auto usable = usable_token(credential.token, "the credential plugin " + access.exec->command);
    if (!usable) {
      return std::unexpected(std::move(usable.error()));
    }
    credential.token = std::move(*usable);
  }
  renew_at.reset();
  if (credential.expires) {
    renew_at = renewal_time(now, *credential.expires);
  }
  auto before = std::exchange(issued, std::move(credential));
  if (has_tls(access)) {
    if (auto made = refresh_tls(); !made) {
      issued = std::move(before);
      return std::unexpected(
          with_context(std::move(made.error()), "credential plugin: " + access.exec->command));
    }
  }
  return {};
}

void ApiCredentials::State::start_plugin() {
  run = std::make_shared<PluginRun>(executor);
  asio::co_spawn(
      executor,
      [](std::shared_ptr<State> self) -> asio::awaitable<void> {
        auto credential =
            co_await run_exec_plugin(*self->access.exec, self->options.plugin_time_limit);
        Result<void> outcome;
        if (credential) {
          outcome = self->take(std::move(*credential));
        } else {
          outcome = std::unexpected(std::move(credential.error()));
        }
        std::exchange(self->run, nullptr)->complete(std::move(outcome));
      }(shared_from_this()),
      [self = shared_from_this()](const std::exception_ptr& exception) {
        // Out of memory, or the end of the program.
        if (exception && self->run) {
          std::exchange(self->run, nullptr)
              ->complete(failure(ErrorKind::System, "credential plugin: it could not be run"));
        }
      });
}

asio::awaitable<Result<void>> ApiCredentials::State::ensure_issued(TimePoint deadline) {
  if (!run) {
    start_plugin();
  }
  const auto under_way = run;
  const Result<void>* const outcome = co_await PluginRun::wait(under_way, deadline);
  if (outcome == nullptr) {
    co_return failure(ErrorKind::Exhausted,
                      "timed out while waiting for the credential plugin " + access.exec->command);
  }
  co_return *outcome;
}

Result<ApiCredentials> ApiCredentials::make(asio::any_io_executor executor, ApiAccess access,
                                            CredentialOptions options) {
  auto state = std::make_shared<State>(std::move(executor), std::move(access), std::move(options));
  if (auto loaded = state->load(); !loaded) {
    return std::unexpected(std::move(loaded.error()));
  }
  return ApiCredentials(std::move(state));
}

asio::awaitable<Result<Presented>> ApiCredentials::current(TimePoint deadline) {
  const auto state = state_;
  state->refresh_files(false);
  if (state->needs_plugin()) {
    if (auto done = co_await state->ensure_issued(deadline); !done) {
      co_return std::unexpected(std::move(done.error()));
    }
  }
  state->warn_of_plain_credentials();
  co_return state->presented();
}

asio::awaitable<Result<Presented>> ApiCredentials::renew(Presented refused, TlsRefusal why,
                                                         TimePoint deadline) {
  const auto state = state_;
  state->refresh_files(true);
  const Presented now = state->presented();
  const bool is_new = now.authorization != refused.authorization || now.tls != refused.tls;
  if (state->access.exec && why == TlsRefusal::OfClient && !is_new) {
    if (auto done = co_await state->ensure_issued(deadline); !done) {
      co_return std::unexpected(std::move(done.error()));
    }
  }
  co_return state->presented();
}

}  // namespace waypost::kube
