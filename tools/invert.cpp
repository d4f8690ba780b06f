// invert: inverts an image to the noise that a model generates it from, and back, also under another prompt
#include <CLI/CLI.hpp>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>

#include "checkpoints/safetensors.h"
#include "command_line/command_line.h"
#include "command_line/program.h"
#include "core/cuda.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/shipped_folders.h"
#include "diffusion/subsequences.h"
#include "engine/find_model.h"
#include "engine/outputs.h"
#include "images/pixels.h"
#include "images/read.h"
#include "images/write.h"
#include "systems/spherical.h"
#include "systems/stable_diffusion/ddim_map.h"
#include "systems/unconditional/ddim_map.h"
#include "systems/unconditional/record.h"

namespace {

using namespace sfumato;

struct Options {
  std::string image, output, model, other, save_noise, compare_steps;
  DdimMapOptions map;
  std::int64_t steps = 50, count = 8;
  std::string device = "auto", dtype = "auto";
  bool force = false, quiet = false;
};

struct Run {
  Options options;
  std::shared_ptr<const DdimMap> map;
  torch::Tensor image, other;                ///< fitted, [1, 3, H, W]; `other` undefined if not given
  std::vector<std::int64_t> compared_steps;  ///< of --compare-steps
};

[[noreturn]] void refuse(const std::string& what, const std::string& expected) {
  throw std::invalid_argument(what + ": expected " + expected);
}

void check(const CLI::App& app, const Options& options) {
  const auto given = [&](const char* option) { return app.get_option(option)->count() > 0; };
  if (options.image.empty()) refuse("no image", "one, as in invert photo.png -m FOLDER -o strip.png");
  if (options.model.empty()) refuse("no model", "one, as in -m FOLDER");
  if (options.output.empty()) refuse("no output", "one, as in -o strip.png");
  if (!is_writable_format(options.output))
    refuse("output '" + options.output + "'", "a name that ends in .png, .jpg, .jpeg or .webp");
  single_output_name(options.output, std::nullopt);
  single_output_name(options.save_noise, std::nullopt);
  if (given("--interpolate") && given("--compare-steps")) refuse("--interpolate and --compare-steps", "one of them");
  if (given("--count") && !given("--interpolate")) refuse("-n without --interpolate", "both");
  if (given("--guidance") && !given("--prompt") && !given("--edit-prompt"))
    refuse("--guidance without --prompt or --edit-prompt", "both");
  if (options.count < 2) refuse("-n " + std::to_string(options.count), "at least 2");
  if (options.steps < 1) refuse("--steps " + std::to_string(options.steps), "at least 1");
  check_writable(options.output, options.force);
  if (options.save_noise == options.output)
    refuse("--save-noise '" + options.save_noise + "'", "another name than the output's");
  if (!options.save_noise.empty()) check_writable(options.save_noise, options.force);
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("image", options.image, "Image to invert");
  app.add_option("-o,--output", options.output, "PNG, JPEG or WebP to write");
  app.add_option("-m,--model", options.model,
                 "Folder of DDPMPipeline, DDIMPipeline, LDMPipeline or a Stable Diffusion, a file of the latter, or a "
                 "name under models/");
  app.add_option("--steps", options.steps, "Steps in each direction: more bring back more")->capture_default_str();
  app.add_option("-p,--prompt", options.map.prompt, "What the image shows, for a text model");
  app.add_option("--edit-prompt", options.map.edit_prompt, "What it is to show: the prompt on the way back");
  app.add_option("--guidance", options.map.guidance_scale, "Classifier-free guidance on the way back")
      ->capture_default_str();
  app.add_option("-W,--width", options.map.width, "Of a text model, resize the image; by default its own size");
  app.add_option("-H,--height", options.map.height, "Of a text model, resize the image; by default its own size");
  app.add_option("--class", options.map.label, "Class of the image, for a class-conditional model");
  app.add_option("--edit-class", options.map.edit_label, "Its class on the way back");
  app.add_option("--interpolate", options.other,
                 "A strip from the image to this one, through spherically interpolated noise");
  app.add_option("-n,--count", options.count, "Images of --interpolate")->capture_default_str();
  app.add_option("--compare-steps", options.compare_steps,
                 "A strip of the image's noise made into an image in each of these numbers of steps, as in "
                 "10,20,50,100");
  app.add_option("--save-noise", options.save_noise, "safetensors file for the image's noise");
  app.add_option("--device", options.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--dtype", options.dtype, "auto, float32, bfloat16 or float16")->capture_default_str();
  app.add_flag("--force", options.force, "Overwrite existing files");
  app.add_flag("--quiet", options.quiet, "No progress and no result, errors only");
}

std::optional<Options> parse_options(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Inverts DDIM: turns an image into the noise that a model makes it from, and back into an image. Writes the "
      "original, with a model of pixels the noise, and the image that comes back.",
      "invert");
  add_options(app, options);
  if (!parse_command_line(app, argc, argv)) return std::nullopt;
  check(app, options);
  return options;
}

/// Prints each warning once, unless --quiet was given.
std::function<void(const std::string&)> warner(bool quiet) {
  return [quiet, printed = std::make_shared<std::set<std::string>>()](const std::string& warning) {
    if (!quiet && printed->insert(warning).second) std::cerr << "invert: warning: " << warning << '\n';
  };
}

std::shared_ptr<const DdimMap> load_map(const Options& options) {
  const auto path = find_model(options.model, model_roots(SFUMATO_SOURCE_DIR));
  const auto placement = parse_placement(options.device, options.dtype);
  auto map_options = options.map;
  map_options.on_warning = warner(options.quiet);
  if (std::filesystem::is_directory(path) && ModelIndex(path).pipeline_class().system == System::unconditional)
    return make_ddim_map(load_unconditional(path, placement), map_options);
  auto model = load_stable_diffusion(path, placement, shipped_folders("tokenizer", SFUMATO_SOURCE_DIR));
  for (const auto& warning : model.warnings) map_options.on_warning(warning);
  return make_ddim_map(std::move(model), map_options);
}

TextChunks texts_of(const Run& run) {
  const auto& options = run.options;
  nlohmann::ordered_json json = {{"image", options.image}, {"model", options.model}, {"steps", options.steps}};
  const auto& map = options.map;
  if (!map.prompt.empty()) json["prompt"] = map.prompt;
  if (map.edit_prompt) json["edit_prompt"] = *map.edit_prompt;
  if (map.guidance_scale != 1) json["guidance_scale"] = map.guidance_scale;
  if (map.label) json["class"] = *map.label;
  if (map.edit_label) json["edit_class"] = *map.edit_label;
  if (!options.other.empty()) json["interpolate"] = options.other;
  if (!run.compared_steps.empty()) json["compare_steps"] = run.compared_steps;
  return program_text_chunks("invert", json);
}

Run prepare_run(const Options& options) {
  Run run{.options = options, .map = {}, .image = read_image(options.image), .other = {}, .compared_steps = {}};
  if (!options.other.empty()) run.other = read_image(options.other);
  if (!options.compare_steps.empty()) run.compared_steps = parse_counts("--compare-steps", options.compare_steps);
  for (const auto steps : run.compared_steps)
    if (steps < 1) refuse("--compare-steps " + std::to_string(steps), "at least 1");
  check_texts_fit(options.output, texts_of(run));
  run.map = load_map(options);
  run.image = run.map->fit(run.image);
  // Both images need one size, because their noises do.
  if (run.other.defined()) run.other = run.map->fit(resize_lanczos(run.other, run.image.size(2), run.image.size(3)));
  return run;
}

/// Reports steps of both directions; returns false after Ctrl-C.
class Steps {
 public:
  Steps(const Run& run, std::int64_t total)
      : progress_("inverting", total, run.options.quiet ? Progress::Style::kQuiet : Progress::Style::kAutomatic) {}
  OnStep on_step() {
    return [this](int, int, const torch::Tensor&) {
      progress_.update(++done_);
      return !interrupted();
    };
  }
  void finish() { progress_.finish(); }

