#include "systems/stable_diffusion/checkpoint_yaml.h"

#include <charconv>
#include <map>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "core/files.h"

namespace sfumato {
namespace {

/// A value of the file, and its line.
struct YamlValue {
  std::string text;
  int line = 0;
};

std::string without_comment(const std::string& line) {
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (quote == 0 && (line[i] == '"' || line[i] == '\''))
      quote = line[i];
    else if (line[i] == quote)
      quote = 0;
    else if (quote == 0 && line[i] == '#' && (i == 0 || line[i - 1] == ' '))
      return line.substr(0, i);
  }
  return line;
}

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t\r");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin);
}

std::string unquoted(const std::string& text) {
  const bool quoted = text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front();
  return quoted ? text.substr(1, text.size() - 2) : text;
}

/// Scalars by their full keys: "model.params.parameterization".
class Scalars {
 public:
  explicit Scalars(const std::filesystem::path& path) : path_(path) {
    std::istringstream lines(read_file(path));
    int number = 0;
    for (std::string line; std::getline(lines, line);) add(without_comment(line), ++number);
  }

  std::optional<YamlValue> find(const std::string& key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? std::nullopt : std::optional<YamlValue>(found->second);
  }

  [[noreturn]] void refuse(const std::string& key, const YamlValue& value, const std::string& expected) const {
    throw std::runtime_error("'" + path_.string() + "', line " + std::to_string(value.line) + ": '" + key + "' is " +
                             value.text + ": expected " + expected);
  }

  /// Parses numbers, including Python's 1.0e-4 and .5.
  template <class Number>
  std::optional<Number> number(const std::string& key) const {
    const auto value = find(key);
    if (!value) return std::nullopt;
    Number number = 0;
    const auto* end = value->text.data() + value->text.size();
    const auto [stopped, error] = std::from_chars(value->text.data(), end, number);
    if (error != std::errc() || stopped != end || !(number > 0)) refuse(key, *value, "a positive number");
    return number;
  }

 private:
  void add(const std::string& line, int number) {
    const auto text = trimmed(line);
    const auto indent = line.find_first_not_of(' ');
    // Lists and document markers contain no value that is read.
    if (text.empty() || text.front() == '-') return;
    while (!parents_.empty() && parents_.back().first >= indent) parents_.pop_back();
    const auto colon = text.find(':');
    if (colon == std::string::npos || (colon + 1 < text.size() && text[colon + 1] != ' ')) return;
    auto key = parents_.empty() ? "" : parents_.back().second + ".";
    key += unquoted(trimmed(text.substr(0, colon)));
    const auto value = unquoted(trimmed(text.substr(colon + 1)));
    if (value.empty())
      parents_.emplace_back(indent, key);
    else
      values_[key] = {value, number};
  }

  std::filesystem::path path_;
  std::vector<std::pair<std::size_t, std::string>> parents_;  // indentation and key of the enclosing lines
  std::map<std::string, YamlValue> values_;
};

std::optional<std::string> prediction_of(const Scalars& yaml) {
  static const std::map<std::string, std::string> parameterizations = {
      {"eps", "epsilon"}, {"v", "v_prediction"}, {"x0", "sample"}};
  static const std::map<std::string, std::string> scalings = {{"EpsScaling", "epsilon"}, {"VScaling", "v_prediction"}};
  const std::string key = "model.params.parameterization";
  const std::string scaling = "model.params.denoiser_config.params.scaling_config.target";
  if (const auto value = yaml.find(key)) {
    const auto found = parameterizations.find(value->text);
    if (found == parameterizations.end()) yaml.refuse(key, *value, "eps, v or x0");
    return found->second;
  }
  if (const auto value = yaml.find(scaling)) {
    const auto found = scalings.find(value->text.substr(value->text.rfind('.') + 1));
    if (found == scalings.end()) yaml.refuse(scaling, *value, "EpsScaling or VScaling");
    return found->second;
  }
  return std::nullopt;
}

}  // namespace

CheckpointYaml read_checkpoint_yaml(const std::filesystem::path& checkpoint) {
  auto path = checkpoint;
  path.replace_extension(".yaml");
  if (!std::filesystem::is_regular_file(path)) return {};
  const Scalars yaml(path);
  return {.prediction_type = prediction_of(yaml),
          .beta_start = yaml.number<double>("model.params.linear_start"),
          .beta_end = yaml.number<double>("model.params.linear_end"),
          .num_train_timesteps = yaml.number<std::int64_t>("model.params.timesteps"),
          .scaling_factor = yaml.number<double>("model.params.scale_factor")};
}

}  // namespace sfumato
