#include "engine/foreign_record.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sfumato {
namespace {

using Notes = std::vector<std::string>;

ForeignRecord read(const TextChunks& texts) {
  const auto record = read_foreign_record(texts);
  EXPECT_TRUE(record.has_value());
  return record.value_or(ForeignRecord());
}

TEST(ForeignRecord, OfAutomatic1111sWebUi) {
  const auto record =
      read({{"parameters",
             "a cat, on (a sofa:1.2)\nsecond line <lora:style:0.7>\nNegative prompt: dogs,\nblurry\n"
             "Steps: 28, Sampler: DPM++ 2M SDE, Schedule type: Karras, CFG scale: 6.5, Seed: "
             "4294967296, Size: 512x768, Model hash: 6ce0161689, Model: \"a, b: c\", VAE hash: 735e4c3a44, "
             "VAE: vae-ft-mse.ckpt, Clip skip: 2, Variation seed: 7, Variation seed strength: 0.25, "
             "Denoising strength: 0.45, Hires upscale: 1.5, Hires steps: 12, Hires upscaler: Latent "
             "(bicubic), ENSD: 31337, Lora hashes: \"style: 0123\", Tiling: True, Version: v1.10.1"}});
  const auto& request = record.request;
  EXPECT_EQ(record.program, "AUTOMATIC1111's web UI");
  EXPECT_EQ(request.prompt, "a cat, on (a sofa:1.2)\nsecond line <lora:style:0.7>");
  EXPECT_EQ(request.negative_prompt, "dogs,\nblurry");
  EXPECT_EQ(request.steps, 28);
  EXPECT_EQ(request.sampler, "dpm++2m_sde");
  EXPECT_EQ(request.noise, "brownian");
  EXPECT_EQ(request.schedule, "karras");
  EXPECT_EQ(request.guidance_scale, 6.5);
  EXPECT_EQ(request.seed, 4294967296U);
  EXPECT_EQ(request.width, 512);
  EXPECT_EQ(request.height, 768);
  EXPECT_EQ(request.clip_skip, 2);
  EXPECT_EQ(request.subseed, 7);
  EXPECT_EQ(request.subseed_strength, 0.25);
  EXPECT_EQ(request.hires.scale, 1.5);
  EXPECT_EQ(request.hires.steps, 12);
  EXPECT_EQ(request.hires.strength, 0.45);
  EXPECT_EQ(request.hires.upscaler, "latent-bicubic");
  EXPECT_EQ(request.rng, "cuda") << "the web UI's usual one, of which it writes nothing";
  EXPECT_TRUE(request.tiling);
  EXPECT_EQ(record.model, "a, b: c");
  EXPECT_EQ(record.notes, (Notes{"VAE: vae-ft-mse.ckpt", "ENSD: 31337"}));
}

TEST(ForeignRecord, OfItsOlderVersionsAndOfForge) {
  auto record = read({{"parameters",
                       "a cat\nSteps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 1, Size: 512x512, "
                       "Denoising strength: 0.6, RNG: CPU"}});
  EXPECT_EQ(record.request.sampler, "dpm++2m");
  EXPECT_EQ(record.request.schedule, "karras");
  EXPECT_EQ(record.request.rng, "cpu");
  EXPECT_EQ(record.request.strength, 0.6);
  EXPECT_FALSE(record.request.negative_prompt);
  ASSERT_EQ(record.notes.size(), 1);
  EXPECT_NE(record.notes[0].find("the image that it was made from"), std::string::npos);
  record = read({{"parameters",
                  "a cat\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Automatic, CFG scale: 7, Seed: 1, "
                  "Distilled CFG Scale: 3.5, Version: f2.0.1v1.10.1"}});
  EXPECT_EQ(record.program, "Forge");
  EXPECT_EQ(record.request.schedule, "karras");
  EXPECT_EQ(record.notes, Notes{"Distilled CFG Scale: 3.5"});
}

TEST(ForeignRecord, ASamplerThatIsNotHereIsNamed) {
  const auto record = read({{"parameters", "a cat\nSteps: 20, Sampler: DPM fast, CFG scale: 7, Seed: 1"}});
  EXPECT_EQ(record.request.sampler, "");
  ASSERT_EQ(record.notes.size(), 1);
  EXPECT_NE(record.notes[0].find("'DPM fast'"), std::string::npos);
}

constexpr const char* kGraph = R"({
  "3": {"class_type": "KSampler", "inputs": {"seed": ["9", 0], "steps": 22, "cfg": 5.5, "denoise": 1.0,
        "sampler_name": "dpmpp_2m", "scheduler": "karras", "model": ["10", 0], "positive": ["6", 0],
        "negative": ["7", 0], "latent_image": ["5", 0]}},
  "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd/dream.safetensors"}},
  "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 640, "height": 384, "batch_size": 1}},
  "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["11", 0], "clip": ["12", 0]}},
  "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "a dog [blurry]", "clip": ["12", 0]}},
  "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
  "9": {"class_type": "PrimitiveInt", "inputs": {"value": 123456789012345}},
  "10": {"class_type": "LoraLoader", "inputs": {"lora_name": "styles/ink.safetensors", "strength_model": 0.8,
         "strength_clip": 0.5, "model": ["4", 0], "clip": ["4", 1]}},
  "11": {"class_type": "PrimitiveString", "inputs": {"value": "a (red:1.3) cat"}},
  "12": {"class_type": "CLIPSetLastLayer", "inputs": {"stop_at_clip_layer": -2, "clip": ["10", 1]}},
  "13": {"class_type": "SaveImage", "inputs": {"images": ["14", 0]}},
  "14": {"class_type": "ImageScale", "inputs": {"image": ["8", 0], "width": 1000}}})";

