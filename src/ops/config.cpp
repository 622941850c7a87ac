#include "ops/config.h"

#include "base/file.h"
#include "ops/config_reader.h"
#include "ops/host.h"
#include "ops/option_table.h"

#include <algorithm>
#include <utility>

namespace waypost::ops {
namespace {

namespace fs = std::filesystem;
using Shape = Setting::Shape;

Error problem(const std::string& where, std::string what) {
  return with_context({ErrorKind::InvalidInput, std::move(what)}, where);
}

// Numbers and booleans in quotes are text in YAML, and text is no number.
bool is_plain_form(OptionForm form) {
  return form == OptionForm::Boolean || form == OptionForm::Number;
}

std::string found(const SettingValue& value) {
  if (value.text.empty()) {
    return "found an empty value";
  }
  return value.quoted ? "found the text \"" + value.text + "\"" : "found '" + value.text + "'";
}

std::string expected(const Option& option) {
  return ", expected " + std::string(option.expected);
}

// The last key of "waypost.yaml:3: listen" for a value that stands on a line of its own.
std::string where_of(const Setting& setting, const SettingValue& value) {
  return value.where.empty() || setting.shape != Shape::List ? setting.where
                                                             : value.where + ": " + setting.key;
}

// Says that an option cannot be a list, a map, or nothing; none when the shape is right.
std::optional<Error> shape_problem(const Option& option, const Setting& setting) {
  const bool list = option.form == OptionForm::List;
  if (setting.shape == (list ? Shape::List : Shape::Scalar)) {
    return std::nullopt;
  }
  std::string what;
  switch (setting.shape) {
    case Shape::Nothing:
      what = "found nothing";
      break;
    case Shape::Scalar:
      what = "found the single value '" + setting.values.front().text + "'";
      break;
    case Shape::List:
      what = "found a list";
      break;
    case Shape::Map:
      what = "found a map";
      break;
  }
  return problem(setting.where, what + expected(option));
}

// The place of an option in the table.
std::size_t index_of(const Option& option) {
  return static_cast<std::size_t>(&option - options().data());
}

// The setting of every option, by its place in the table; null where none was given.
struct Chosen {
  std::vector<const Setting*> by_option;

  const Setting* find(std::string_view key) const { return by_option[index_of(*find_option(key))]; }
};

class Interpreter {
 public:
  static Chosen choose(const std::vector<Setting>& file, const std::vector<Setting>& flags) {
    Chosen chosen{std::vector<const Setting*>(options().size(), nullptr)};
    for (const auto* settings : {&file, &flags}) {
      for (const Setting& setting : *settings) {
        if (const Option* option = find_option(setting.key)) {
          chosen.by_option[index_of(*option)] = &setting;
        }
      }
    }
    return chosen;
  }

  // Puts every given value, wherever it comes from, so that a file's mistake shows even under a
  // flag.
  void check(const std::vector<Setting>& settings) {
    for (const Setting& setting : settings) {
      if (const Option* option = find_option(setting.key)) {
        Config scratch;
        put(*option, setting, scratch, true);
      } else {
        report_unknown(setting);
      }
    }
  }

  void fill(const Chosen& chosen, Config& config) {
    for (std::size_t i = 0; i < options().size(); ++i) {
      const Option& option = options()[i];
      if (const Setting* setting = chosen.by_option[i]) {
        config.shown.push_back({option.key, put(option, *setting, config, false)});
      } else {
        put_default(option, config);
        config.shown.push_back({option.key, std::string(option.shown_default())});
      }
    }
  }

  void add(Error error) { problems_.push_back(std::move(error)); }
  Problems& problems() { return problems_; }

 private:
  void report_unknown(const Setting& setting) {
    std::vector<std::string_view> keys;
    for (const Option& option : options()) {
      keys.push_back(option.key);
    }
    const std::string_view near = nearest(setting.key, keys);
    add(problem(setting.where,
                near.empty()
                    ? "found an unknown key, expected one that 'waypost-dns --help' lists"
                    : "found an unknown key, expected perhaps '" + std::string(near) + "'"));
  }

