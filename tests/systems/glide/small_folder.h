#pragma once

#include <gtest/gtest.h>
#include <torch/torch.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "checkpoints/save.h"
#include "core/json.h"
#include "core/random.h"
#include "nn/init.h"
#include "systems/glide/model.h"

namespace sfumato {

namespace fs = std::filesystem;

inline Json glide_unet_json(int side, int channels) {
  return {{"block_out_channels", {8, 16}},
          {"norm_num_groups", 4},
          {"layers_per_block", 1},
          {"down_block_types", {"ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"}},
          {"up_block_types", {"SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"}},
          {"mid_block_type", "UNetMidBlock2DSimpleCrossAttn"},
          {"attention_head_dim", 8},
          {"cross_attention_dim", 16},
          {"class_embed_type", "simple_projection"},
          {"projection_class_embeddings_input_dim", 16},
          {"resnet_time_scale_shift", "scale_shift"},
          {"sample_size", side},
          {"in_channels", channels},
          {"out_channels", 6}};
}

inline const Json kGlideText = {{"vocab_size", 258},        {"hidden_size", 16},      {"intermediate_size", 32},
                                {"num_attention_heads", 2}, {"num_hidden_layers", 1}, {"max_position_embeddings", 8}};

/// Folder of a small random GLIDE, deleted at the end of the test.
class GLIDEFolder : public testing::Test {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    write_stage("text_unet", "text_encoder", 8, 3);
    write_stage("upscale_unet", "upscale_text_encoder", 16, 6);
    write_json(folder_ / "text_noise_scheduler" / "scheduler_config.json", Json{{"_class_name", "DDPMScheduler"},
                                                                                {"beta_schedule", "squaredcos_cap_v2"},
                                                                                {"variance_type", "learned_range"}});
    write_json(folder_ / "upscale_noise_scheduler" / "scheduler_config.json", Json{{"_class_name", "DDIMScheduler"}});
    write_tokenizer();
    write_index();
  }
  void TearDown() override { fs::remove_all(folder_); }

  template <class Impl>
  void write_network(const std::string& part, const Json& config, const std::string& basename) {
    const auto network = std::make_shared<Impl>(Impl::Config::from_json(config));
    initialize(*network, seeded_generator(1));
    std::map<std::string, torch::Tensor> tensors;
    for (const auto& item : network->named_parameters()) tensors.emplace(item.key(), item.value());
    save_weights(tensors, folder_ / part, {.basename = basename});
    write_json(folder_ / part / "config.json", config);
  }

  void write_stage(const std::string& unet, const std::string& text, int side, int channels) {
    write_network<UNet2DConditionModelImpl>(unet, glide_unet_json(side, channels), "diffusion_pytorch_model");
    write_network<GLIDETextModelImpl>(text, kGlideText, "model");
  }

  /// Writes a tokenizer of bytes without merges.
  void write_tokenizer() {
    Json vocabulary = Json::object();
    int next = 256, id = 0;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      const int code = printable ? byte : next++;
      std::string character(1, static_cast<char>(code));
      if (code >= 0x80) character = {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))};
      vocabulary[character] = id++;
    }
    vocabulary["<|endoftext|>"] = id;
    write_json(folder_ / "tokenizer" / "vocab.json", vocabulary);
    std::ofstream(folder_ / "tokenizer" / "merges.txt") << "#version: 0.2\n";
    write_json(folder_ / "tokenizer" / "tokenizer_config.json",
               Json{{"tokenizer_class", "GPT2Tokenizer"}, {"model_max_length", 8}});
  }

  void write_index(const Json& changes = Json::object()) {
    Json index = {{"_class_name", "GLIDEPipeline"},
                  {"text_unet", {"diffusers", "UNet2DConditionModel"}},
                  {"text_encoder", {"sfumato", "GLIDETextModel"}},
                  {"text_noise_scheduler", {"diffusers", "DDPMScheduler"}},
                  {"tokenizer", {"transformers", "GPT2Tokenizer"}},
                  {"upscale_unet", {"diffusers", "UNet2DConditionModel"}},
                  {"upscale_text_encoder", {"sfumato", "GLIDETextModel"}},
                  {"upscale_noise_scheduler", {"diffusers", "DDIMScheduler"}}};
    index.update(changes);
    write_json(folder_ / "model_index.json", index);
  }

  void make_inpainting() {
    write_stage("text_unet", "text_encoder", 8, 7);
    write_stage("upscale_unet", "upscale_text_encoder", 16, 10);
  }

  GLIDE load() const { return load_glide(folder_, {}); }

  std::string refusal() const {
    try {
      load();
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  }

  fs::path folder_ = fs::temp_directory_path() / ("glide-test-" + std::to_string(::getpid()));
};

}  // namespace sfumato
