#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "systems/stable_diffusion/control_unit.h"

namespace sfumato {

/// What a picture is made from: the one form of a request for the command line, the server, a picture's metadata and
/// the tests. Names of keys in JSON are the members'.
struct Request {
  std::string prompt{};
  /// None and an empty one differ for Stable Diffusion XL, which has zeros in place of none.
  std::optional<std::string> negative_prompt{};
  /// How prompts are read: "a1111" as AUTOMATIC1111's web UI does, with weights, BREAK, AND, changes by the step,
  /// # comments and any length, or "plain", as diffusers does; "" takes a1111 for CLIP's models and plain for T5's.
  std::string prompt_syntax{};
  /// Pixels; 0 takes the model's own size (text to image) or the initial image's (image to image).
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t steps = 25;
  /// Classifier-free guidance (Ho & Salimans 2022, diffusers' guidance_scale); 1 or less is without.
  double guidance_scale = 7.5;
  /// Lin et al. 2023, section 3.4, 0 to 1.
  double guidance_rescale = 0;
  /// "cfg", or "cfg++" (Chung et al. 2024), whose guidance_scale is 0 to 1, for ddim, euler and euler_a.
  std::string guidance = "cfg";
  /// Guidance of every kind is kept to the steps between these fractions of them (Kynkäänniemi et al. 2024); the others
  /// have the prompt alone, and take half the time.
  double guidance_start = 0, guidance_end = 1;
  /// Perturbed-attention guidance (Ahn et al. 2024): its scale, 0 for none; what that loses with each timestep below
  /// 1000; and parts of the names of the self-attention layers to perturb, by commas.
  double pag_scale = 0, pag_adaptive_scale = 0;
  std::string pag_layers = "mid";
  /// Self-attention guidance (Hong et al. 2023): its scale, 0 for none; 0.75 is usual. One more evaluation a step.
  double sag_scale = 0;
  /// How closely a model that edits pictures keeps to the initial one (Brooks et al. 2023, s_I; diffusers'
  /// image_guidance_scale): 1 or more, of instruct-pix2pix's UNets alone.
  double image_guidance_scale = 1.5;
  /// Dynamic thresholding (Saharia et al. 2022, section 2.3): the quantile of |x0| beyond which x0 is cut off, 0 for
  /// none, and the largest range that it may leave (diffusers' sample_max_value). 0 is as the model's scheduler says.
  double dynamic_threshold = 0, dynamic_threshold_max = 1;
  /// Which of CLIP's layers from the end the text is taken from: 1 is the one that the model was trained with, 2 the
  /// one before it, and so on, as AUTOMATIC1111's web UI counts.
  std::int64_t clip_skip = 1;
  /// What Stable Diffusion XL is told of the picture that this one is cut from: its size before scaling (0 takes the
  /// picture's own) and where the cut begins, in pixels.
  std::int64_t original_width = 0, original_height = 0;
  std::int64_t crop_left = 0, crop_top = 0;
  /// A name of samplers() (diffusion/samplers.h); "" takes the model's own.
  std::string sampler{};
  /// How the levels lie between noise and picture: "discrete", as the model's timestep_spacing says, or for the
  /// samplers that go by sigma another name of sigma_schedules() (diffusion/sigma_schedules.h); "" takes the model's
  /// own.
  std::string schedule{};
  /// DDIM's eta or TCD's gamma, 0 to 1; kOwnEta takes the sampler's own. Others draw noise as they always do.
  static constexpr double kOwnEta = -1;
  double eta = kOwnEta;
  /// Image k of the batch has seed + k.
  std::uint64_t seed = 0;
  /// Another seed, whose noise is mixed into the first noise by a part of 0 to 1: AUTOMATIC1111's variation seed. With
  /// a part above 0, image k of the batch has `seed` itself and subseed + k.
  std::uint64_t subseed = 0;
  double subseed_strength = 0;
  /// Whose random numbers a seed stands for: "cpu" or "cuda" (core/random.h).
  std::string rng = "cpu";
  /// What the noise of a sampler's steps comes of: a name of Sampler::noise (diffusion/samplers.h); "" takes the
  /// sampler's usual one.
  std::string noise{};
  std::int64_t batch_count = 1;
  /// Whether the image joins its own copies without a seam: convolutions of UNet and VAE pad with the opposite edge.
  bool tiling = false;
  /// Path of the initial image; "" is text to image.
  std::string image{};
  /// How much of the initial image is made anew, 0 to 1.
  double strength = 0.8;
  /// How the samplers pndm and lms begin within the schedule: "fresh", as at its first step, or "diffusers", whose
  /// classes count steps that were not made (docs/samplers.md).
  std::string multistep_start = "fresh";
  /// What of the initial image is made anew.
  struct Inpaint {
    /// Path of the mask, white where it is; "" is all of it, as image to image does.
    std::string mask{};
    /// Deviation of the Gaussian that the mask is blurred with, in its pixels.
    double mask_blur = 4;
    /// Black takes the place of white.
    bool invert_mask = false;
    /// Only what is around the mask, enlarged to the request's size, with this many pixels around it.
    bool only_masked = false;
    std::int64_t mask_padding = 32;
    /// Lay the result over the initial image by the mask, so that the rest stays as it was to the last bit.
    bool paste = true;