TEST(ForeignRecord, OfComfyUi) {
  const auto record = read({{"prompt", kGraph}, {"workflow", "{}"}});
  const auto& request = record.request;
  EXPECT_EQ(record.program, "ComfyUI");
  EXPECT_EQ(request.prompt, "a (red:1.3) cat <lora:ink:0.5:0.8>");
  EXPECT_EQ(request.negative_prompt, R"(a dog \[blurry\])");
  EXPECT_EQ(request.seed, 123456789012345U);
  EXPECT_EQ(request.steps, 22);
  EXPECT_EQ(request.guidance_scale, 5.5);
  EXPECT_EQ(request.sampler, "dpm++2m");
  EXPECT_EQ(request.schedule, "karras");
  EXPECT_EQ(request.width, 640);
  EXPECT_EQ(request.height, 384);
  EXPECT_EQ(request.clip_skip, 2);
  EXPECT_EQ(request.rng, "cpu");
  EXPECT_EQ(record.model, "sd/dream.safetensors");
  EXPECT_EQ(record.notes, Notes{"node ImageScale"});
}

TEST(ForeignRecord, AGraphThatIsNotSimpleIsNamedOrRefused) {
  auto graph = Json::parse(kGraph);
  graph["3"]["inputs"]["latent_image"] = {"15", 0};
  graph["15"] = {{"class_type", "VAEEncode"}, {"inputs", {{"pixels", {"14", 0}}}}};
  graph["10"]["class_type"] = "FreeU";
  graph["10"]["inputs"].erase("lora_name");
  const auto notes = read({{"prompt", graph.dump()}}).notes;
  const auto has = [&](const std::string& text) {
    return std::any_of(notes.begin(), notes.end(),
                       [&](const auto& note) { return note.find(text) != std::string::npos; });
  };
  EXPECT_TRUE(has("the latents of VAEEncode"));
  EXPECT_TRUE(has("FreeU between the model and the sampler"));
  graph.erase("3");
  EXPECT_THROW(read_foreign_record({{"prompt", graph.dump()}}), std::runtime_error);
  EXPECT_THROW(read_foreign_record({{"prompt", "{ damaged"}}), std::runtime_error);
}

