#include "generate/model_options.h"

#include "engine/find_model.h"

namespace sfumato {

void add_model_options(CLI::App& app, GenerateOptions& options) {
  app.add_option(
      "-m,--model", options.model.name,
      std::string(
          "A diffusers folder, a file (.safetensors, .ckpt) in the original layout (Stable Diffusion 1, 2, XL), or the "
          "name of a folder under models/ (") +
          kDefaultModel + ")");
  app.add_option("--vae", options.model.vae,
                 "A VAE in place of the model's, also TAESD: a folder or a file (.safetensors, .vae.pt, .ckpt, .bin)");
  app.add_option("--prediction", options.model.prediction,
                 "What the model predicts: epsilon, v_prediction or sample; by default as its folder, its keys or a "
                 ".yaml beside the file say")
      ->check(CLI::IsMember({"epsilon", "v_prediction", "sample"}));
  app.add_option("--device", options.model.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--dtype", options.model.dtype, "auto, float32, bfloat16 or float16")->capture_default_str();
  app.add_flag("--tf32,!--no-tf32", options.model.tf32, "With float32 on CUDA: round factors to TF32, which is faster");
  app.add_flag("--offload,!--no-offload", options.model.offload,
               "On CUDA: keep text encoders and VAE in host memory while the UNet computes, which takes less of the "
               "device's");
  app.add_option("--vae-tiling", options.model.vae_tiling,
                 "Encode and decode in tiles of 512 pixels, with less memory: auto (above 1024x1024), on or off")
      ->check(CLI::IsMember({"auto", "on", "off"}))
      ->capture_default_str();
}

void add_adapter_options(CLI::App& app, AdditionArguments& arguments) {
  const auto all = CLI::MultiOptionPolicy::TakeAll;
  app.add_option("--lora", arguments.loras,
                 "A LoRA, LoHa or LoKr, or the folder of one: FILE, FILE:WEIGHT (1) or FILE:TEXT_ENCODERS:UNET; may be "
                 "given several times")
      ->allow_extra_args(false)
      ->multi_option_policy(all);
  app.add_option("--lora-dir", arguments.lora_dir,
                 "Where <lora:NAME:WEIGHT> or <lora:NAME:TEXT_ENCODERS:UNET:DYN> in a prompt finds NAME.safetensors, "
                 "also in folders below")
      ->capture_default_str();
  app.add_flag("--lora-partial", arguments.lora_partial,
               "Leave out a LoRA's layers that the model lacks, with a warning");
  app.add_option("--embedding", arguments.embeddings,
                 "A textual inversion, also as a picture (PNG); its file's name is the word for it in prompts; may be "
                 "given several times")
      ->allow_extra_args(false)
      ->multi_option_policy(all);
}

void settle_adapters(Adapters& adapters, const AdditionArguments& arguments) {
  if (!arguments.loras.empty()) adapters.loras.clear();
  for (const auto& text : arguments.loras) adapters.loras.push_back(parse_lora(text));
  if (!arguments.embeddings.empty()) adapters.embeddings = {arguments.embeddings.begin(), arguments.embeddings.end()};
}

}  // namespace sfumato
