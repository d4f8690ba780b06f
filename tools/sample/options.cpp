#include "sample/options.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <random>
#include <stdexcept>

#include "command_line/command_line.h"
#include "diffusion/subsequences.h"
#include "images/animation.h"
#include "images/write.h"
#include "systems/stable_diffusion/request.h"

namespace sfumato {
namespace {

constexpr std::int64_t kMostImages = 10000;

/// Texts that are converted to numbers after the whole command line is parsed.
struct SampleTexts {
  std::string seed, interpolate, compare_steps, eta;
  bool list_samplers = false;
};

void add_chain_options(CLI::App& app, ChainOptions& chain, SampleTexts& texts) {
  app.add_option("--sampler", chain.sampler, "By default the folder's; --list-samplers prints them");
  app.add_option("--steps", chain.steps,
                 "Steps from noise to image; by default all of the model's timesteps with ddpm, else 50");
  app.add_option("--eta", texts.eta, "Of ddim: 0 is deterministic (default), 1 as random as ddpm");
  app.add_option("--skip-type", chain.skip_type,
                 "Timesteps of ddim and ddpm: uniform (as the model's timestep_spacing) or quadratic (denser near the "
                 "image)")
      ->capture_default_str();
  app.add_option(
      "--respacing", chain.respacing,
      "In place of --steps: timesteps kept of equal sections of the process, as in 25 or 10,15,20; or ddimN, "
      "fast27");
  app.add_option(
      "--variance", chain.variance,
      "Of ddpm: fixed_small, fixed_small_log, fixed_large, learned or learned_range; by default the folder's");
}

void add_output_options(CLI::App& app, SampleOptions& options, SampleTexts& texts) {
  app.add_option(
      "-o,--output", options.output,
      "PNG, JPEG or WebP to write for each image; {seed} and {index} are replaced. By default a free name in "
      "out/. With --interpolate or --compare-steps, the file of the strip. In it, as in the names of --grid and "
      "--animate, {seed} is the first image's");
  app.add_option("--grid", options.grid,
                 "File of the grid of all images; by default beside the images, from 2 images on");
  app.add_flag("--no-grid", options.no_grid, "Write no grid");
  app.add_flag("--only-grid", options.only_grid, "Write the grid alone");
  app.add_option("--columns", options.columns, "Images in a row of the grid; by default about a square");
  app.add_option("--interpolate", texts.interpolate,
                 "A strip of -n images (8) from the noise of --seed to that of this seed, spherically interpolated");
  app.add_option("--compare-steps", texts.compare_steps,
                 "A strip of the same noise at each of these numbers of steps, as in 10,20,50,100");
  app.add_option("--animate", options.animation,
                 "Also write the reverse process, x_t and the estimate of x_0: a .gif, .webp or .mp4");
  app.add_option("--frames", options.frames, "Frames of --animate, evenly over the process")->capture_default_str();
  app.add_flag("--force", options.force, "Overwrite existing files");
  app.add_flag("--quiet", options.quiet, "No progress and no result, errors only");
}

[[noreturn]] void refuse_sample(const std::string& what, const std::string& expected) {
  throw std::invalid_argument(what + ": expected " + expected);
}

void require_positive_option(const std::string& option, std::int64_t value) {
  if (value < 1) refuse_sample(option + " " + std::to_string(value), "at least 1");
}

double eta_of(const std::string& text) {
  std::size_t end = 0;
  double eta = -1;
  try {
    eta = std::stod(text, &end);
  } catch (const std::exception&) {
  }
  if (end == 0 || end != text.size() || !(eta >= 0 && eta <= 1)) refuse_sample("--eta '" + text + "'", "0 to 1");
  return eta;
}

void settle(const CLI::App& app, SampleOptions& options, const SampleTexts& texts) {
  options.seed = texts.seed.empty() || texts.seed.starts_with('-') ? std::random_device()() : parse_seed(texts.seed);
  if (!texts.eta.empty()) options.chain.eta = eta_of(texts.eta);
  if (!texts.interpolate.empty()) {
    options.interpolate = parse_seed(texts.interpolate);
    if (app.get_option("--count")->count() == 0) options.count = 8;
  }
  if (!texts.compare_steps.empty()) options.compare_steps = parse_counts("--compare-steps", texts.compare_steps);
}

void check_strip(const CLI::App& app, const SampleOptions& options) {
  if (options.interpolate && !options.compare_steps.empty())
    refuse_sample("--interpolate and --compare-steps", "one of them");
  if (options.interpolate && options.count < 2)
    refuse_sample("-n " + std::to_string(options.count) + " with --interpolate", "at least 2");
  for (const auto steps : options.compare_steps) require_positive_option("--compare-steps", steps);
  if (!options.compare_steps.empty())
    for (const auto* option : {"--steps", "--respacing"})
      if (app.get_option(option)->count() > 0)
        refuse_sample(std::string(option) + " with --compare-steps", "one of them");
  if (!options.is_strip()) return;
  for (const auto* option : {"--grid", "--no-grid", "--only-grid", "--columns", "--animate"})
    if (app.get_option(option)->count() > 0)
      refuse_sample(std::string(option) + " with " + (options.interpolate ? "--interpolate" : "--compare-steps"),
                    "one of them");
}

/// Refuses options of a grid if no grid is written.
void check_grid(const CLI::App& app, const SampleOptions& options) {
  const bool has_grid = options.count > 1 || options.only_grid || !options.grid.empty() || !options.animation.empty();
  if (!has_grid && !options.is_strip() && app.get_option("--columns")->count() > 0)
    refuse_sample("--columns without a grid", "--grid, or more images than one (-n)");
}

void check_sample_options(const CLI::App& app, const SampleOptions& options) {
  if (options.model.empty()) refuse_sample("no model", "one, as in sample -m FOLDER");
  require_positive_option("-n", options.count);
  if (options.count > kMostImages)
    refuse_sample("-n " + std::to_string(options.count), "1 to " + std::to_string(kMostImages));
  require_positive_option("--batch-size", options.batch_size);
  require_positive_option("--frames", options.frames);
  for (const auto* option : {"--steps", "--columns"})
    if (app.get_option(option)->count() > 0)
      require_positive_option(option, app.get_option(option)->as<std::int64_t>());
  check_strip(app, options);
  if (options.no_grid && (options.only_grid || !options.grid.empty()))
    refuse_sample("--no-grid with --grid or --only-grid", "one of them");
  if (options.only_grid && !options.output.empty())
    refuse_sample("-o with --only-grid", "one of them; --grid names the grid");
  if (options.no_grid && options.columns > 0) refuse_sample("--columns with --no-grid", "one of them");
  check_grid(app, options);
  if (!options.grid.empty() && !is_writable_format(options.grid))
    refuse_sample("--grid '" + options.grid + "'", "a name that ends in .png, .jpg, .jpeg or .webp");
  if (!options.animation.empty()) check_animation_name(options.animation);
  if (options.animation.empty() && app.get_option("--frames")->count() > 0)
    refuse_sample("--frames without --animate", "both");
}

}  // namespace

std::optional<SampleOptions> parse_sample_options(int argc, char** argv) {
  SampleOptions options;
  SampleTexts texts;
  CLI::App app("Samples images from an unconditional or class-conditional diffusion model (DDPM, DDIM).", "sample");
  app.add_option("-m,--model", options.model,
                 "Folder of a diffusers DDPMPipeline, DDIMPipeline or LDMPipeline, or its name under models/");
  app.add_option("-n,--count", options.count, "Number of images")->capture_default_str();
  app.add_option("-s,--seed", texts.seed, "Of the first image; the k-th has seed + k. By default a random one");
  app.add_option(
      "--class", options.classes,
      "Class of a class-conditional model, or several, which images take in turn: 3 or 0,1,2. By default all, with "
      "--interpolate the first");
  add_chain_options(app, options.chain, texts);
  add_output_options(app, options, texts);
  app.add_option("--batch-size", options.batch_size, "Images that go through the model at once")->capture_default_str();
  app.add_option("--device", options.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--dtype", options.dtype, "auto, float32, bfloat16 or float16")->capture_default_str();
  app.add_flag("--tf32,!--no-tf32", options.tf32, "With float32 on CUDA: round factors to TF32, which is faster");
  app.add_flag("--list-samplers", texts.list_samplers, "Print the samplers, one a line, and do nothing else");
  if (!parse_command_line(app, argc, argv)) return std::nullopt;
  if (texts.list_samplers) {
    for (const auto& name : chain_sampler_names()) std::cout << name << "  " << find_sampler(name).description << '\n';
    return std::nullopt;
  }
  settle(app, options, texts);
  check_sample_options(app, options);
  return options;
}

}  // namespace sfumato
