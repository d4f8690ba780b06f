// diffuse: shows the forward process of an image as a strip at increasing noise
#include <CLI/CLI.hpp>
#include <iostream>
#include <optional>
#include <random>
#include <stdexcept>

#include "command_line/command_line.h"
#include "command_line/program.h"
#include "core/cuda.h"
#include "core/shipped_folders.h"
#include "diffusion/subsequences.h"
#include "engine/find_model.h"
#include "engine/outputs.h"
#include "images/pixels.h"
#include "images/read.h"
#include "images/write.h"
#include "systems/forward.h"
#include "systems/stable_diffusion/request.h"
#include "systems/unconditional/record.h"

namespace {

using namespace sfumato;

/// Default timesteps of a strip, for a process of kTimestepsOf.
constexpr const char* kTimesteps = "0,10,50,100,150,200,250,300,400,600,800,999";
constexpr std::int64_t kTimestepsOf = 1000;
/// Longest side of an image, so that a strip of twelve fits into memory.
constexpr std::int64_t kLongestSide = 2048;

struct Options {
  std::string image, output, model, seed_text;
  std::uint64_t seed = 0;
  std::string timesteps;
  std::string beta_schedule;
  std::optional<double> beta_start, beta_end;
  std::optional<std::int64_t> num_train_timesteps, width, height, columns;
  std::string device = "auto", dtype = "auto";
  bool force = false, quiet = false;
};

struct Run {
  Options options;
  Forward forward;
  std::vector<std::int64_t> timesteps;
  torch::Tensor image;  // [1, 3, H, W]
};

[[noreturn]] void refuse(const std::string& what, const std::string& expected) {
  throw std::invalid_argument(what + ": expected " + expected);
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("image", options.image, "Image to diffuse");
  app.add_option("-o,--output", options.output, "PNG, JPEG or WebP to write; {seed} is replaced");
  app.add_option(
      "-m,--model", options.model,
      "Model whose latents are diffused, and decoded, by its noise schedule: a folder or file of any system. "
      "By default pixels");
  app.add_option("--timesteps", options.timesteps,
                 "Where on the way the image is shown; by default " + std::string(kTimesteps) +
                     " of a process of 1000, and likewise of others");
  app.add_option("--beta-schedule", options.beta_schedule,
                 "linear, scaled_linear or cosine; by default the model's, of pixels linear");
  app.add_option("--beta-start", options.beta_start,
                 "First beta of linear (0.0001) or scaled_linear (0.00085); by default the model's");
  app.add_option("--beta-end", options.beta_end, "Last beta, likewise (0.02 or 0.012)");
  app.add_option("--num-train-timesteps", options.num_train_timesteps,
                 "Timesteps of the whole process; by default the model's, of pixels 1000");
  app.add_option("-s,--seed", options.seed_text, "Of the noise, the same at all timesteps; by default a random one");
  app.add_option("-W,--width", options.width, "Resize the image; by default its own size");
  app.add_option("-H,--height", options.height, "Resize the image; by default its own size");
  app.add_option("--columns", options.columns, "Images in a row; by default all");
  app.add_option("--device", options.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--dtype", options.dtype, "Of a model: auto, float32, bfloat16 or float16")->capture_default_str();
  app.add_flag("--force", options.force, "Overwrite an existing file");
  app.add_flag("--quiet", options.quiet, "Print errors only");
}

void check(const CLI::App& app, const Options& options) {
  if (options.image.empty()) refuse("no image", "one, as in diffuse photo.png -o strip.png");
  if (options.output.empty()) refuse("no output", "one, as in -o strip.png");
  if (!is_writable_format(options.output))
    refuse("output '" + options.output + "'", "a name that ends in .png, .jpg, .jpeg or .webp");
  for (const auto& [option, value] : {std::pair{"--num-train-timesteps", options.num_train_timesteps},
                                      {"--width", options.width},
                                      {"--height", options.height},
                                      {"--columns", options.columns}})
    if (value.value_or(1) < 1) refuse(std::string(option) + " " + std::to_string(*value), "at least 1");
  if (options.model.empty() && app.get_option("--dtype")->count() > 0) refuse("--dtype without -m", "both");
  check_writable(options.output, options.force);
}

/// Fills in the options that the command line leaves open.
void settle(Options& options) {
  const bool random = options.seed_text.empty() || options.seed_text.starts_with('-');
  options.seed = random ? std::random_device()() : parse_seed(options.seed_text);
  options.output = single_output_name(options.output, options.seed).string();
}

std::optional<Options> parse_options(int argc, char** argv) {
  Options options;
  CLI::App app("Shows the forward process of diffusion: an image at growing noise, as a strip.", "diffuse");
  add_options(app, options);
  if (!parse_command_line(app, argc, argv)) return std::nullopt;
  settle(options);
  check(app, options);
  return options;
}

/// Returns the betas of --beta-schedule alone, or those of `own` with the changes of the options.
ScheduleConfig schedule_config(const Options& options, const ScheduleConfig& own) {
  auto config = own;
  const auto& name = options.beta_schedule;
  if (!name.empty()) {
    if (name != "linear" && name != "scaled_linear" && name != "cosine")
      refuse("--beta-schedule '" + name + "'", "linear, scaled_linear or cosine");
    config.beta_schedule = name == "cosine" ? "squaredcos_cap_v2" : name;
    config.trained_betas.reset();
    config.beta_start = name == "scaled_linear" ? 0.00085 : 0.0001;
    config.beta_end = name == "scaled_linear" ? 0.012 : 0.02;
  }
  if ((options.beta_start || options.beta_end) && (config.beta_schedule == "squaredcos_cap_v2" || config.trained_betas))
    refuse("--beta-start or --beta-end", "none with a cosine schedule or one that lists its betas");
  if (options.num_train_timesteps && config.trained_betas)
    refuse("--num-train-timesteps", "none with a schedule that lists its betas");
  config.beta_start = options.beta_start.value_or(config.beta_start);
  config.beta_end = options.beta_end.value_or(config.beta_end);
  config.num_train_timesteps = options.num_train_timesteps.value_or(config.num_train_timesteps);
  return config;
}

Forward forward_of(const Options& options, const Placement& placement) {
  if (options.model.empty())
    return {.first_stage = FirstStage(3, placement.device),
            .schedule = Schedule(schedule_config(options, ScheduleConfig()))};
  auto forward = load_forward(find_model(options.model, model_roots(SFUMATO_SOURCE_DIR)), placement,
                              shipped_folders("tokenizer", SFUMATO_SOURCE_DIR));
  forward.schedule = Schedule(schedule_config(options, forward.schedule.config()));
  return forward;
}

torch::Tensor image_of(const Options& options, std::int64_t factor) {
  const auto image = read_image(options.image);
  const auto side = [&](const std::optional<std::int64_t>& given, std::int64_t own) {
    const auto pixels = given.value_or(own);
    if (given && pixels % factor != 0)
      refuse("size " + std::to_string(pixels), "a multiple of " + std::to_string(factor) + " with this model");
    return std::max(pixels / factor * factor, factor);
  };
  const auto height = side(options.height, image.size(2)), width = side(options.width, image.size(3));
  if (std::max(height, width) > kLongestSide)
    refuse("size " + std::to_string(width) + "x" + std::to_string(height),
           "at most " + std::to_string(kLongestSide) + " a side; --width and --height resize the image");
  if (!options.quiet && ((!options.height && height != image.size(2)) || (!options.width && width != image.size(3))))
    std::cerr << "diffuse: warning: the image's size " << image.size(3) << "x" << image.size(2) << " is rounded to "
              << width << "x" << height << ": the model takes multiples of " << factor << '\n';
  return resize_lanczos(image, height, width);
}

std::vector<std::int64_t> timesteps_of(const Options& options, const Schedule& schedule) {
  auto timesteps = parse_counts("--timesteps", options.timesteps.empty() ? kTimesteps : options.timesteps);
  const auto last = schedule.num_train_timesteps() - 1;
  if (options.timesteps.empty())
    for (auto& t : timesteps) t = t * schedule.num_train_timesteps() / kTimestepsOf;
  for (const auto t : timesteps)
    if (t < 0 || t > last)
      refuse("--timesteps has " + std::to_string(t), "0 to " + std::to_string(last) + " with this schedule");
  return timesteps;
}

Run prepare_run(const Options& options) {
  auto forward = forward_of(options, parse_placement(options.device, options.dtype));
  auto timesteps = timesteps_of(options, forward.schedule);
  auto image = image_of(options, forward.first_stage.downscale_factor());
  return {
      .options = options, .forward = std::move(forward), .timesteps = std::move(timesteps), .image = std::move(image)};
}

TextChunks texts_of(const Run& run) {
  const auto& config = run.forward.schedule.config();
  nlohmann::ordered_json json = {{"image", run.options.image},
                                 {"model", run.options.model},
                                 {"seed", run.options.seed},
                                 {"timesteps", run.timesteps},
                                 {"num_train_timesteps", config.num_train_timesteps},
                                 {"beta_schedule", config.beta_schedule}};
  if (config.beta_schedule != "squaredcos_cap_v2")
    json.update({{"beta_start", config.beta_start}, {"beta_end", config.beta_end}});
  return program_text_chunks("diffuse", json);
}

int write_strip(const Run& run) {
  NoiseSource noise({run.options.seed});
  const auto images = diffuse(run.forward, run.image, run.timesteps, noise);
  const auto columns = run.options.columns.value_or(images.size(0));
  write_image(run.options.output, image_grid(images.clamp(-1, 1), columns), texts_of(run));
  if (!run.options.quiet) std::cout << run.options.output << "  seed " << run.options.seed << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("diffuse", [&]() -> Compute {
    const auto options = parse_options(argc, argv);
    if (!options) return {};
    return [run = prepare_run(*options)] { return write_strip(run); };
  });
}