  // Returns the values as one text.
  std::string put(const Option& option, const Setting& setting, Config& config, bool report) {
    if (auto wrong = shape_problem(option, setting)) {
      if (report) {
        add(std::move(*wrong));
      }
      return {};
    }
    std::string shown;
    for (const SettingValue& value : setting.values) {
      const std::string text =
          option.is_path && !value.text.empty() ? absolute(setting, value.text) : value.text;
      const bool mistyped = is_plain_form(option.form) && value.quoted;
      const Result<void> done =
          mistyped ? failure(ErrorKind::InvalidInput, "") : option.put(config, text);
      if (!done && report) {
        const std::string& reason = done.error().message;
        add(problem(where_of(setting, value),
                    found(value) + (reason.empty() ? "" : " (" + reason + ")") + expected(option)));
      }
      shown += (shown.empty() ? "" : ", ") + text;
    }
    if (!shown.empty()) {
      return shown;
    }
    return option.default_value.empty() ? std::string(option.shown_default()) : "none";
  }

  static std::string absolute(const Setting& setting, const std::string& text) {
    std::string path = (setting.folder / text).lexically_normal().string();
    if (path.size() > 1 && path.ends_with('/')) {
      path.pop_back();
    }
    return path;
  }

  static void put_default(const Option& option, Config& config) {
    std::string_view rest = option.default_value;
    while (!rest.empty()) {
      const std::size_t end =
          option.form == OptionForm::List ? std::min(rest.find(", "), rest.size()) : rest.size();
      // A default that its own option refuses would be a mistake in the table; a test puts them
      // all.
      (void)option.put(config, std::string(rest.substr(0, end)));
      rest.remove_prefix(std::min(end + 2, rest.size()));
    }
  }

