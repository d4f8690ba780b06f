#include "adapters/textual_inversion.h"

#include <sstream>
#include <stdexcept>

#include "checkpoints/safetensors_header.h"
#include "checkpoints/tensor_file.h"

namespace sfumato {
namespace {

using Tensors = std::map<std::string, torch::Tensor>;

constexpr const char* kWebUi = "string_to_param.";
constexpr const char* kBundled = "bundle_emb.";

/// Returns the names of the tensors that are embeddings, or nothing.
std::vector<std::string> embedding_names(const Tensors& tensors) {
  if (tensors.contains("clip_l") && tensors.contains("clip_g")) return {"clip_l", "clip_g"};
  if (tensors.contains("emb_params")) return {"emb_params"};
  std::vector<std::string> of_web_ui;
  for (const auto& [name, tensor] : tensors)
    if (name.starts_with(kWebUi)) of_web_ui.push_back(name);
  if (of_web_ui.size() == 1) return of_web_ui;
  return tensors.size() == 1 ? std::vector<std::string>{tensors.begin()->first} : std::vector<std::string>();
}

/// Returns the word from `tensor`'s name or from the file, or "".
std::string own_word(const std::string& tensor, const std::string& own_name) {
  if (tensor.starts_with(kWebUi)) return own_name;
  return tensor == "clip_l" || tensor == "emb_params" ? "" : tensor;
}

torch::Tensor rows(const torch::Tensor& tensor) {
  return (tensor.dim() == 1 ? tensor.unsqueeze(0) : tensor).to(torch::kFloat32).clone();
}

/// Throws std::invalid_argument.
void check_embeddings(const std::vector<torch::Tensor>& embeddings) {
  for (const auto& tensor : embeddings) {
    std::ostringstream shape;
    shape << tensor.sizes();
    if (tensor.dim() != 2 || tensor.numel() == 0)
      throw std::invalid_argument("a tensor is " + shape.str() + ", expected [vectors, width]");
    if (tensor.size(0) != embeddings.front().size(0))
      throw std::invalid_argument("its tensors have different numbers of vectors");
  }
}

[[noreturn]] void refuse_embedding(const std::filesystem::path& path, const std::string& what, const std::string& why) {
  throw std::runtime_error("'" + path.string() + "' " + what + ": " + why);
}

}  // namespace

TextualInversion textual_inversion_of(const std::string& word, const Tensors& tensors, const std::string& own_name) {
  const auto names = embedding_names(tensors);
  if (names.empty())
    throw std::invalid_argument(
        "it holds " + std::to_string(tensors.size()) +
        " tensors, expected emb_params, clip_l and clip_g, string_to_param, or one named by its "
        "word");
  TextualInversion inversion{.words = {word}, .embeddings = {}};
  for (const auto& name : names) {
    const auto& tensor = tensors.at(name);
    if (!tensor.is_floating_point()) throw std::invalid_argument(in_quotes(name) + " holds no floating-point numbers");
    inversion.embeddings.push_back(rows(tensor));
  }
  check_embeddings(inversion.embeddings);
  const auto own = own_word(names.front(), own_name);
  if (!own.empty() && own != word) inversion.words.push_back(own);
  return inversion;
}

TextualInversion read_textual_inversion(const std::filesystem::path& path) {
  const auto file = open_tensors(path);
  Tensors tensors;
  for (const auto& name : file->names()) tensors[name] = file->tensor(name);
  const auto name = file->metadata().find("name");
  try {
    return textual_inversion_of(path.stem().string(), tensors, name == file->metadata().end() ? "" : name->second);
  } catch (const std::invalid_argument& error) {
    refuse_embedding(path, "is no embedding", error.what());
  }
}

bool is_bundled_inversion(const std::string& key) {
  return key.starts_with(kBundled);
}

std::vector<TextualInversion> read_bundled_inversions(const std::filesystem::path& path) {
  const auto file = open_tensors(path);
  std::map<std::string, Tensors> tensors_by_word;
  for (const auto& key : file->names()) {
    if (!is_bundled_inversion(key)) continue;
    const auto begin = std::string(kBundled).size(), dot = key.find('.', begin);
    if (dot == std::string::npos || dot == begin)
      refuse_embedding(path, "has a bundled embedding without a word", in_quotes(key));
    tensors_by_word[key.substr(begin, dot - begin)][key.substr(dot + 1)] = file->tensor(key);
  }
  std::vector<TextualInversion> inversions;
  for (const auto& [word, tensors] : tensors_by_word) {
    try {
      inversions.push_back({.words = {word}, .embeddings = textual_inversion_of(word, tensors).embeddings});
    } catch (const std::invalid_argument& error) {
      refuse_embedding(path, "has a bundled " + in_quotes(word) + " that is no embedding", error.what());
    }
  }
  return inversions;
}

}  // namespace sfumato
