#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include "checkpoints/save.h"
#include "core/json.h"
#include "core/random.h"
#include "models/autoencoder_kl.h"
#include "models/clip_model.h"
#include "models/controlnet_model.h"
#include "models/glide_text_model.h"
#include "models/unet_2d_condition_model.h"
#include "models/unet_2d_model.h"
#include "models/vq_model.h"
#include "nn/init.h"

// random_model FOLDER [xl | refiner | pixels | classes | latents | glide | glide_inpaint | clip | noised_clip]:
// writes the networks of a
// small diffusers StableDiffusionPipeline folder, and ControlNets beside them, or those of Stable Diffusion XL, its
// refiner, of an unconditional or class-conditional model, of GLIDE with its upsampler, or a CLIPModel, untrained, for
// the tests that run the programs. These add tokenizers of 522 tokens, the scheduler and model_index.json.

namespace sfumato {
namespace {

/// So that the picture it is shown matters: on the way through eight untrained layers nothing of it would be left.
void strengthen_image(torch::nn::Module& network) {
  const torch::NoGradGuard no_gradients;
  for (auto& parameter : network.named_parameters())
    if (parameter.key().starts_with("controlnet_cond_embedding.")) parameter.value() *= 4;
}

template <class Impl>
void write_random(const std::filesystem::path& folder, const std::string& config_text, const std::string& basename) {
  const auto config = Json::parse(config_text);
  const auto model = std::make_shared<Impl>(Impl::Config::from_json(config));
  initialize(*model, seeded_generator(1));
  if constexpr (requires { model->initialize(seeded_generator(1)); }) model->initialize(seeded_generator(1));
  strengthen_image(*model);
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

void write_vae(const std::filesystem::path& folder) {
  write_random<AutoencoderKLImpl>(folder / "vae", R"({
    "block_out_channels": [8, 8, 8, 8], "norm_num_groups": 4, "layers_per_block": 1, "latent_channels": 4,
    "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
    "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]})",
                                  "diffusion_pytorch_model");
}

std::string clip_config(int layers) {
  return R"({"vocab_size": 522, "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4,
    "max_position_embeddings": 16, "bos_token_id": 520, "eos_token_id": 521, "pad_token_id": 521,
    "projection_dim": 24, "num_hidden_layers": )" +
         std::to_string(layers) + "}";
}

void write_networks(const std::filesystem::path& folder) {
  write_random<CLIPTextModelImpl>(folder / "text_encoder", clip_config(1), "model");
  write_random<UNet2DConditionModelImpl>(folder / "unet", R"({
    "sample_size": 8, "in_channels": 4, "out_channels": 4, "block_out_channels": [16, 16], "norm_num_groups": 8,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D",
    "CrossAttnUpBlock2D"], "layers_per_block": 1, "cross_attention_dim": 32, "attention_head_dim": 4})",
                                         "diffusion_pytorch_model");
  write_vae(folder);
  write_controlnets(folder);
}

/// Stable Diffusion XL, which is told sizes (6 numbers), or its refiner, which has the second text encoder alone and is
/// told a score in place of the last two.
void write_xl_networks(const std::filesystem::path& folder, bool is_refiner) {
  if (!is_refiner) write_random<CLIPTextModelImpl>(folder / "text_encoder", clip_config(2), "model");
  write_random<CLIPTextModelWithProjectionImpl>(folder / "text_encoder_2", clip_config(2), "model");
  const std::string told = is_refiner ? R"("cross_attention_dim": 32, "projection_class_embeddings_input_dim": 64)"
                                      : R"("cross_attention_dim": 64, "projection_class_embeddings_input_dim": 72)";
  write_random<UNet2DConditionModelImpl>(folder / "unet", R"({
    "sample_size": 8, "in_channels": 4, "out_channels": 4, "block_out_channels": [16, 16], "norm_num_groups": 8,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D",
    "CrossAttnUpBlock2D"], "layers_per_block": 1, "attention_head_dim": 4, "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8, )" + told + "}",
                                         "diffusion_pytorch_model");
  write_vae(folder);
}

