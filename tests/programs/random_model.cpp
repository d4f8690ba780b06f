#include <filesystem>
#include <iostream>
#include <memory>

#include "checkpoints/save.h"
#include "core/json.h"
#include "core/random.h"
#include "models/autoencoder_kl.h"
#include "models/clip_text_model.h"
#include "models/controlnet_model.h"
#include "models/unet_2d_condition_model.h"
#include "nn/init.h"

// random_model FOLDER: writes the networks of a small diffusers StableDiffusionPipeline folder, and ControlNets beside
// them, untrained, for the tests that run the programs. generate_programs.py adds the tokenizer of 522 tokens, the
// scheduler and model_index.json.

namespace sfumato {
namespace {

/// So that the picture it is shown matters: on the way through eight untrained layers nothing of it would be left.
void strengthen_picture(torch::nn::Module& network) {
  const torch::NoGradGuard no_gradients;
  for (auto& parameter : network.named_parameters())
    if (parameter.key().starts_with("controlnet_cond_embedding.")) parameter.value() *= 4;
}

template <class Impl>
void write_random(const std::filesystem::path& folder, const std::string& config_text, const std::string& basename) {
  const auto config = Json::parse(config_text);
  const auto model = std::make_shared<Impl>(Impl::Config::from_json(config));
  initialize(*model, seeded_generator(1));
  strengthen_picture(*model);
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& parameter : model->named_parameters()) tensors.emplace(parameter.key(), parameter.value());
  write_json(folder / "config.json", config);
  save_weights(tensors, folder, {.basename = basename});
}

/// Two for this UNet, that see the same in other colours, and one for another.
void write_controlnets(const std::filesystem::path& folder) {
  const std::string controlnet = R"("in_channels": 4, "block_out_channels": [16, 16], "norm_num_groups": 8,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "layers_per_block": 1, "attention_head_dim": 4,
    "conditioning_embedding_out_channels": [4, 8, 8, 16])";
  const auto write = [&](const std::string& name, const std::string& rest) {
    write_random<ControlNetModelImpl>(folder / name,
                                      R"({"_class_name": "ControlNetModel", )" + controlnet + ", " + rest + "}",
                                      "diffusion_pytorch_model");
  };
  write("control_rgb", R"("cross_attention_dim": 32)");
  write("control_bgr", R"("cross_attention_dim": 32, "controlnet_conditioning_channel_order": "bgr")");
  write("control_other", R"("cross_attention_dim": 48)");
}

void write_networks(const std::filesystem::path& folder) {
  write_random<CLIPTextModelImpl>(folder / "text_encoder", R"({
    "vocab_size": 522, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4,
    "max_position_embeddings": 16, "bos_token_id": 520, "eos_token_id": 521, "pad_token_id": 521})",
                                  "model");
  write_random<UNet2DConditionModelImpl>(folder / "unet", R"({
    "sample_size": 8, "in_channels": 4, "out_channels": 4, "block_out_channels": [16, 16], "norm_num_groups": 8,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D",
    "CrossAttnUpBlock2D"], "layers_per_block": 1, "cross_attention_dim": 32, "attention_head_dim": 4})",
                                         "diffusion_pytorch_model");
  write_random<AutoencoderKLImpl>(folder / "vae", R"({
    "block_out_channels": [8, 8, 8, 8], "norm_num_groups": 4, "layers_per_block": 1, "latent_channels": 4,
    "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
    "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]})",
                                  "diffusion_pytorch_model");
  write_controlnets(folder);
}

}  // namespace
}  // namespace sfumato

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "random_model FOLDER\n";
    return 2;
  }
  sfumato::write_networks(argv[1]);
  return 0;
}
