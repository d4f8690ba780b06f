#pragma once

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "checkpoints/load.h"
#include "core/json.h"
#include "core/placement.h"
#include "nn/layers.h"
#include "systems/pipeline_classes.h"

namespace sfumato {

/// Throws std::runtime_error "model 'FOLDER': WHY".
[[noreturn]] void refuse_model(const std::filesystem::path& folder, const std::string& why);

/// model_index.json of a diffusers folder: its pipeline class and the classes of its parts.
class ModelIndex {
 public:
  /// Throws std::runtime_error naming the folder if it has no model_index.json, or one whose class is not among
  /// pipeline_classes().
  explicit ModelIndex(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  const PipelineClass& pipeline_class() const { return *class_; }
  /// Throws std::runtime_error naming the programs for the folder's model if its system is another.
  void require_system(System system) const;

  /// True if the part exists: neither omitted nor [null, null].
  bool names(const std::string& part) const;
  /// Returns the part's class. Throws std::runtime_error if the part is missing or its class is not one of `known`.
  std::string class_of(const std::string& part, const std::vector<std::string>& known) const;
  bool flag(const std::string& key, bool otherwise) const { return value_or(json_, key, otherwise); }
  std::int64_t number(const std::string& key, std::int64_t otherwise) const { return value_or(json_, key, otherwise); }
  /// Returns a line about the additions of the class to a plain pipeline, if there are any.
  std::vector<std::string> notes() const;

 private:
  std::filesystem::path folder_;
  Json json_;
  const PipelineClass* class_ = nullptr;
};

/// Returns load(folder / part). Adds the folder and the part in front of errors about the part's config or weights.
template <class Load>
auto load_part(const std::filesystem::path& folder, const std::string& part, const Load& load) {
  try {
    return load(folder / part);
  } catch (const std::invalid_argument& error) {
    refuse_model(folder, part + ": " + error.what());
  }
}

/// Returns the network of a part, its weights channels-last.
template <class Impl>
std::shared_ptr<Impl> load_network(const std::filesystem::path& folder, const std::string& part,
                                   const Placement& placement) {
  return load_part(folder, part, [&](const std::filesystem::path& path) {
    auto network = from_pretrained<Impl>(path, placement);
    make_channels_last(*network);
    return network;
  });
}

}  // namespace sfumato
