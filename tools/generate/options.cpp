#include "generate/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <random>
#include <sstream>
#include <stdexcept>

#include "core/files.h"
#include "diffusion/samplers.h"
#include "diffusion/sigma_schedules.h"
#include "generate/control_options.h"
#include "generate/lora_tags.h"
#include "pipelines/find_model.h"
#include "pipelines/metadata.h"
#include "pipelines/upscalers.h"

namespace sfumato {
namespace {

/// The command line as it stands, before prompts and seeds are settled.
struct Arguments {
  GenerateOptions options;
  Request request;
  ControlArguments control;
  std::string seed;
  std::string prompts_file;
  std::string from_image;
  std::vector<std::string> loras, embeddings;
  std::string lora_dir = "loras";
  std::string list;
};

/// The names in a table of samplers or schedules, after what is said of them.
template <class Table>
std::string help_of(std::string text, const Table& table) {
  for (const auto& row : table) text += (text.ends_with(": ") ? "" : ", ") + row.name;
  return text;
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
  app.add_option("--dynamic-threshold", request.dynamic_threshold,
                 "Cuts each prediction at this quantile of its values, as 0.995, for models of pixels; 0 does not")
      ->group(group);
  app.add_option("--dynamic-threshold-max", request.dynamic_threshold_max, "The largest range that this leaves")
      ->group(group);
}

template <class Table>
void print_table(const Table& table) {
  std::size_t width = 0;
  for (const auto& row : table) width = std::max(width, row.name.size());
  for (const auto& row : table)
    std::cout << row.name << std::string(width - row.name.size() + 2, ' ') << row.description << '\n';
}

void print_list(const std::string& what) {
  if (what == "samplers") return print_table(samplers());
  if (what == "schedules") return print_table(sigma_schedules());
  throw std::invalid_argument("--list '" + what + "': expected samplers or schedules");
}

void add_request_options(CLI::App& app, Arguments& arguments, const GenerateProgram& program) {
  auto& request = arguments.request;
  // Two prompts are a mistake (forgotten quotes); of any other option given twice the last counts.
  app.add_option("-p,--prompt,prompt", request.prompt, "What the picture shows");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("-n,--negative-prompt", request.negative_prompt, "What it shall not show");
  app.add_option("--prompt-syntax", request.prompt_syntax,
                 "a1111: (weights:1.2), BREAK, AND, [changes:by step:0.5], any length; plain: as diffusers reads "
                 "prompts (default: a1111 with CLIP, plain with T5)");
  app.add_option("-W,--width", request.width, "Pixels; by default the model's own");
  app.add_option("-H,--height", request.height, "Pixels; by default the model's own");
  app.add_option("-b,--batch-count", request.batch_count, "Pictures of each prompt; their seeds count up")
      ->capture_default_str();
  app.add_option("--steps", request.steps, "Steps from noise to picture")->capture_default_str();
  app.add_option("--cfg-scale", request.guidance_scale, "How closely to follow the prompt; 1 is without guidance")
      ->capture_default_str();
  app.add_option("--clip-skip", request.clip_skip, "CLIP's layer for the text: 1 the last, 2 the one before it, ...")
      ->capture_default_str();
  app.add_option("--sampler", request.sampler,
                 help_of("How to integrate, by default what the model's folder says: ", samplers()));
  app.add_option("--schedule", request.schedule,
                 help_of("How its noise levels lie, by default as the model's folder says: ", sigma_schedules()));
  app.add_option("--eta", request.eta, "DDIM's noise, 0 (none) to 1 (as DDPM)")->capture_default_str();
  add_guidance_options(app, request);
  add_size_conditions(app, request);
  add_control_options(app, arguments.control);
  app.add_option("-s,--seed", arguments.seed, "Of the first picture; by default a random one");
  app.add_option("--rng", request.rng,
                 "Whose random numbers a seed means: cpu, or cuda as other programs have on a GPU")
      ->capture_default_str();
  if (!program.takes_image) add_hires_options(app, request.hires);
  if (program.takes_image) add_image_options(app, request);
  if (program.takes_mask) add_mask_options(app, request.inpaint);
}

void add_additions(CLI::App& app, Arguments& arguments) {
  const auto all = CLI::MultiOptionPolicy::TakeAll;
  app.add_option("--lora", arguments.loras, "A LoRA file, FILE or FILE:WEIGHT (1); may be given several times")
      ->allow_extra_args(false)
      ->multi_option_policy(all);
  app.add_option("--lora-dir", arguments.lora_dir, "Where <lora:NAME:WEIGHT> in a prompt finds NAME.safetensors")
      ->capture_default_str();
  app.add_option("--embedding", arguments.embeddings,
                 "A textual inversion; its file's name is the word for it in prompts; may be given several times")
      ->allow_extra_args(false)
      ->multi_option_policy(all);
}

/// What the command line names takes the place of what a record named.
void settle_additions(Arguments& arguments) {
  auto& additions = arguments.options.additions;
  if (!arguments.loras.empty()) additions.loras.clear();
  for (const auto& text : arguments.loras) additions.loras.push_back(parse_lora(text));
  if (!arguments.embeddings.empty()) additions.embeddings = {arguments.embeddings.begin(), arguments.embeddings.end()};
}

void add_program_options(CLI::App& app, Arguments& arguments) {
  auto& options = arguments.options;
  app.add_option("-o,--output", options.output,
                 "PNG to write; {seed} and {index} are replaced. By default a free name in out/");
  app.add_option(
      "-m,--model", options.model,
      std::string(
          "A diffusers folder, a file (.safetensors, .ckpt) in the original layout (Stable Diffusion 1, 2, XL), or the "
          "name of a folder under models/ (") +
          kDefaultModel + ")");
  app.add_option("--vae", options.vae, "A VAE in place of the model's: a folder or a safetensors file");
  app.add_option("--device", options.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--dtype", options.dtype, "auto, float32, bfloat16 or float16")->capture_default_str();
  app.add_flag("--tf32,!--no-tf32", options.tf32, "With float32 on CUDA: round factors to TF32, which is faster");
  app.add_option("--vae-tiling", options.vae_tiling,
                 "Encode and decode in tiles of 512 pixels, with less memory: auto (above 1024x1024), on or off")
      ->check(CLI::IsMember({"auto", "on", "off"}))
      ->capture_default_str();
  app.add_option("--prompts-file", arguments.prompts_file, "A prompt a line; - reads standard input");
  app.add_option("--from-image", arguments.from_image, "Make a picture again from the request in its PNG file");
  app.add_option("--batch-size", options.batch_size, "Pictures of a prompt that go through the model at once")
      ->capture_default_str();
  app.add_option("--save-latents", options.save_latents, "safetensors file for the final latents, before decoding");
  app.add_option("--list", arguments.list, "Print the samplers or the schedules, one a line, and do nothing else");
  app.add_flag("--force", options.force, "Overwrite existing files");
  app.add_flag("--json", options.json, "Print the result as JSON");
  app.add_flag("--verbose", options.verbose, "Say what is loaded, and how long it takes");
  app.add_flag("--quiet", options.quiet, "No progress and no result, errors only");
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

/// Overwrites what the command line names, and nothing else. False where help was asked for.
bool parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) throw std::invalid_argument(first_line(error.what()));
    app.exit(error);
    return false;
  }
  return true;
}

/// The program that makes what a request asks for.
std::string program_for(const Request& request) {
  if (!request.inpaint.mask.empty()) return "inpaint";
  return request.image.empty() ? "txt2img" : "img2img";
}

/// The request of --from-image becomes what the command line's flags change.
void start_from_record(const GenerateProgram& program, Arguments& arguments) {
  const auto record = read_record(arguments.from_image);
  if (const auto maker = program_for(record.request); maker != program.name)
    throw std::invalid_argument("'" + arguments.from_image + "' was made by " + maker +
                                ": make it again with that program");
  arguments.request = record.request;
  arguments.seed = std::to_string(record.request.seed);
  auto& options = arguments.options;
  options.model = record.model;
  options.vae = record.vae;
  options.additions = record.additions;
  options.dtype = record.dtype;
  options.tf32 = record.tf32;
  // Its device may not be here; the same pixels then are not to be had, and the nearest will do.
  if (record.device == "cpu") options.device = record.device;
}

std::vector<std::string> read_prompts(const std::string& path) {
  std::stringstream text;
  if (path == "-")
    text << std::cin.rdbuf();
  else
    text << read_file(path);
  std::vector<std::string> prompts;
  for (std::string line; std::getline(text, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) prompts.push_back(line);
  }
  if (prompts.empty()) throw std::invalid_argument("prompts file '" + path + "' holds no prompt");
  return prompts;
}

/// One request a prompt, with seeds that run on.
std::vector<Request> spread(const Request& first, const std::vector<std::string>& prompts) {
  std::vector<Request> requests(prompts.size(), first);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    requests[i].prompt = prompts[i];
    requests[i].seed += i * static_cast<std::uint64_t>(std::max<std::int64_t>(first.batch_count, 0));
  }
  return requests;
}

