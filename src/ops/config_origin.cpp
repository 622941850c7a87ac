#include "ops/config_origin.h"

#include "base/file.h"
#include "corefile/corefile.h"
#include "ops/config_map.h"
#include "ops/config_reader.h"
#include "ops/corefile_options.h"

#include <algorithm>
#include <utility>

namespace waypost::ops {
namespace {

namespace fs = std::filesystem;

void add_folder(const fs::path& folder, ConfigText& to) {
  if (std::find(to.folders.begin(), to.folders.end(), folder) == to.folders.end()) {
    to.folders.push_back(folder);
  }
}

// Those of this process; what is read and looked at goes into `record` as well.
corefile::Surroundings recording(ConfigText& record) {
  corefile::Surroundings real = corefile::process_surroundings();
  corefile::Surroundings out;
  out.environment = real.environment;
  out.list = [list = real.list, &record](const fs::path& folder) {
    add_folder(fs::absolute(folder), record);
    return list(folder);
  };
  out.read = [read = real.read, &record](const fs::path& file) {
    add_folder(fs::absolute(file).parent_path(), record);
    auto text = read(file);
    record.text.append(file.string()).push_back('\0');
    record.text.append(text.value_or("")).push_back('\0');
    return text;
  };
  return out;
}

// The same, or all problems, those of the values among them.
std::expected<CorefileSettings, Problems> checked(CorefileSettings read) {
  if (read.problems.empty()) {
    return read;
  }
  if (const auto config = interpret(read.settings, {}); !config) {
    read.problems.insert(read.problems.end(), config.error().begin(), config.error().end());
  }
  return std::unexpected(std::move(read.problems));
}

// What the last of the settings that choose a format says, if one does and its value is good.
std::optional<log::Format> log_format_in(const std::vector<Setting>& settings) {
  std::optional<log::Format> found;
  for (const Setting& setting : settings) {
    // Of waypost-dns, of waypost-node, and of a KubeProxyConfiguration.
    const bool chooses = setting.key == "logFormat" || setting.key == "log-format" ||
                         setting.key == "logging-format" || setting.key == "logging.format";
    if (!chooses || setting.values.size() != 1) {
      continue;
    }
    if (setting.values.front().text == "json") {
      found = log::Format::Json;
    } else if (setting.values.front().text == "text") {
      found = log::Format::Text;
    }
  }
  return found;
}

std::expected<CorefileSettings, Problems> read_settings(const ConfigOrigin& origin) {
  if (origin.form == ConfigForm::KubeDns) {
    return checked(settings_of_kube_dns(*origin.file, corefile::process_surroundings()));
  }
  const auto corefile = corefile::read_corefile(*origin.file, corefile::process_surroundings());
  if (!corefile) {
    return std::unexpected(Problems{corefile.error()});
  }
  return checked(settings_of(*corefile, origin.port));
}

}  // namespace

ConfigText read_config_text(const ConfigOrigin& origin) {
  ConfigText out;
  if (!origin.file) {
    return out;
  }
  if (origin.form == ConfigForm::KubeDns) {
    (void)settings_of_kube_dns(*origin.file, recording(out));
  } else if (origin.form == ConfigForm::Corefile) {
    (void)corefile::read_corefile(*origin.file,
                                  recording(out));  // Its mistakes are told elsewhere.
  } else {
    add_folder(fs::absolute(*origin.file).parent_path(), out);
    out.text = read_file(*origin.file).value_or("");
  }
  return out;
}

log::Format early_log_format(const ConfigOrigin& origin) {
  if (const auto of_flags = log_format_in(origin.flags)) {
    return *of_flags;
  }
  if (origin.file && origin.form == ConfigForm::Yaml) {
    const std::string text = read_file(*origin.file).value_or("");
    const ReadSettings read = read_settings(text, *origin.file, NestedMaps::Flattened);
    return log_format_in(read.settings).value_or(log::Format::Text);
  }
  return log::Format::Text;
}

std::expected<LoadedConfig, Problems> load_config(const ConfigOrigin& origin) {
  LoadedConfig out;
  if (!origin.file || origin.form == ConfigForm::Yaml) {
    auto config = load_config(origin.file, origin.flags);
    if (!config) {
      return std::unexpected(std::move(config.error()));
    }
    out.config = std::move(*config);
    return out;
  }
  auto read = read_settings(origin);
  if (!read) {
    return std::unexpected(std::move(read.error()));
  }
  auto config = interpret(read->settings, origin.flags);
  if (!config) {
    return std::unexpected(std::move(config.error()));
  }
  out.config = std::move(*config);
  for (Note& note : read->notes) {
    if (note.is_differing) {
      out.notes.push_back(std::move(note.text));
    }
  }
  return out;
}

std::expected<std::string, Problems> convert_corefile(const fs::path& file) {
  const ConfigOrigin origin{.file = file, .form = ConfigForm::Corefile};
  const fs::path extension = file.extension();
  const bool is_manifest = extension == ".yaml" || extension == ".yml" || extension == ".json";
  std::expected<CorefileSettings, Problems> read;
  if (is_manifest) {
    const auto text = read_file(file);
    if (!text) {
      return std::unexpected(Problems{text.error()});
    }
    read = checked(settings_of_config_map(*text, file, origin.port));
  } else {
    read = read_settings(origin);
  }
  if (!read) {
    return std::unexpected(read.error());
  }
  if (const auto config = interpret(read->settings, {}); !config) {
    return std::unexpected(config.error());
  }
  return yaml_of(read->settings, read->notes);
}

}  // namespace waypost::ops
