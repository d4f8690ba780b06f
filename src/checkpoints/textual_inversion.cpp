#include "checkpoints/textual_inversion.h"

#include <sstream>
#include <stdexcept>

#include "checkpoints/safetensors_header.h"
#include "checkpoints/tensor_file.h"

namespace sfumato {
namespace {

constexpr const char* kWebUi = "string_to_param.";

/// The names of the tensors that are the embeddings, or nothing.
std::vector<std::string> embedding_names(const TensorFile& file) {
  if (file.contains("clip_l") && file.contains("clip_g")) return {"clip_l", "clip_g"};
  if (file.contains("emb_params")) return {"emb_params"};
  std::vector<std::string> of_web_ui;
  for (const auto& name : file.names())
    if (name.starts_with(kWebUi)) of_web_ui.push_back(name);
  if (of_web_ui.size() == 1) return of_web_ui;
  return file.names().size() == 1 ? file.names() : std::vector<std::string>();
}

/// The word that the file itself gives, or "".
std::string own_word(const TensorFile& file, const std::string& tensor) {
  if (tensor.starts_with(kWebUi)) {
    const auto name = file.metadata().find("name");
    return name == file.metadata().end() ? "" : name->second;
  }
  return tensor == "clip_l" || tensor == "emb_params" ? "" : tensor;
}

torch::Tensor rows(const torch::Tensor& tensor) {
  return (tensor.dim() == 1 ? tensor.unsqueeze(0) : tensor).to(torch::kFloat32).clone();
}

/// Why the tensors are no embeddings, or "".
std::string fault_of(const std::vector<torch::Tensor>& embeddings) {
  for (const auto& tensor : embeddings) {
    std::ostringstream shape;
    shape << tensor.sizes();
    if (tensor.dim() != 2 || tensor.numel() == 0) return "a tensor is " + shape.str() + ", expected [vectors, width]";
    if (tensor.size(0) != embeddings.front().size(0)) return "its tensors have different numbers of vectors";
  }
  return "";
}

}  // namespace

TextualInversion read_textual_inversion(const std::filesystem::path& path) {
  const auto file = open_tensors(path);
  const auto names = embedding_names(*file);
  const auto refuse = [&](const std::string& why) {
    throw std::runtime_error("'" + path.string() + "' is no embedding: " + why);
  };
  if (names.empty())
    refuse("it holds " + std::to_string(file->names().size()) +
           " tensors, expected emb_params, clip_l and clip_g, string_to_param, or one named by its word");
  TextualInversion inversion{.words = {path.stem().string()}, .embeddings = {}};
  for (const auto& name : names) {
    if (!at::isFloatingType(file->dtype(name))) refuse(in_quotes(name) + " holds no floating-point numbers");
    inversion.embeddings.push_back(rows(file->tensor(name)));
  }
  if (const auto fault = fault_of(inversion.embeddings); !fault.empty()) refuse(fault);
  const auto word = own_word(*file, names.front());
  if (!word.empty() && word != inversion.words.front()) inversion.words.push_back(word);
  return inversion;
}

}  // namespace sfumato
