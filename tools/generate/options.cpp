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
#include "pipelines/find_model.h"
#include "pipelines/metadata.h"

namespace sfumato {
namespace {

/// The command line as it stands, before prompts and seeds are settled.
struct Arguments {
  GenerateOptions options;
  Request request;
  std::string seed;
  std::string prompts_file;
  std::string from_image;
  std::string list;
};

/// The names in a table of samplers or schedules, after what is said of them.
template <class Table>
std::string help_of(std::string text, const Table& table) {
  for (const auto& row : table) text += (text.ends_with(": ") ? "" : ", ") + row.name;
  return text;
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

void add_request_options(CLI::App& app, Arguments& arguments, bool takes_image) {
  auto& request = arguments.request;
  // Two prompts are a mistake (forgotten quotes); of any other option given twice the last counts.
  app.add_option("-p,--prompt,prompt", request.prompt, "What the picture shows");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("-n,--negative-prompt", request.negative_prompt, "What it shall not show");
  app.add_option("-W,--width", request.width, "Pixels; by default the model's own");
  app.add_option("-H,--height", request.height, "Pixels; by default the model's own");
  app.add_option("-b,--batch-count", request.batch_count, "Pictures of each prompt; their seeds count up")
      ->capture_default_str();
  app.add_option("--steps", request.steps, "Steps from noise to picture")->capture_default_str();
  app.add_option("--cfg-scale", request.guidance_scale, "How closely to follow the prompt; 1 is without guidance")
      ->capture_default_str();
  app.add_option("--guidance-rescale", request.guidance_rescale, "Against overexposure by guidance, 0 to 1")
      ->capture_default_str();
  app.add_option("--sampler", request.sampler,
                 help_of("How to integrate, by default what the model's folder says: ", samplers()));
  app.add_option("--schedule", request.schedule,
                 help_of("How its noise levels lie, by default as the model's folder says: ", sigma_schedules()));
  app.add_option("--eta", request.eta, "DDIM's noise, 0 (none) to 1 (as DDPM)")->capture_default_str();
  app.add_option("-s,--seed", arguments.seed, "Of the first picture; by default a random one");
  if (!takes_image) return;
  app.add_option("-i,--image", request.image, "The picture to start from");
  app.add_option("--strength", request.strength, "How much of it to make anew, 0 to 1")->capture_default_str();
}

void add_program_options(CLI::App& app, Arguments& arguments) {
  auto& options = arguments.options;
  app.add_option("-o,--output", options.output,
                 "PNG to write; {seed} and {index} are replaced. By default a free name in out/");
  app.add_option(
      "-m,--model", options.model,
      std::string("A diffusers folder, a safetensors file in the original layout (Stable Diffusion 1 and 2), or the "
                  "name of a folder under models/ (") +
          kDefaultModel + ")");
  app.add_option("--device", options.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--dtype", options.dtype, "auto, float32, bfloat16 or float16")->capture_default_str();
  app.add_option("--prompts-file", arguments.prompts_file, "A prompt a line; - reads standard input");
  app.add_option("--from-image", arguments.from_image, "Make a picture again from the request in its PNG file");
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

/// The request of --from-image becomes what the command line's flags change.
void start_from_record(CLI::App& app, Arguments& arguments, bool takes_image) {
  const auto record = read_record(arguments.from_image);
  if (record.request.image.empty() == takes_image)
    throw std::invalid_argument("'" + arguments.from_image + "' was made by " + (takes_image ? "txt2img" : "img2img") +
                                ": make it again with that program");
  arguments.request = record.request;
  arguments.seed = std::to_string(record.request.seed);
  auto& options = arguments.options;
  options.model = record.model;
  options.dtype = record.dtype;
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

void check_presence(const CLI::App& app, const Arguments& arguments, bool takes_image) {
  const bool rerun = !arguments.from_image.empty();
  const bool prompted = app.get_option("--prompt")->count() > 0;
  if (prompted && !arguments.prompts_file.empty())
    throw std::invalid_argument("a prompt and --prompts-file: expected one of them");
  if (!prompted && arguments.prompts_file.empty() && !rerun)
    throw std::invalid_argument("no prompt: expected one, as in " + app.get_name() + " \"a cat on a sofa\"");
  if (takes_image && arguments.request.image.empty())
    throw std::invalid_argument("no initial image: expected one, as in -i photo.png");
}

}  // namespace

std::optional<GenerateOptions> parse_options(const GenerateProgram& program, int argc, char** argv) {
  Arguments arguments;
  CLI::App app(program.description, program.name);
  add_request_options(app, arguments, program.takes_image);
  add_program_options(app, arguments);
  if (!parse(app, argc, argv)) return std::nullopt;
  if (!arguments.list.empty()) {
    print_list(arguments.list);
    return std::nullopt;
  }
  if (!arguments.from_image.empty()) {
    start_from_record(app, arguments, program.takes_image);
    parse(app, argc, argv);
  }
  check_presence(app, arguments, program.takes_image);
  arguments.request.seed = arguments.seed.empty() ? std::random_device()() : parse_seed(arguments.seed);
  std::vector<std::string> prompts = {arguments.request.prompt};
  if (!arguments.prompts_file.empty()) prompts = read_prompts(arguments.prompts_file);
  arguments.options.requests = spread(arguments.request, prompts);
  return arguments.options;
}

}  // namespace sfumato
