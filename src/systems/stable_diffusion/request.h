#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "systems/stable_diffusion/control_unit.h"

namespace sfumato {

/// Request for images: the one form for the command line, the server, an image's metadata and
/// the tests. Keys in JSON have the names of the members.
struct Request {
  std::string prompt{};
  /// A missing and an empty one differ for Stable Diffusion XL, which uses zeros for a missing one.
  std::optional<std::string> negative_prompt{};
  /// Syntax of prompts: "a1111" as in AUTOMATIC1111's web UI, with weights, BREAK, AND, changes by the step,
  /// # comments and any length, or "plain" as in diffusers; "" selects a1111 for CLIP's models and plain for T5's.
  std::string prompt_syntax{};
  /// Pixels; 0 selects the model's own size (text to image) or the initial image's (image to image).
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t steps = 25;
  /// Classifier-free guidance (Ho & Salimans 2022, diffusers' guidance_scale); 1 or less disables it.
  double guidance_scale = 7.5;
  /// Guidance rescale (Lin et al. 2023, section 3.4), 0 to 1.
  double guidance_rescale = 0;
  /// "cfg", or "cfg++" (Chung et al. 2024) with a guidance_scale of 0 to 1, for ddim, euler and euler_a.
  std::string guidance = "cfg";
  /// Limits guidance of every kind to the steps between these fractions of them (Kynkäänniemi et al. 2024). The others
  /// use the prompt alone and take half the time.
  double guidance_start = 0, guidance_end = 1;
  /// Perturbed-attention guidance (Ahn et al. 2024): its scale, 0 for none; the decrease of the scale per timestep
  /// below 1000; and parts of the names of the self-attention layers to perturb, separated by commas.
  double pag_scale = 0, pag_adaptive_scale = 0;
  std::string pag_layers = "mid";
  /// Self-attention guidance (Hong et al. 2023): its scale, 0 for none, usually 0.75. Adds one evaluation a step.
  double sag_scale = 0;
  /// Guidance by the gradient of CLIP's similarity to the prompt (systems/clip_guidance.h).
  struct ClipGuidance {
    /// Folder of the CLIPModel; "" for none. A noised one reads the latents x_t, any other the decoded estimate of x_0.
    std::string model{};
    double scale = 0;  ///< 0 disables it

    bool is_on() const { return scale != 0 && !model.empty(); }
    bool operator==(const ClipGuidance&) const = default;
  } clip_guidance{};
  /// Similarity to the initial image in a model that edits images (Brooks et al. 2023, s_I; diffusers'
  /// image_guidance_scale): 1 or more, only for instruct-pix2pix's UNets.
  double image_guidance_scale = 1.5;
  /// Dynamic thresholding (Saharia et al. 2022, section 2.3): the quantile of |x0| beyond which x0 is clipped, 0 for
  /// none, and the largest range that remains (diffusers' sample_max_value). 0 uses the model's scheduler config.
  double dynamic_threshold = 0, dynamic_threshold_max = 1;
  /// CLIP layer whose states are used, counted from the end as in AUTOMATIC1111's web UI: 1 is the layer that the model
  /// was trained with, 2 the one before it, and so on.
  std::int64_t clip_skip = 1;
  /// Conditions of Stable Diffusion XL on the image that this one is cropped from: its size before scaling (0 for the
  /// image's own) and the crop's corner, in pixels.
  std::int64_t original_width = 0, original_height = 0;
  std::int64_t crop_left = 0, crop_top = 0;
  /// A name of samplers() (diffusion/samplers.h); "" selects the model's own.
  std::string sampler{};
  /// Spacing of the levels between noise and image: "discrete", by the model's timestep_spacing, or, for samplers
  /// that use sigma, another name of sigma_schedules() (diffusion/sigma_schedules.h); "" selects the model's
  /// own.
  std::string schedule{};
  /// DDIM's eta or TCD's gamma, 0 to 1; kOwnEta selects the sampler's own. Other samplers keep their usual noise.
  static constexpr double kOwnEta = -1;
  double eta = kOwnEta;
  /// Image k of the batch has seed + k.
  std::uint64_t seed = 0;
  /// Another seed, whose noise is mixed into the initial noise with a weight of 0 to 1: AUTOMATIC1111's variation seed.
  /// With a weight above 0, image k of the batch has `seed` itself and subseed + k.
  std::uint64_t subseed = 0;
  double subseed_strength = 0;
  /// Random number generator of the seeds: "cpu" or "cuda" (core/random.h).
  std::string rng = "cpu";
  /// Source of noise in a sampler's steps: a name of Sampler::noise (diffusion/samplers.h); "" selects the
  /// sampler's usual one.
  std::string noise{};
  std::int64_t batch_count = 1;
  /// True for an image that tiles without a seam: convolutions of UNet and VAE pad with the opposite edge.
  bool tiling = false;
  /// Path of the initial image; "" for text to image.
  std::string image{};
  /// Strength of the change to the initial image, 0 to 1.
  double strength = 0.8;
  /// Start of the samplers pndm and lms within the schedule: "fresh", as at its first step, or "diffusers", whose
  /// classes count skipped steps (docs/samplers.md).
  std::string multistep_start = "fresh";
  /// Region of the initial image to regenerate.
  struct Inpaint {
    /// Path of the mask, white in the region; "" selects the whole image, as in image to image.
    std::string mask{};
    /// Standard deviation of the Gaussian blur of the mask, in its pixels.
    double mask_blur = 4;
    /// Regenerates the black region instead of the white one.
    bool invert_mask = false;
    /// Regenerates only the surroundings of the mask, enlarged to the request's size, with this many pixels around it.
    bool only_masked = false;
    std::int64_t mask_padding = 32;
    /// Composites the result over the initial image by the mask, which keeps the rest unchanged to the last bit.
    bool paste = true;