  Problems problems_;
};

// Defaults that depend on other values or on the host.
void derive(const Chosen& chosen, Config& config) {
  const auto show = [&config](std::string_view key, const std::string& value) {
    std::string& text = config.shown[index_of(*find_option(key))].text;
    text = value + " (" + text + ")";
  };
  if (chosen.find("negativeTtl") == nullptr) {
    config.records.negative_ttl = std::min<std::uint32_t>(config.records.ttl, 5);
    show("negativeTtl", std::to_string(config.records.negative_ttl));
  }
  if (chosen.find("rateLimitBurst") == nullptr && config.rules.limit.rate != 0) {
    config.rules.limit.burst = std::min(2 * config.rules.limit.rate, 100'000U);
    show("rateLimitBurst", std::to_string(config.rules.limit.burst));
  }
  if (chosen.find("searchDomains") != nullptr && !config.completion.domains) {
    config.completion.domains.emplace();  // An empty list says that there are none.
  }
  if (chosen.find("workers") == nullptr) {
    config.server.workers = usable_cores();
    show("workers", std::to_string(config.server.workers));
  }
  if (chosen.find("lameduck") == nullptr) {
    config.lameduck =
        config.is_from_manifests() ? std::chrono::seconds(0) : std::chrono::seconds(5);
    show("lameduck", config.is_from_manifests() ? "0s" : "5s");
  }
}

// Of two settings that exclude each other, says so of the first; `value` is what the other has.
void clash(const Chosen& chosen, Interpreter& interpreter, std::string_view key,
           std::string_view other, std::string_view value) {
  const Setting* const setting = chosen.find(key);
  const Setting* const against = chosen.find(other);
  if (setting != nullptr && against != nullptr) {
    interpreter.add(problem(setting->where, "found together with " + against->where +
                                                std::string(value) +
                                                ", expected only one of them"));
  }
}

// What says of search completion what cannot be.
void check_completion(const Chosen& chosen, const Config& config, Interpreter& interpreter) {
  clash(chosen, interpreter, "searchResolvConf", "searchDomains", "");
  clash(chosen, interpreter, "searchNode", "manifests", "");
  if (config.records.pods == records::PodsMode::Verified) {
    clash(chosen, interpreter, "searchNode", "pods", ": verified");
  }
  if (config.completion.is_on && !config.records.is_served) {
    clash(chosen, interpreter, "searchCompletion", "kubernetes", ": false");
  }
  for (const std::string_view key : {"searchDomains", "searchResolvConf", "searchNode"}) {
    if (const Setting* setting = chosen.find(key); setting != nullptr && !config.completion.is_on) {
      interpreter.add(
          problem(setting->where, "found without searchCompletion: true, expected them together"));
    }
  }
}

// The cluster's own names are not asked elsewhere: nothing would be left of it.
void check_stub_domains(const Chosen& chosen, const Config& config, Interpreter& interpreter) {
  const Setting* const setting = chosen.find("stubDomains");
  if (setting == nullptr || !config.records.is_served) {
    return;
  }
  const dns::Name& domain = config.records.zone;
  std::vector<dns::Name> own = {domain};
  for (const std::string_view branch : {"svc", "pod"}) {
    if (auto name = domain.child(branch)) {
      own.push_back(*std::move(name));
    }
  }
  const std::string text = domain.to_text();
  const std::string reason =
      ", which has the cluster's own names (clusterDomain), expected a zone outside of " + text +
      " or within it, such as my." + text;
  for (const SettingValue& value : setting->values) {
    const auto zone = dns::Name::from_text(value.text.substr(0, value.text.find('=')));
    if (zone && std::find(own.begin(), own.end(), *zone) != own.end()) {
      interpreter.add(problem(where_of(*setting, value), found(value) + reason));
    }
  }
}

// Values that are fine each and make no sense together.  A value that could not be read is reported
// already and causes no second complaint.
void check_together(const Chosen& chosen, const Config& config, Interpreter& interpreter) {
  for (const std::string_view key : {"kubeconfig", "context", "apiServer", "snapshot"}) {
    clash(chosen, interpreter, key, "manifests", "");
  }
  if (!config.records.is_served) {
    for (const std::string_view key :
         {"manifests", "kubeconfig", "context", "apiServer", "snapshot"}) {
      clash(chosen, interpreter, key, "kubernetes", ": false");
    }
  }
  const Setting* context = chosen.find("context");
  if (context != nullptr && chosen.find("kubeconfig") == nullptr) {
    interpreter.add(problem(context->where, "found without a kubeconfig, expected them together"));
  }
  const Setting* labels = chosen.find("namespaceLabels");
  const Setting* names = chosen.find("namespaces");
  if (labels != nullptr && names != nullptr && !config.records.namespaces.empty() &&
      !config.records.namespace_labels.empty()) {
    interpreter.add(problem(labels->where,
                            "found together with " + names->where + ", expected only one of them"));
  }
  check_completion(chosen, config, interpreter);
  check_stub_domains(chosen, config, interpreter);
  const Setting* listen = chosen.find("listen");
  if (listen != nullptr && listen->shape == Shape::List && listen->values.empty()) {
    interpreter.add(problem(listen->where, "found no address, expected at least one"));
  }
  for (const dns::Name& zone : config.records.reverse_zones) {
    const dns::Name& domain = config.records.zone;
    if (!domain.is_root() && (zone.is_within(domain) || domain.is_within(zone))) {
      const Setting* setting = chosen.find("clusterDomain");
      interpreter.add(problem(setting != nullptr ? setting->where : "clusterDomain",
                              "found " + domain.to_text() + ", which overlaps the reverse zone " +
                                  zone.to_text() + ", expected a domain outside of it"));
      break;
    }
  }
}

}  // namespace

std::expected<Config, Problems> interpret(const std::vector<Setting>& file,
                                          const std::vector<Setting>& flags) {
  Interpreter interpreter;
  Config config;
  const Chosen chosen = interpreter.choose(file, flags);
  interpreter.check(file);
  interpreter.check(flags);
  interpreter.fill(chosen, config);
  derive(chosen, config);
  check_together(chosen, config, interpreter);
  if (!interpreter.problems().empty()) {
    return std::unexpected(std::move(interpreter.problems()));
  }
  return config;
}

std::expected<Config, Problems> load_config(const std::optional<fs::path>& file,
                                            const std::vector<Setting>& flags) {
  ReadSettings read;
  if (file) {
    const auto text = read_file(*file);
    if (!text) {
      return std::unexpected(Problems{text.error()});
    }
    read = read_settings(*text, *file);
    if (!read.problems.empty() && read.settings.empty()) {
      return std::unexpected(std::move(read.problems));
    }
  }
  auto config = interpret(read.settings, flags);
  if (!config) {
    read.problems.insert(read.problems.end(), config.error().begin(), config.error().end());
  }
  if (!read.problems.empty()) {
    return std::unexpected(std::move(read.problems));
  }
  return config;
}

ConfigChanges compare(const Config& before, const Config& after) {
  ConfigChanges changes;
  for (std::size_t i = 0; i < options().size(); ++i) {
    if (before.shown[i] != after.shown[i]) {
      (options()[i].live ? changes.live : changes.at_restart).push_back(options()[i].key);
    }
  }
  return changes;
}

}  // namespace waypost::ops
