#include "systems/stable_diffusion/embedding_image.h"

#include <array>
#include <fstream>
#include <stdexcept>

#include "core/base64.h"
#include "core/error_text.h"
#include "core/json_text.h"
#include "images/image_data.h"
#include "images/pixels.h"
#include "images/read.h"
#include "images/write.h"

namespace sfumato {
namespace {

constexpr const char* kEmbeddingChunk = "sd-ti-embedding";

std::string embedding_text(const std::filesystem::path& path) {
  for (const auto& [keyword, text] : read_image_texts(path))
    if (keyword == kEmbeddingChunk) return from_base64(text, "its chunk");
  auto text = text_in_pixels(to_bytes(read_image(path)));
  if (text.empty()) throw std::runtime_error("neither its text chunks nor its pixels hold one");
  return text;
}

/// Converts {"TORCHTENSOR": [[number, ...], ...]} to [vectors, width]. Throws std::invalid_argument.
torch::Tensor tensor_of(const Json& json) {
  const auto rows = value_at<std::vector<std::vector<double>>>(json, "TORCHTENSOR");
  std::vector<torch::Tensor> tensors;
  for (const auto& row : rows) {
    if (row.size() != rows.front().size()) throw std::invalid_argument("its vectors have different lengths");
    tensors.push_back(torch::tensor(row, torch::kFloat64));
  }
  return tensors.empty() ? torch::empty({0, 0}) : torch::stack(tensors).to(torch::kFloat32);
}

TextualInversion embedding_of(const std::string& text, const std::string& word) {
  const auto json = Json::parse(text);
  std::map<std::string, torch::Tensor> tensors;
  const auto parameters = value_at<Json>(json, "string_to_param");
  for (const auto& [name, tensor] : parameters.items()) tensors["string_to_param." + name] = tensor_of(tensor);
  return textual_inversion_of(word, tensors, value_or<std::string>(json, "name", ""));
}

}  // namespace

bool is_png(const std::filesystem::path& path) {
  constexpr std::string_view kSignature("\x89PNG\r\n\x1a\n", 8);
  std::array<char, kSignature.size()> begin{};
  std::ifstream file(path, std::ios::binary);
  return file.read(begin.data(), begin.size()) && std::string_view(begin.data(), begin.size()) == kSignature;
}

TextualInversion read_embedding_image(const std::filesystem::path& path) {
  try {
    return embedding_of(embedding_text(path), path.stem().string());
  } catch (const std::exception& error) {
    const std::string why = error_text(error);
    throw std::runtime_error("'" + path.string() + "' is a PNG picture without a readable embedding: " + why);
  }
}

}  // namespace sfumato