/// Of DDPMPipeline, with 5 classes or without, or of LDMPipeline with a VQModel.
void write_unconditional_networks(const std::filesystem::path& folder, const std::string& kind) {
  const std::string classes = kind == "classes" ? R"("num_class_embeds": 5, )" : "";
  write_random<UNet2DModelImpl>(folder / "unet", "{" + classes + R"("sample_size": 16, "block_out_channels": [8, 16],
    "norm_num_groups": 4, "down_block_types": ["DownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D",
    "UpBlock2D"], "layers_per_block": 1})",
                                "diffusion_pytorch_model");
  if (kind != "latents") return;
  write_random<VQModelImpl>(folder / "vqvae", R"({"block_out_channels": [8, 8], "norm_num_groups": 4,
    "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"], "num_vq_embeddings": 32,
    "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"]})",
                            "diffusion_pytorch_model");
}

/// Of 8x8 pixels, for any of the tests' tokenizers: the state of the highest id, which ends a text, is pooled.
void write_clip(const std::filesystem::path& folder, bool is_noised) {
  const std::string layers = R"("hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2,
    "num_hidden_layers": 1, )";
  write_random<CLIPModelImpl>(folder,
                              R"({"model_type": "clip", "projection_dim": 8, "text_config": {)" + layers +
                                  R"("vocab_size": 522, "max_position_embeddings": 16, "eos_token_id": 2},
    "vision_config": {)" + layers +
                                  R"("image_size": 8, "patch_size": 4, "time_embedding": )" +
                                  (is_noised ? "true" : "false") + "}}",
                              "model");
}

/// A base model of 8x8 pixels, or for inpainting, and an upsampler to 16x16.
void write_glide_networks(const std::filesystem::path& folder, bool inpaints) {
  const auto write_stage = [&](const std::string& prefix, const std::string& text, int side, int channels) {
    write_random<GLIDETextModelImpl>(folder / text, R"({"vocab_size": 265, "hidden_size": 16, "intermediate_size": 32,
      "num_attention_heads": 2, "num_hidden_layers": 1, "max_position_embeddings": 16})",
                                     "model");
    write_random<UNet2DConditionModelImpl>(
        folder / (prefix + "_unet"),
        R"({"block_out_channels": [16, 16], "norm_num_groups": 8, "layers_per_block": 1,
      "down_block_types": ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"],
      "up_block_types": ["SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"],
      "mid_block_type": "UNetMidBlock2DSimpleCrossAttn", "attention_head_dim": 8, "cross_attention_dim": 16,
      "class_embed_type": "simple_projection", "projection_class_embeddings_input_dim": 16,
      "resnet_time_scale_shift": "scale_shift", "out_channels": 6, "sample_size": )" +
            std::to_string(side) + ", \"in_channels\": " + std::to_string(channels) + "}",
        "diffusion_pytorch_model");
  };
  const int known = inpaints ? 4 : 0;
  write_stage("text", "text_encoder", 8, 3 + known);
  write_stage("upscale", "upscale_text_encoder", 16, 6 + known);
}

}  // namespace
}  // namespace sfumato

int main(int argc, char** argv) {
  using namespace sfumato;
  const std::string kind = argc == 3 ? argv[2] : "";
  const bool is_xl = kind == "xl" || kind == "refiner";
  const bool is_glide = kind == "glide" || kind == "glide_inpaint";
  const bool is_unconditional = kind == "pixels" || kind == "classes" || kind == "latents";
  const bool is_clip = kind == "clip" || kind == "noised_clip";
  if (argc < 2 || argc > 3 || (argc == 3 && !is_xl && !is_unconditional && !is_glide && !is_clip)) {
    std::cerr << "random_model FOLDER [xl | refiner | pixels | classes | latents | glide | glide_inpaint | clip | "
                 "noised_clip]\n";
    return 2;
  }
  if (is_xl)
    write_xl_networks(argv[1], kind == "refiner");
  else if (is_clip)
    write_clip(argv[1], kind == "noised_clip");
  else if (is_glide)
    write_glide_networks(argv[1], kind == "glide_inpaint");
  else if (is_unconditional)
    write_unconditional_networks(argv[1], kind);
  else
    write_networks(argv[1]);
  return 0;
}