void check_presence(const CLI::App& app, const Arguments& arguments, const GenerateProgram& program) {
  const bool rerun = !arguments.from_image.empty();
  const bool prompted = app.get_option("--prompt")->count() > 0;
  if (prompted && !arguments.prompts_file.empty())
    throw std::invalid_argument("a prompt and --prompts-file: expected one of them");
  if (!prompted && arguments.prompts_file.empty() && !rerun)
    throw std::invalid_argument("no prompt: expected one, as in " + app.get_name() + " \"a cat on a sofa\"");
  if (program.takes_image && arguments.request.image.empty())
    throw std::invalid_argument("no initial image: expected one, as in -i photo.png");
  if (program.takes_mask && arguments.request.inpaint.mask.empty())
    throw std::invalid_argument("no mask: expected one, as in --mask mask.png");
}

}  // namespace

std::optional<GenerateOptions> parse_options(const GenerateProgram& program, int argc, char** argv) {
  Arguments arguments;
  arguments.request.strength = program.strength;
  CLI::App app(program.description, program.name);
  add_request_options(app, arguments, program);
  add_program_options(app, arguments);
  add_additions(app, arguments);
  if (!parse(app, argc, argv)) return std::nullopt;
  if (!arguments.list.empty()) {
    print_list(arguments.list);
    return std::nullopt;
  }
  if (!arguments.from_image.empty()) {
    start_from_record(program, arguments);
    parse(app, argc, argv);
  }
  check_presence(app, arguments, program);
  settle_additions(arguments);
  set_controls(arguments.request, arguments.control);
  arguments.request.seed = arguments.seed.empty() ? std::random_device()() : parse_seed(arguments.seed);
  std::vector<std::string> prompts = {arguments.request.prompt};
  if (!arguments.prompts_file.empty()) prompts = read_prompts(arguments.prompts_file);
  arguments.options.requests = spread(arguments.request, prompts);
  take_lora_tags(arguments.options, arguments.lora_dir);
  return arguments.options;
}

}  // namespace sfumato
