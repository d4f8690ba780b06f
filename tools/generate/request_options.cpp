#include "generate/request_options.h"

#include "diffusion/samplers.h"
#include "diffusion/sigma_schedules.h"
#include "systems/stable_diffusion/upscalers.h"

namespace sfumato {
namespace {

/// Returns the names in a table of samplers or schedules, after a description.
template <class Table>
std::string help_of(std::string text, const Table& table) {
  for (const auto& row : table) text += (text.ends_with(": ") ? "" : ", ") + row.name;
  return text;
}

void add_prompt_options(CLI::App& app, Request& request) {
  app.add_option("-p,--prompt,prompt", request.prompt, "What the picture shows");
  app.add_option("-n,--negative-prompt", request.negative_prompt, "What it shall not show");
  app.add_option(
      "--prompt-syntax", request.prompt_syntax,
      "a1111: (weights:1.2), BREAK, AND, [changes:by step:0.5], # comments, any length; plain: as diffusers reads "
      "prompts (default: a1111 with CLIP, plain with T5)");
  app.add_option("--clip-skip", request.clip_skip, "CLIP's layer for the text: 1 the last, 2 the one before it, ...")
      ->capture_default_str();
}

void add_sampling_options(CLI::App& app, RequestArguments& arguments) {
  auto& request = arguments.request;
  app.add_option("-W,--width", request.width, "Pixels; by default the model's own");
  app.add_option("-H,--height", request.height, "Pixels; by default the model's own");
  app.add_option("-b,--batch-count", request.batch_count, "Pictures of each prompt; their seeds count up")
      ->capture_default_str();
  app.add_option("--steps", request.steps, "Steps from noise to picture")->capture_default_str();
  app.add_option("--cfg-scale", request.guidance_scale, "How closely to follow the prompt; 1 is without guidance")
      ->capture_default_str();
  app.add_option("--sampler", request.sampler,
                 help_of("How to integrate, by default what the model's folder says: ", samplers()));
  app.add_option("--schedule", request.schedule,
                 help_of("How its noise levels lie, by default as the model's folder says: ", sigma_schedules()));
  app.add_option("--eta", request.eta,
                 "DDIM's noise, 0 (none, the default) to 1 (as DDPM); TCD's gamma, likewise (default: 0.3)");
  app.add_option("-s,--seed", arguments.seed,
                 "Of the first picture; by default, and where it is negative, a random one");
  app.add_option("--subseed", arguments.subseed,
                 "Another seed, whose noise --subseed-strength mixes in; counts up in place of the seed");
  app.add_option("--subseed-strength", request.subseed_strength, "How much of it, 0 to 1")->capture_default_str();
  app.add_flag("--tiling,!--no-tiling", request.tiling, "Make a picture that joins its own copies without a seam");
  app.add_option("--rng", request.rng,
                 "Whose random numbers a seed means: cpu, or cuda as other programs have on a GPU")
      ->capture_default_str();
  app.add_option("--noise", request.noise,
                 "Of the SDE samplers' steps: generator as diffusers, brownian as AUTOMATIC1111's web UI (default: "
                 "generator with dpm++2m_sde, brownian with dpm++sde and dpm++3m_sde)");
}

void add_size_conditions(CLI::App& app, Request& request) {
  const auto group = "Stable Diffusion XL";
  app.add_option("--original-width", request.original_width, "Of the picture that this one is cut from; 0: its own")
      ->group(group);
  app.add_option("--original-height", request.original_height, "Likewise")->group(group);
  app.add_option("--crop-left", request.crop_left, "Where the cut begins, in pixels")->group(group);
  app.add_option("--crop-top", request.crop_top, "Likewise")->group(group);
}

void add_image_options(CLI::App& app, Request& request) {
  app.add_option("-i,--image", request.image, "The picture to start from");
  app.add_option("--strength", request.strength, "How much of it to make anew, 0 to 1")->capture_default_str();
  app.add_option("--multistep-start", request.multistep_start,
                 "How the samplers pndm and lms begin: fresh, or diffusers, as its schedulers do")
      ->capture_default_str();
}

void add_mask_options(CLI::App& app, Request::Inpaint& inpaint) {
  app.add_option("--mask", inpaint.mask, "A picture that is white where the other one is to be made anew");
  app.add_option("--mask-blur", inpaint.mask_blur, "Softens the mask's edge, in pixels")->capture_default_str();
  app.add_flag("--invert-mask,!--no-invert-mask", inpaint.invert_mask, "Make anew what is black instead");
  app.add_flag("--only-masked,!--whole-picture", inpaint.only_masked,
               "Cut out what is around the mask, make it at full size (-W, -H, by default the model's), put it back");
  app.add_option("--mask-padding", inpaint.mask_padding, "Pixels around the mask with --only-masked")
      ->capture_default_str();
  app.add_flag("--paste,!--no-paste", inpaint.paste,
               "Keep the rest of the picture to the last bit (default); --no-paste gives what the model makes of it");
}

void add_hires_options(CLI::App& app, Request::Hires& hires) {
  const auto group = "Second pass at a higher resolution";
  std::string names;
  for (const auto& upscaler : upscalers()) names += (names.empty() ? "" : ", ") + upscaler.name;
  app.add_option("--hires-scale", hires.scale, "Times the width and height, 1 to 8")->group(group);
  app.add_option("--hires-width", hires.width, "Pixels, instead of a scale")->group(group);
  app.add_option("--hires-height", hires.height, "Likewise")->group(group);
  app.add_option("--hires-steps", hires.steps, "Its steps; 0: as many as the first pass")->group(group);
  app.add_option("--hires-strength", hires.strength, "How much it makes anew, 0 to 1")
      ->capture_default_str()
      ->group(group);
  app.add_option("--hires-upscaler", hires.upscaler, "How to enlarge: " + names)->capture_default_str()->group(group);
}

void add_refiner_options(CLI::App& app, Request::Refiner& refiner) {
  const auto group = "Stable Diffusion XL";
  app.add_option("--refiner", refiner.model, "A model that goes on where this one stops, named as -m's")->group(group);
  app.add_option("--refiner-at", refiner.switch_at, "How much of the noise is gone by then, above 0 and below 1")
      ->capture_default_str()
      ->group(group);
}

void add_guidance_options(CLI::App& app, Request& request) {
  const auto group = "Guidance";
  app.add_option("--guidance", request.guidance, "cfg, or cfg++ with a --cfg-scale of 0 to 1")->group(group);
  app.add_option("--guidance-rescale", request.guidance_rescale, "Against overexposure by guidance, 0 to 1")
      ->group(group);
  app.add_option("--guidance-start", request.guidance_start, "The part of the steps, 0 to 1, that goes without")
      ->group(group);
  app.add_option("--guidance-end", request.guidance_end, "The part of the steps after which it ends")->group(group);
  app.add_option("--pag-scale", request.pag_scale, "Perturbed-attention guidance: 3 is usual, 0 is without")
      ->group(group);
  app.add_option("--pag-adaptive-scale", request.pag_adaptive_scale, "What that loses with each timestep below 1000")
      ->group(group);
  app.add_option("--pag-layers", request.pag_layers, "Its layers, as mid or mid,down_blocks.1")->group(group);
  app.add_option("--sag-scale", request.sag_scale, "Self-attention guidance: 0.75 is usual, 0 is without")
      ->group(group);
  app.add_option("--clip-guidance", request.clip_guidance.scale,
                 "Guide by the gradient of CLIP's similarity to the prompt, with this scale: 100 is usual")
      ->group(group);
  app.add_option("--clip-model", request.clip_guidance.model,
                 "Folder of the CLIPModel for it, or its name under models/; a noised one reads the latents, any other "
                 "the decoded image")
      ->group(group);
  app.add_option("--dynamic-threshold", request.dynamic_threshold,
                 "Cuts each prediction at this quantile of its values, as 0.995, for models of pixels; 0 does not")
      ->group(group);
  app.add_option("--dynamic-threshold-max", request.dynamic_threshold_max, "The largest range that this leaves")
      ->group(group);
}

}  // namespace

void add_request_options(CLI::App& app, RequestArguments& arguments, const GenerateProgram& program) {
  auto& request = arguments.request;
  add_prompt_options(app, request);
  add_sampling_options(app, arguments);
  add_guidance_options(app, request);
  add_size_conditions(app, request);
  add_refiner_options(app, request.refiner);
  add_control_options(app, arguments.control);
  if (!program.takes_image) add_hires_options(app, request.hires);
  if (program.takes_image) add_image_options(app, request);
  if (program.takes_image && !program.takes_mask)
    app.add_option("--image-guidance", request.image_guidance_scale,
                   "How closely a model that edits pictures by instructions keeps to the given one, 1 or more")
        ->capture_default_str()
        ->group("Guidance");
  if (program.takes_mask) add_mask_options(app, request.inpaint);
}

}  // namespace sfumato