 private:
  Progress progress_;
  std::int64_t done_ = 0;
};

double psnr(const torch::Tensor& image, const torch::Tensor& original) {
  const auto error = (image.clamp(-1, 1) - original).square().mean().item<double>();
  return 10 * std::log10(4 / error);
}

/// Returns the strip's images; undefined ones after Ctrl-C.
std::vector<torch::Tensor> there_and_back(const Run& run, const torch::Tensor& noise, Steps& steps) {
  const auto back = run.map->to_images(noise, run.options.steps, steps.on_step());
  if (!back.defined()) return {};
  std::vector<torch::Tensor> images{run.image};
  if (run.map->is_pixels()) images.push_back(noise.to(torch::kCPU).expand({1, 3, -1, -1}) / 3);  // 3 sigma in [-1, 1]
  images.push_back(back);
  return images;
}

std::vector<torch::Tensor> interpolated(const Run& run, const torch::Tensor& noise, Steps& steps) {
  const auto other = run.map->to_noise(run.other, run.options.steps, steps.on_step());
  if (!other.defined()) return {};
  const auto between = interpolate_spherically(noise, other, run.options.count);
  const auto images = run.map->to_images(between, run.options.steps, steps.on_step());
  return images.defined() ? std::vector<torch::Tensor>{images} : std::vector<torch::Tensor>();
}

std::vector<torch::Tensor> compared(const Run& run, const torch::Tensor& noise, Steps& steps) {
  std::vector<torch::Tensor> images{run.image};
  for (const auto count : run.compared_steps) {
    images.push_back(run.map->to_images(noise, count, steps.on_step()));
    if (!images.back().defined()) return {};
  }
  return images;
}

std::int64_t total_steps(const Run& run) {
  auto total = run.options.steps * (run.other.defined() ? 3 : run.compared_steps.empty() ? 2 : 1);
  for (const auto count : run.compared_steps) total += count;
  return total;
}

int invert(const Run& run) {
  Steps steps(run, total_steps(run));
  const auto noise = run.map->to_noise(run.image, run.options.steps, steps.on_step());
  if (!noise.defined()) return interrupted_exit_code();
  const auto images = run.other.defined()           ? interpolated(run, noise, steps)
                      : !run.compared_steps.empty() ? compared(run, noise, steps)
                                                    : there_and_back(run, noise, steps);
  if (images.empty() || interrupted()) return interrupted_exit_code();
  steps.finish();
  const auto strip = torch::cat(images);
  write_image(run.options.output, image_grid(strip.clamp(-1, 1), strip.size(0)), texts_of(run));
  if (!run.options.save_noise.empty()) write_safetensors(run.options.save_noise, {{"noise", noise.cpu().contiguous()}});
  if (run.options.quiet) return 0;
  std::cout << run.options.output;
  const bool comes_back = images.size() > 1 && run.compared_steps.empty();
  if (comes_back)
    std::cout << "  round trip " << std::fixed << std::setprecision(2) << psnr(images.back(), run.image) << " dB";
  std::cout << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("invert", [&]() -> Compute {
    const auto options = parse_options(argc, argv);
    if (!options) return {};
    return [run = prepare_run(*options)] {
      watch_interrupts();
      return invert(run);
    };
  });
}
