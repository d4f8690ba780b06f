#include "training/run_folder.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "checkpoints/safetensors.h"
#include "core/files.h"
#include "core/temporary_name.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

std::string step_name(std::int64_t step) {
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), "step-%08lld", static_cast<long long>(step));
  return name.data();
}

}  // namespace

std::map<std::string, torch::Tensor> Checkpoint::part(const std::string& prefix) const {
  std::map<std::string, torch::Tensor> found;
  for (auto entry = tensors.lower_bound(prefix); entry != tensors.end(); ++entry) {
    if (entry->first.compare(0, prefix.size(), prefix) != 0) break;
    found[entry->first.substr(prefix.size())] = entry->second;
  }
  return found;
}

std::vector<fs::path> RunFolder::checkpoint_folders() const {
  std::vector<fs::path> folders;
  const auto parent = path_ / "checkpoints";
  if (!fs::is_directory(parent)) return folders;
  for (const auto& entry : fs::directory_iterator(parent)) {
    if (entry.path().filename().string().rfind("step-", 0) == 0 && fs::exists(entry.path() / "state.json")) {
      folders.push_back(entry.path());
    }
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

void RunFolder::write(const Checkpoint& checkpoint) const {
  const auto parent = path_ / "checkpoints";
  const auto target = parent / step_name(checkpoint.step);
  const auto unfinished = parent / ("unfinished" + std::string(kTemporarySuffix));
  fs::remove_all(unfinished);
  try {
    fs::create_directories(unfinished);
    write_safetensors(unfinished / "state.safetensors", checkpoint.tensors);
    write_json(unfinished / "state.json", {{"step", checkpoint.step}, {"metrics", checkpoint.metrics}});
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(unfinished, ignored);  // a full disk has no room for half a checkpoint either
    throw;
  }
  fs::remove_all(target);
  fs::rename(unfinished, target);
  const auto folders = checkpoint_folders();
  for (std::size_t i = 0; i + 2 < folders.size(); ++i) fs::remove_all(folders[i]);
}

std::optional<Checkpoint> RunFolder::newest() const {
  const auto folders = checkpoint_folders();
  if (folders.empty()) return std::nullopt;
  const auto state = read_json(folders.back() / "state.json");
  Checkpoint checkpoint;
  checkpoint.step = value_or(state, "step", std::int64_t{0});
  checkpoint.metrics = state.value("metrics", Json::object());
  const SafetensorsFile file(folders.back() / "state.safetensors");
  for (const auto& name : file.names()) checkpoint.tensors[name] = file.tensor(name);
  return checkpoint;
}

bool RunFolder::is_begun() const {
  return has_checkpoints() || fs::exists(path_ / "recipe.json") || fs::exists(unfinished_latents()) ||
         fs::exists(path_ / "latents.safetensors");
}

fs::path RunFolder::unfinished_latents() const {
  return path_ / ("latents" + std::string(kTemporarySuffix));
}

void RunFolder::log(const nlohmann::ordered_json& line) const {
  fs::create_directories(path_);
  std::ofstream out(path_ / "log.jsonl", std::ios::app);
  out << line.dump() + '\n' << std::flush;
  if (!out) throw std::runtime_error("cannot append to '" + (path_ / "log.jsonl").string() + "'");
}

void RunFolder::cut_log(std::int64_t step) const {
  const auto path = path_ / "log.jsonl";
  if (!fs::exists(path)) return;
  std::istringstream lines(read_file(path));
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    const auto entry = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (entry.is_object() && value_or(entry, "step", std::int64_t{0}) <= step) kept += line + '\n';
  }
  write_file_atomically(path, [&](std::ostream& out) { out << kept; });
}

fs::path RunFolder::sample_path(std::int64_t step) const {
  return path_ / "samples" / step_name(step);
}

}  // namespace sfumato
