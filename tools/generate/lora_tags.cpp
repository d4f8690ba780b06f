#include "generate/lora_tags.h"

#include <algorithm>
#include <array>
#include <set>
#include <stdexcept>

#include "tokenizer/prompt_comments.h"
#include "tokenizer/prompt_parts.h"

namespace sfumato {
namespace {

constexpr std::array kExtensions = {".safetensors", ".pt", ".ckpt", ".bin"};

/// Returns the files called `name` in the folders below `folder`, ordered by kExtensions, then by path.
std::vector<std::filesystem::path> files_below(const std::string& name, const std::filesystem::path& folder) {
  using Options = std::filesystem::directory_options;
  std::set<std::filesystem::path> paths;
  std::error_code error;  // an unreadable folder counts as empty
  for (auto at = std::filesystem::recursive_directory_iterator(
           folder, Options::follow_directory_symlink | Options::skip_permission_denied, error);
       !error && at != std::filesystem::recursive_directory_iterator(); at.increment(error))
    if (at->is_regular_file(error)) paths.insert(at->path());
  std::vector<std::filesystem::path> found;
  for (const auto* extension : kExtensions)
    for (const auto& path : paths)
      if (path.filename() == name + extension) found.push_back(path);
  return found;
}

/// Searches the folder itself, then the folders below it, where the name must be unique.
std::filesystem::path lora_file(const std::string& name, const std::filesystem::path& folder) {
  for (const auto* extension : kExtensions)
    if (const auto file = folder / (name + extension); std::filesystem::exists(file)) return file;
  const auto found = files_below(name, folder);
  if (found.empty())
    throw std::invalid_argument("<lora:" + name + ">: no " + name + ".safetensors in '" + folder.string() +
                                "' or below (--lora-dir names another folder)");
  if (found.size() > 1)
    throw std::invalid_argument("<lora:" + name + "> may be '" + found[0].string() + "' or '" + found[1].string() +
                                "': expected one file of that name, or the folder in the tag's name");
  return found.front();
}

Lora lora_of(const LoraTag& tag, const std::filesystem::path& folder) {
  Lora lora{.path = lora_file(tag.name, folder), .weight = tag.weight, .dyn = tag.dyn};
  if (tag.text_encoder_weight != tag.weight) lora.text_encoder_weight = tag.text_encoder_weight;
  return lora;
}

/// Warns of a tag that is removed without effect, as AUTOMATIC1111's web UI does with an unknown kind of network.
void warn_of(const std::string& tag, std::vector<std::string>& warnings) {
  const bool is_hypernetwork = tag.starts_with("<hypernet:");
  auto warning = "the tag " + tag + " is left out of the prompt: " +
                 (is_hypernetwork ? "hypernetworks are not supported" : "expected lora, lyco or no tag");
  if (std::find(warnings.begin(), warnings.end(), warning) == warnings.end()) warnings.push_back(std::move(warning));
}

}  // namespace

void take_lora_tags(GenerateOptions& options, const std::filesystem::path& folder) {
  options.prompt_loras.resize(options.requests.size());
  for (std::size_t i = 0; i < options.requests.size(); ++i) {
    auto& request = options.requests[i];
    if (request.prompt_syntax == "plain") continue;
    auto parsed = take_out_loras(without_comments(request.prompt));
    for (const auto& tag : parsed.loras) options.prompt_loras[i].push_back(lora_of(tag, folder));
    for (const auto& tag : parsed.others) warn_of(tag, options.warnings);
    if (!parsed.loras.empty() || !parsed.others.empty()) request.prompt = parsed.text;
    if (request.refiner.is_on() && options.prompt_loras[i] != options.prompt_loras.front())
      throw std::invalid_argument("prompts with different LoRA tags: expected the same ones in each with --refiner");
  }
}

}  // namespace sfumato