TEST(ForeignRecord, OfInvokeAi) {
  const auto record = read({{"invokeai_metadata", R"({"app_version": "5.0.0", "generation_mode": "txt2img",
      "positive_prompt": "a cat", "negative_prompt": "", "width": 512, "height": 640, "seed": 42, "steps": 30,
      "cfg_scale": 7.5, "cfg_rescale_multiplier": 0.2, "scheduler": "dpmpp_2m_k", "clip_skip": 1, "rand_device": "cpu",
      "seamless_x": true, "seamless_y": true, "model": {"key": "k", "name": "dream", "base": "sd-1"},
      "loras": [{"model": {"name": "ink"}, "weight": 0.75}], "vae": {"name": "other"}, "controlnets": []})"}});
  const auto& request = record.request;
  EXPECT_EQ(request.prompt, "a cat <lora:ink:0.75>");
  EXPECT_EQ(request.negative_prompt, "");
  EXPECT_EQ(request.height, 640);
  EXPECT_EQ(request.seed, 42);
  EXPECT_EQ(request.guidance_rescale, 0.2);
  EXPECT_EQ(request.sampler, "dpm++2m");
  EXPECT_EQ(request.schedule, "karras");
  EXPECT_EQ(request.clip_skip, 2);
  EXPECT_TRUE(request.tiling);
  EXPECT_EQ(record.model, "dream");
  EXPECT_EQ(record.notes, Notes{R"(vae {"name":"other"})"});
}

TEST(ForeignRecord, OfFooocus) {
  const auto record = read({{"fooocus_scheme", "fooocus"}, {"parameters", R"json({"prompt": "a cat",
      "negative_prompt": "", "full_prompt": ["cinematic a cat", "sharp"], "full_negative_prompt": ["anime"],
      "styles": "['Fooocus V2']", "performance": "Speed", "steps": 30, "resolution": "(1152, 896)",
      "guidance_scale": 4.0, "sharpness": 2.0, "adm_guidance": "(1.5, 0.8, 0.3)", "base_model": "juggernautXL",
      "refiner_model": "None", "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras", "seed": "987654321", "clip_skip": 2,
      "vae": "Default (model)", "loras": [["sd_xl_offset.safetensors", 0.1, "hash"]], "version": "Fooocus v2.5.5"})json"}});
  const auto& request = record.request;
  EXPECT_EQ(request.prompt, "cinematic a cat, sharp <lora:sd_xl_offset:0.1>");
  EXPECT_EQ(request.negative_prompt, "anime");
  EXPECT_EQ(request.width, 1152);
  EXPECT_EQ(request.height, 896);
  EXPECT_EQ(request.seed, 987654321U);
  EXPECT_EQ(request.sampler, "dpm++2m_sde");
  EXPECT_EQ(request.schedule, "karras");
  EXPECT_EQ(record.model, "juggernautXL");
  EXPECT_EQ(record.notes, (Notes{"adm_guidance \"(1.5, 0.8, 0.3)\"", "sharpness 2.0"}));
}

TEST(ForeignRecord, OfNovelAi) {
  const auto record =
      read({{"Software", "NovelAI"},
            {"Description", "a {red} [cat] (x)"},
            {"Comment", R"json({"prompt": "a {red} [cat] (x)", "uc": "lowres", "steps": 28, "height": 832,
      "width": 640, "scale": 5.0, "seed": 3, "sampler": "k_euler_ancestral", "noise_schedule": "native", "sm": true})json"}});
  EXPECT_EQ(record.request.prompt, "a (red:1.05) (cat:0.952381) \\(x\\)");
  EXPECT_EQ(record.request.negative_prompt, "lowres");
  EXPECT_EQ(record.request.sampler, "euler_a");
  EXPECT_EQ(record.request.schedule, "discrete");
  EXPECT_EQ(record.request.guidance_scale, 5);
  EXPECT_EQ(record.notes, (Notes{"NovelAI's model", "sm true"}));
}

TEST(ForeignRecord, OfNoProgramIsNone) {
  EXPECT_FALSE(read_foreign_record({}));
  EXPECT_FALSE(read_foreign_record({{"Software", "GIMP"}, {"parameters", "a cat"}}));
}

}  // namespace
}  // namespace sfumato
