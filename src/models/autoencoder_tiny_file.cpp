#include "models/autoencoder_tiny_file.h"

#include <charconv>
#include <stdexcept>

#include "checkpoints/load.h"
#include "models/file_part.h"

namespace sfumato {
namespace {

using Path = std::filesystem::path;

std::string at(std::int64_t index, const char* end) {
  return std::to_string(index) + end;
}

/// Counts the blocks from layer `index` on, and moves `index` to the layer after them.
std::int64_t take_blocks(const FilePart& layers, std::int64_t& index) {
  const auto first = index;
  while (layers.has(at(index, ".conv.0.weight"))) ++index;
  return index - first;
}

/// Reads stages of a convolution and blocks; no blocks follow the last convolution.
std::vector<std::int64_t> encoder_stages(const FilePart& layers) {
  std::vector<std::int64_t> stages;
  for (std::int64_t i = 0; layers.has(at(i, ".weight"));) stages.push_back(take_blocks(layers, ++i));
  if (stages.size() < 2) throw std::runtime_error("no encoder of an AutoencoderTiny in it");
  stages.pop_back();
  return stages;
}

/// Reads a convolution, an activation, and stages of blocks, an upsampling (not in the last) and a convolution.
std::vector<std::int64_t> decoder_stages(const FilePart& layers, std::int64_t first) {
  std::vector<std::int64_t> stages;
  for (auto i = first + 2;; i += 2) {
    stages.push_back(take_blocks(layers, i));
    if (layers.has(at(i, ".weight"))) return stages;
    layers.size(at(i + 1, ".weight"), 0);  // throws if there is none
  }
}

/// Reads the config; the decoder's first convolution is layer `first`.
AutoencoderTinyConfig read_tiny_config(const FilePart& encoder, const FilePart& decoder, std::int64_t first) {
  AutoencoderTinyConfig config;
  config.num_encoder_blocks = encoder_stages(encoder);
  config.num_decoder_blocks = decoder_stages(decoder, first);
  config.in_channels = encoder.size("0.weight", 1);
  config.latent_channels = decoder.size(at(first, ".weight"), 1);
  config.encoder_block_out_channels.assign(config.num_encoder_blocks.size(), encoder.size("0.weight", 0));
  config.block_out_channels.assign(config.num_decoder_blocks.size(), decoder.size(at(first, ".weight"), 0));
  return config;
}

bool is_taesd_decoder(const TensorFile& file) {
  return file.contains("1.weight") && file.contains("3.conv.0.weight") && !file.contains("0.weight");
}

/// Renames "3.conv.0.weight" to "layers.2.conv.0.weight" if `first` is 1.
KeyRename layers_from(std::int64_t first) {
  return [first](const std::string& key) {
    std::int64_t layer = 0;
    const auto [rest, error] = std::from_chars(key.data(), key.data() + key.size(), layer);
    if (error != std::errc() || layer < first) return key;
    return "layers." + std::to_string(layer - first) + std::string(rest, key.data() + key.size());
  };
}

Path encoder_beside(const Path& decoder) {
  const std::string word = "decoder";
  auto name = decoder.filename().string();
  const auto begin = name.find(word);
  if (begin == std::string::npos)
    throw std::runtime_error("'" + decoder.string() +
                             "' is TAESD's decoder: expected \"decoder\" in its name and its encoder beside it");
  auto encoder = decoder.parent_path() / name.replace(begin, word.size(), "encoder");
  if (!std::filesystem::exists(encoder))
    throw std::runtime_error("'" + decoder.string() + "' is TAESD's decoder, and its encoder '" + encoder.string() +
                             "' is missing");
  return encoder;
}

std::shared_ptr<AutoencoderTinyImpl> load_taesd(const Path& decoder, const Placement& placement) {
  const auto encoder = encoder_beside(decoder);
  const auto encoder_file = open_tensors(encoder), decoder_file = open_tensors(decoder);
  auto network = std::make_shared<AutoencoderTinyImpl>(
      read_tiny_config(FilePart(*encoder_file, ""), FilePart(*decoder_file, ""), 1));
  const auto halves = network->named_children();
  load_weights(*halves["encoder"], encoder, placement, layers_from(0));
  load_weights(*halves["decoder"], decoder, placement, layers_from(1));
  return network;
}

}  // namespace

bool is_tiny_file(const TensorFile& file) {
  return file.contains("decoder.layers.0.weight") || is_taesd_decoder(file);
}

std::shared_ptr<AutoencoderTinyImpl> load_tiny_file(const Path& path, const Placement& placement) {
  const auto file = open_tensors(path);
  std::shared_ptr<AutoencoderTinyImpl> network;
  if (is_taesd_decoder(*file)) {
    network = load_taesd(path, placement);
  } else {
    network = std::make_shared<AutoencoderTinyImpl>(
        read_tiny_config(FilePart(*file, "encoder.layers."), FilePart(*file, "decoder.layers."), 0));
    load_weights(*network, path, placement, AutoencoderTinyImpl::rename_key);
  }
  network->eval();
  return network;
}

}  // namespace sfumato
