#include "models/vae_file.h"

#include <array>

#include "models/original_layout.h"

namespace sfumato {
namespace {

constexpr std::array<const char*, 3> kPrefixes = {"first_stage_model.", "vae.", ""};

/// Keys of a layout, each with "I" for the index of a block.
struct VaeKeys {
  const char *block_start, *block_end;  ///< first convolution of an encoder's block
  const char *layer_start, *layer_end;  ///< convolutions of the encoder's first block
  std::array<const char*, 2> attention;
};

constexpr VaeKeys kOriginal = {"encoder.down.",
                               ".block.0.conv1.weight",
                               "encoder.down.0.block.",
                               ".conv1.weight",
                               {"encoder.mid.attn_1.q.weight", "encoder.mid.attn_1.q.weight"}};
constexpr VaeKeys kNamed = {
    "encoder.down_blocks.",
    ".resnets.0.conv1.weight",
    "encoder.down_blocks.0.resnets.",
    ".conv1.weight",
    {"encoder.mid_block.attentions.0.to_q.weight", "encoder.mid_block.attentions.0.query.weight"}};

AutoencoderKLConfig read_config(const FilePart& part, const VaeKeys& keys, AutoencoderKLConfig config) {
  const auto blocks = part.count(keys.block_start, keys.block_end);
  if (blocks == 0) throw std::runtime_error("no VAE in it");
  config.block_out_channels.clear();
  for (std::int64_t i = 0; i < blocks; ++i)
    config.block_out_channels.push_back(part.size(keys.block_start + std::to_string(i) + keys.block_end, 0));
  config.layers_per_block = part.count(keys.layer_start, keys.layer_end);
  config.in_channels = part.size("encoder.conv_in.weight", 1);
  config.out_channels = part.size("decoder.conv_out.weight", 0);
  config.latent_channels = part.size("decoder.conv_in.weight", 1);
  config.use_quant_conv = part.has("quant_conv.weight");
  config.use_post_quant_conv = part.has("post_quant_conv.weight");
  config.mid_block_add_attention = part.has(keys.attention[0]) || part.has(keys.attention[1]);
  return config;
}

bool is_left_by_training(const std::string& key) {
  return key.starts_with("loss.") || key.starts_with("model_ema.");
}

/// Applies `names` to the keys under `prefix`, without that prefix.
KeyNames under(const std::string& prefix, const KeyNames& names) {
  return [=](const std::string& key) {
    if (!key.starts_with(prefix)) return std::vector<std::string>();
    const auto inner = key.substr(prefix.size());
    return is_left_by_training(inner) ? std::vector<std::string>() : names(inner);
  };
}

}  // namespace

AutoencoderKLConfig read_original_vae(const FilePart& part, AutoencoderKLConfig like) {
  return read_config(part, kOriginal, std::move(like));
}

VaeFile read_vae_file(const TensorFile& file, const AutoencoderKLConfig& like) {
  for (const std::string prefix : kPrefixes) {
    const FilePart part(file, prefix);
    if (part.count(kOriginal.block_start, kOriginal.block_end) > 0) {
      const auto config = read_config(part, kOriginal, like);
      return {config, under(prefix, original_vae_names(config, ""))};
    }
    if (part.count(kNamed.block_start, kNamed.block_end) > 0)
      return {read_config(part, kNamed, like), under(prefix, [](const std::string& key) {
                return std::vector<std::string>{AutoencoderKLImpl::rename_key(key)};
              })};
  }
  throw std::runtime_error(
      "no key begins with encoder.down., encoder.down_blocks. or first_stage_model.: expected an AutoencoderKL");
}

}  // namespace sfumato
