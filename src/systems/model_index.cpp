#include "systems/model_index.h"

#include <algorithm>
#include <array>
#include <fstream>

#include "checkpoints/file_kind.h"

namespace sfumato {
namespace {

std::string alternatives(const std::vector<std::string>& names) {
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : " or ") + name;
  return list;
}

/// Returns the inputs of a system's models and the programs that run them.
std::string programs_of(System system) {
  if (system == System::unconditional) return "which takes no prompt: use sample";
  if (system == System::glide) return "a model of GLIDE: use txt2img or, if it is one for inpainting, inpaint";
  return "which takes a prompt: use txt2img, img2img or inpaint";
}

[[noreturn]] void refuse_file(const std::filesystem::path& path) {
  std::array<char, kFileKindBytes> begin{};
  std::ifstream file(path, std::ios::binary);
  file.read(begin.data(), begin.size());
  const auto kind = file_kind({begin.data(), static_cast<std::size_t>(file.gcount())});
  refuse_model(path, "the file " + (kind.empty() ? "is no folder" : kind) +
                         ": expected the folder of a diffusers pipeline" +
                         (kind.empty() ? "; txt2img, img2img and inpaint run Stable Diffusion in one file" : ""));
}

}  // namespace

void refuse_model(const std::filesystem::path& folder, const std::string& why) {
  throw std::runtime_error("model '" + folder.string() + "': " + why);
}

ModelIndex::ModelIndex(const std::filesystem::path& folder) : folder_(folder) {
  if (!std::filesystem::exists(folder)) refuse_model(folder, "there is no such folder");
  if (!std::filesystem::is_directory(folder)) refuse_file(folder);
  if (!std::filesystem::exists(folder / "model_index.json"))
    refuse_model(folder, "no model_index.json in it: expected the folder of a diffusers pipeline");
  json_ = read_json(folder / "model_index.json");
  if (!json_.is_object()) refuse_model(folder, "model_index.json holds no object");
  const auto name = value_or<std::string>(json_, "_class_name", "");
  class_ = find_pipeline_class(name);
  if (class_ == nullptr)
    refuse_model(folder, "its _class_name is '" + name + "', which no program runs: " + programs_and_classes());
}

void ModelIndex::require_system(System system) const {
  if (class_->system != system) refuse_model(folder_, "it is a " + class_->name + ", " + programs_of(class_->system));
}

bool ModelIndex::names(const std::string& part) const {
  const auto entry = json_.find(part);
  return entry != json_.end() && entry->is_array() && entry->size() == 2 && (*entry)[1].is_string();
}

std::string ModelIndex::class_of(const std::string& part, const std::vector<std::string>& known) const {
  const auto expected = alternatives(known);
  if (!names(part)) refuse_model(folder_, "model_index.json names no " + part + ", expected " + expected);
  const auto name = json_.at(part)[1].get<std::string>();
  if (std::find(known.begin(), known.end(), name) == known.end())
    refuse_model(folder_, "its " + part + " is a '" + name + "', expected " + expected);
  if (!std::filesystem::is_directory(folder_ / part)) refuse_model(folder_, "its folder " + part + " is missing");
  return name;
}

std::vector<std::string> ModelIndex::notes() const {
  if (class_->note.empty()) return {};
  return {"model '" + folder_.string() + "' is a " + class_->name + ": " + class_->note};
}

}  // namespace sfumato
