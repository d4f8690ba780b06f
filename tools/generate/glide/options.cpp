#include "generate/glide/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <random>
#include <set>
#include <stdexcept>

#include "command_line/command_line.h"
#include "core/number_text.h"
#include "generate/other_names.h"
#include "generate/prompts_file.h"
#include "systems/glide/record.h"
#include "tokenizer/utf8.h"

namespace sfumato {
namespace {

/// Texts that are converted to numbers after the whole command line is parsed.
struct GLIDETexts {
  std::string seed, prompts_file, from_image;
  double eta = -1, upsample_eta = -1;
  bool no_upsample = false;
};

void add_stage_options(CLI::App& app, GLIDEStageRequest& stage, double& eta, const std::string& prefix,
                       const std::string& respacing) {
  const auto name = [&](const char* option) { return "--" + prefix + option; };
  app.add_option(name("steps"), stage.chain.steps, "Steps from noise to image, evenly over the model's timesteps");
  app.add_option(
      name("respacing"), stage.chain.respacing,
      "In place of steps: counts of timesteps kept of equal sections, ddimN or fast27; by default " + respacing);
  app.add_option(name("sampler"), stage.chain.sampler, "How to integrate, by default what the model's folder says");
  app.add_option(name("eta"), eta, "Of ddim: 0 is deterministic (default), 1 as random as ddpm");
  app.add_option(name("cfg-scale"), stage.guidance_scale, "How closely to follow the prompt; 1 is without guidance")
      ->capture_default_str();
}

void add_prompt_options(CLI::App& app, GLIDEOptions& options, GLIDETexts& texts) {
  auto& request = options.request;
  app.add_option("-p,--prompt,prompt", request.prompt, "Contents of the image");
  app.add_option("--prompts-file", texts.prompts_file, "A prompt a line; - reads standard input");
  app.add_option("-n,--negative-prompt", request.negative_prompt,
                 "Contents to lead away from; by default the empty caption");
  app.add_option("-m,--model", options.model, "Folder of a GLIDEPipeline, or its name under models/");
  app.add_option("-b,--batch-count", request.batch_count, "Images of the prompt; their seeds count up")
      ->capture_default_str();
  app.add_option("-s,--seed", texts.seed, "Of the first image; by default, and where it is negative, a random one");
}

void add_clip_options(CLI::App& app, GLIDERequest& request) {
  app.add_option("--clip-guidance", request.clip_scale,
                 "Guide the base model by the gradient of CLIP's similarity to the prompt, with this scale");
  app.add_option("--clip-model", request.clip_model,
                 "Folder of the CLIPModel for it, or its name under models/; a noised one reads x_t, any other the "
                 "decoded estimate of x_0");
}

void add_upsampler_options(CLI::App& app, GLIDEOptions& options, GLIDETexts& texts) {
  add_stage_options(app, options.request.upsample, texts.upsample_eta, "upsample-", "fast27");
  app.add_option("--upsample-temp", options.request.upsample_temp,
                 "Standard deviation of its first noise: sharper at 1, at times with grains")
      ->capture_default_str();
  app.add_flag("--no-upsample", texts.no_upsample, "Write the base model's images alone");
  app.add_option("--base-output", options.base_output, "Also write the base model's images; named as --output's");
}

void add_inpaint_options(CLI::App& app, GLIDEOptions& options) {
  app.add_option("-i,--image", options.image, "The image of which a part is made anew, at the model's size");
  app.add_option("--mask", options.mask, "An image of the same size that is white where the other is made anew");
  app.add_flag("--invert-mask,!--no-invert-mask", options.invert_mask, "Make the black part anew instead");
}

void add_glide_run_options(CLI::App& app, GLIDEOptions& options, GLIDETexts& texts) {
  app.add_option("-o,--output", options.output,
                 "PNG, JPEG or WebP to write; {seed} and {index} are replaced. By default a free name in out/");
  app.add_option("--from-image", texts.from_image, "Make an image of GLIDE again from the request in its file");
  app.add_option("--quality", options.quality, "Of a JPEG or WebP, 1 to 100")->capture_default_str();
  app.add_option("--batch-size", options.batch_size, "Images that go through the model at once")->capture_default_str();
  app.add_option("--device", options.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--dtype", options.dtype, "auto, float32, bfloat16 or float16")->capture_default_str();
  app.add_flag("--tf32,!--no-tf32", options.tf32, "With float32 on CUDA: round factors to TF32, which is faster");
  app.add_flag("--force", options.force, "Overwrite existing files");
  app.add_flag("--json", options.json, "Print the result as JSON");
  app.add_flag("--quiet", options.quiet, "No progress and no result, errors only");
}

/// Returns the names of the options on a command line, without the values of --name=value.
std::set<std::string> named_options(int argc, char** argv) {
  std::set<std::string> names;
  for (int i = 1; i < argc && std::string(argv[i]) != "--"; ++i)
    if (const std::string word = argv[i]; word.size() > 1 && word[0] == '-')
      names.insert(word.substr(0, word.find('=')));
  return names;
}

/// Refuses options that the program has with Stable Diffusion's models only. They have no effect here and must not be
/// reported as misspellings.
void refuse_other_systems(const CLI::App& app, const GenerateProgram& program, int argc, char** argv) {
  const auto others = generate_option_names(program);
  for (const auto& name : named_options(argc, argv))
    if (others.contains(name) && app.get_option_no_throw(name) == nullptr)
      throw std::invalid_argument("option '" + name + "': not available with a model of GLIDE; see " + program.name +
                                  " -m MODEL --help");
}

[[noreturn]] void refuse_glide(const std::string& what, const std::string& expected) {
  throw std::invalid_argument(what + ": expected " + expected);
}

void check_stage(const CLI::App& app, const std::string& prefix) {
  const auto given = [&](const char* option) { return app.get_option("--" + prefix + option)->count() > 0; };
  if (given("steps") && given("respacing"))
    refuse_glide("--" + prefix + "steps and --" + prefix + "respacing", "one of them");
  if (given("steps") && app.get_option("--" + prefix + "steps")->as<std::int64_t>() < 1)
    refuse_glide("--" + prefix + "steps " + app.get_option("--" + prefix + "steps")->as<std::string>(), "1 or more");
}

/// Sets the options from the record of an image.
void start_from_glide_image(const GenerateProgram& program, GLIDEOptions& options, GLIDETexts& texts) {
  const auto [record, request] = read_glide_record(texts.from_image);
  if (record.program != program.name)
    throw std::invalid_argument("'" + texts.from_image + "' was made by " + record.program +
                                ": make it again with that program");
  options.request = request;
  options.model = record.model;
  options.image = record.image;
  options.mask = record.mask;
  options.invert_mask = record.invert_mask;
  // The recorded device may be missing here; identical pixels are then impossible, and the closest result will do.
  options.device = record.device == "cpu" ? record.device : "auto";
  options.dtype = record.dtype;
  options.tf32 = record.tf32;
  texts.seed = std::to_string(request.seed);
}

/// Removes recorded values of a stage that an option of the command line replaces under another name.
void drop_replaced(const CLI::App& app, const std::string& prefix, GLIDEStageRequest& stage,
                   const std::string& recorded_sampler) {
  const auto given = [&](const char* option) { return app.get_option("--" + prefix + option)->count() > 0; };
  if (given("steps") && !given("respacing")) stage.chain.respacing.clear();
  if (given("respacing") && !given("steps")) stage.chain.steps = 0;
  if (given("sampler") && stage.chain.sampler != recorded_sampler) stage.chain.eta.reset();
}

void drop_replaced(const CLI::App& app, GLIDEOptions& options, const GLIDETexts& texts) {
  const auto recorded = read_glide_record(texts.from_image).request;
  drop_replaced(app, "", options.request.base, recorded.base.chain.sampler);
  drop_replaced(app, "upsample-", options.request.upsample, recorded.upsample.chain.sampler);
  options.clip_off = app.get_option("--clip-guidance")->count() > 0 && options.request.clip_scale == 0 &&
                     app.get_option("--clip-model")->count() == 0;
  if (options.clip_off) options.request.clip_model.clear();
}

/// Returns the first option of the upsampler on the command line; "" without one.
std::string upsampler_option(const CLI::App& app) {
  for (const auto* option : app.get_options())
    if (option->count() > 0 && (option->get_name().starts_with("--upsample-") || option->get_name() == "--base-output"))
      return option->get_name();
  return "";
}

void check_upsampling(const CLI::App& app, const GLIDEOptions& options, const GLIDETexts& texts) {
  if (!texts.no_upsample) return;
  if (!options.base_output.empty()) refuse_glide("--base-output with --no-upsample", "-o, which names those images");
  if (const auto name = upsampler_option(app); !name.empty()) refuse_glide(name + " with --no-upsample", "one of them");
}

/// Returns the prompts of the command line or of its file.
std::vector<std::string> prompts_of(const CLI::App& app, const GenerateProgram& program, const GLIDETexts& texts,
                                    const std::string& prompt) {
  const bool prompted = app.get_option("--prompt")->count() > 0, listed = !texts.prompts_file.empty();
  if (prompted && listed) refuse_glide("a prompt and --prompts-file", "one of them");
  if (!prompted && !listed && texts.from_image.empty())
    refuse_glide("no prompt", "one, as in " + program.name + " -m MODEL \"a cat on a sofa\"");
  auto prompts = listed ? read_prompts(texts.prompts_file) : std::vector{prompt};
  for (const auto& text : prompts) require_utf8(text);
  return prompts;
}

void check_glide_options(const CLI::App& app, const GenerateProgram& program, const GLIDEOptions& options) {
  for (const auto& text :
       {options.request.negative_prompt, options.request.clip_model, options.model, options.image, options.mask})
    require_utf8(text);
  if (program.takes_image && options.image.empty()) refuse_glide("no image", "one, as in -i photo.png");
  if (program.takes_mask && options.mask.empty()) refuse_glide("no mask", "one, as in --mask mask.png");
  if (options.batch_size < 1) refuse_glide("--batch-size " + std::to_string(options.batch_size), "1 or more");
  if (options.quality < 1 || options.quality > 100)
    refuse_glide("--quality " + std::to_string(options.quality), "1 to 100");
  if (app.get_option("--quality")->count() > 0 && !has_quality(options.output))
    refuse_glide("--quality with output '" + options.output + "'", "a name that ends in .jpg, .jpeg or .webp");
  for (const auto* prefix : {"", "upsample-"}) check_stage(app, prefix);
  if (app.get_option("--clip-guidance")->count() > 0 && !(options.request.clip_scale > 0) && !options.clip_off)
    refuse_glide("--clip-guidance " + number_text(options.request.clip_scale), "more than 0");
  const bool guided = options.request.clip_scale > 0, named = !options.request.clip_model.empty();
  if (guided != named)
    refuse_glide(guided ? "--clip-guidance without --clip-model" : "--clip-model without --clip-guidance", "both");
}

}  // namespace

std::optional<GLIDEOptions> parse_glide_options(const GenerateProgram& program, int argc, char** argv) {
  GLIDEOptions options;
  GLIDETexts texts;
  auto& request = options.request;
  CLI::App app(program.description + " With a model of GLIDE: a base model, then its upsampler.", program.name);
  add_prompt_options(app, options, texts);
  add_stage_options(app, request.base, texts.eta, "", "100");
  add_clip_options(app, request);
  add_upsampler_options(app, options, texts);
  if (program.takes_mask) add_inpaint_options(app, options);
  add_glide_run_options(app, options, texts);
  refuse_other_systems(app, program, argc, argv);
  if (!parse_command_line(app, argc, argv, other_names())) return std::nullopt;
  if (!texts.from_image.empty()) {
    start_from_glide_image(program, options, texts);
    parse_command_line(app, argc, argv, other_names());  // overwrites only the options on the command line
    drop_replaced(app, options, texts);
  }
  options.prompts = prompts_of(app, program, texts, request.prompt);
  request.prompt = options.prompts.front();
  check_glide_options(app, program, options);
  check_upsampling(app, options, texts);
  if (app.get_option("--eta")->count() > 0) request.base.chain.eta = texts.eta;
  if (app.get_option("--upsample-eta")->count() > 0) request.upsample.chain.eta = texts.upsample_eta;
  options.names_upsampler = !upsampler_option(app).empty();
  request.upsamples = !texts.no_upsample && (texts.from_image.empty() || request.upsamples || options.names_upsampler);
  request.seed = texts.seed.empty() || texts.seed.starts_with('-') ? std::random_device()() : parse_seed(texts.seed);
  return options;
}

}  // namespace sfumato
