#include "generate/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <random>
#include <sstream>
#include <stdexcept>

#include "command_line/command_line.h"
#include "core/files.h"
#include "diffusion/samplers.h"
#include "diffusion/sigma_schedules.h"
#include "generate/lora_tags.h"
#include "generate/model_options.h"
#include "generate/other_names.h"
#include "generate/request_options.h"
#include "pipelines/metadata.h"

namespace sfumato {
namespace {

/// The command line as it stands, before prompts and seeds are settled.
struct Arguments {
  GenerateOptions options;
  RequestArguments asked;
  AdditionArguments additions;
  std::string prompts_file;
  std::string from_image;
  std::string list;
};

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

void add_run_options(CLI::App& app, Arguments& arguments) {
  auto& options = arguments.options;
  app.add_option("-o,--output", options.output,
                 "PNG to write; {seed} and {index} are replaced. By default a free name in out/");
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
  arguments.asked.request = record.request;
  arguments.asked.seed = std::to_string(record.request.seed);
  auto& options = arguments.options;
  options.model = record.model;
  options.vae = record.vae;
  options.prediction = record.prediction;
  options.additions = record.additions;
  options.dtype = record.dtype;
  options.tf32 = record.tf32;
  options.vae_tiling = record.vae_tiling;
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
  if (program.takes_image && arguments.asked.request.image.empty())
    throw std::invalid_argument("no initial image: expected one, as in -i photo.png");
  if (program.takes_mask && arguments.asked.request.inpaint.mask.empty())
    throw std::invalid_argument("no mask: expected one, as in --mask mask.png");
  if (app.get_option("--refiner-at")->count() > 0 && !arguments.asked.request.refiner.is_on())
    throw std::invalid_argument("--refiner-at without --refiner: expected a model");
}

}  // namespace

std::optional<GenerateOptions> parse_options(const GenerateProgram& program, int argc, char** argv) {
  Arguments arguments;
  auto& request = arguments.asked.request;
  request.strength = program.strength;
  CLI::App app(program.description, program.name);
  add_request_options(app, arguments.asked, program);
  add_model_options(app, arguments.options);
  add_run_options(app, arguments);
  add_addition_options(app, arguments.additions);
  if (!parse_command_line(app, argc, argv, other_names())) return std::nullopt;
  if (!arguments.list.empty()) {
    print_list(arguments.list);
    return std::nullopt;
  }
  if (!arguments.from_image.empty()) {
    start_from_record(program, arguments);
    parse_command_line(app, argc, argv, other_names());  // overwrites what the command line names, and nothing else
  }
  check_presence(app, arguments, program);
  settle_additions(arguments.options.additions, arguments.additions);
  set_controls(request, arguments.asked.control);
  request.seed = arguments.asked.seed.empty() ? std::random_device()() : parse_seed(arguments.asked.seed);
  std::vector<std::string> prompts = {request.prompt};
  if (!arguments.prompts_file.empty()) prompts = read_prompts(arguments.prompts_file);
  arguments.options.requests = spread(request, prompts);
  take_lora_tags(arguments.options, arguments.additions.lora_dir);
  if (arguments.additions.lora_partial)
    for (auto& lora : arguments.options.additions.loras) lora.partial = true;
  return arguments.options;
}

}  // namespace sfumato