    bool operator==(const Inpaint&) const = default;
  } inpaint{};
  /// ControlNets, whose residuals are added up.
  std::vector<ControlUnit> controls{};
  /// Applies ControlNets to the prompt's half alone, more strongly in deeper layers, so that the image is guessed from
  /// their inputs (diffusers' guess_mode).
  bool control_guess = false;
  /// Another model that continues after this one, such as Stable Diffusion XL's refiner.
  struct Refiner {
    /// A folder or a file (systems/stable_diffusion/refiner.h); "" for none.
    std::string model{};
    /// Fraction of the noise, in timesteps, removed before the switch, above 0 and below 1: diffusers' denoising_end
    /// and denoising_start.
    double switch_at = 0.8;

    bool is_on() const { return !model.empty(); }
    bool operator==(const Refiner&) const = default;
  } refiner{};
  /// Text to image: a second pass at a higher resolution, as in AUTOMATIC1111's web UI ("Hires. fix"). The
  /// refiner then runs in this pass only.
  struct Hires {
    /// Factor of the request's sides, 1 to 8; 0 uses the sides below.
    double scale = 0;
    /// Pixels; a side of 0 follows from the other one. With both 0 and no scale there is no second pass.
    std::int64_t width = 0, height = 0;
    /// Number of executed steps; 0 runs as many as the first pass.
    std::int64_t steps = 0;
    /// Strength of the change to the enlarged image, 0 to 1.
    double strength = 0.7;
    /// A name of upscalers() (systems/stable_diffusion/upscalers.h).
    std::string upscaler = "latent";

    bool is_on() const { return scale != 0 || width != 0 || height != 0; }
    bool operator==(const Hires&) const = default;
  } hires{};

  bool operator==(const Request&) const = default;
};

/// Limits of a model, against which a request is validated.
struct ModelLimits {
  std::int64_t num_train_timesteps = 1000;
  /// Divisor of width and height.
  std::int64_t vae_scale_factor = 8;
  /// Largest value of clip_skip; 0 for text encoders without a layer to skip.
  std::int64_t clip_layers = 0;
  /// True with guidance by a noised CLIP, which takes latents of one size.
  bool noised_clip = false;
};

/// Writes all members, in their order; rarely used ones only if they are set.
nlohmann::ordered_json to_json(const Request& request);

/// Missing keys keep their defaults. Throws std::invalid_argument for an unknown key or a value of another type.
Request request_from_json(const Json& json);

/// Throws std::invalid_argument with the value and the expected range.
void validate(const Request& request, const ModelLimits& limits);

/// Checks the prompts only, as validate does; needs no model.
void validate_prompts(const Request& request);

/// Checks clip_guidance only, as validate does; needs no model. `noised` is ModelLimits::noised_clip.
void validate_clip_guidance(const Request& request, bool noised);

/// Returns the request for `count` images of its batch, starting with image `first`.
Request part_of_batch(Request request, std::int64_t first, std::int64_t count);

/// Checks batch_count only, as validate does; needs no model.
void validate_batch_count(const Request& request);

/// Parses a seed: a whole number from 0 to 2^64 - 1. Throws std::invalid_argument.
std::uint64_t parse_seed(const std::string& text);

}  // namespace sfumato