    bool operator==(const Inpaint&) const = default;
  } inpaint{};
  /// ControlNets, whose residuals add up.
  std::vector<ControlUnit> controls{};
  /// That they speak for the prompt's half alone and the more the deeper the layer, so that the picture is guessed from
  /// what they are shown (diffusers' guess_mode).
  bool control_guess = false;
  /// Another model that goes on where this one stops, as Stable Diffusion XL's refiner.
  struct Refiner {
    /// A folder or a file (systems/stable_diffusion/refiner.h); "" is none.
    std::string model{};
    /// The part of the noise, in timesteps, that is gone by then, above 0 and below 1: diffusers' denoising_end and
    /// denoising_start.
    double switch_at = 0.8;

    bool is_on() const { return !model.empty(); }
    bool operator==(const Refiner&) const = default;
  } refiner{};
  /// Text to image: a second pass at a higher resolution, as AUTOMATIC1111's web UI has it ("Hires. fix"). A
  /// refiner is then kept for this one.
  struct Hires {
    /// Times the request's sides, 1 to 8; 0 takes the sides below.
    double scale = 0;
    /// Pixels; one that is 0 follows from the other one. With both 0 and no scale there is no second pass.
    std::int64_t width = 0, height = 0;
    /// Steps that are made; 0 makes as many as the first pass.
    std::int64_t steps = 0;
    /// How much of the enlarged picture is made anew, 0 to 1.
    double strength = 0.7;
    /// A name of upscalers() (systems/stable_diffusion/upscalers.h).
    std::string upscaler = "latent";

    bool is_on() const { return scale != 0 || width != 0 || height != 0; }
    bool operator==(const Hires&) const = default;
  } hires{};

  bool operator==(const Request&) const = default;
};

/// What a model can do, against which a request is validated.
struct ModelLimits {
  std::int64_t num_train_timesteps = 1000;
  /// Width and height are multiples of this.
  std::int64_t vae_scale_factor = 8;
  /// clip_skip's largest value; 0 for text encoders that have no layer to skip.
  std::int64_t clip_layers = 0;
};

/// All members, in their order; those that are rarely set only where they are.
nlohmann::ordered_json to_json(const Request& request);

/// Missing keys keep their defaults. Throws std::invalid_argument for an unknown key or a value of another type.
Request request_from_json(const Json& json);

/// Throws std::invalid_argument that names the value and what was expected.
void validate(const Request& request, const ModelLimits& limits);

/// validate's checks of the prompts alone, which need no model.
void validate_prompts(const Request& request);

/// The request for `count` images of its batch from image `first` on.
Request part_of_batch(Request request, std::int64_t first, std::int64_t count);

/// validate's check of batch_count alone, which needs no model.
void validate_batch_count(const Request& request);

/// A seed as a user writes it: a whole number from 0 to 2^64 - 1. Throws std::invalid_argument.
std::uint64_t parse_seed(const std::string& text);

}  // namespace sfumato
