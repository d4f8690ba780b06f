#include "generate/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <random>
#include <stdexcept>

#include "command_line/command_line.h"
#include "diffusion/samplers.h"
#include "diffusion/sigma_schedules.h"
#include "engine/outputs.h"
#include "generate/checks.h"
#include "generate/from_image.h"
#include "generate/idle_options.h"
#include "generate/lora_tags.h"
#include "generate/model_options.h"
#include "generate/other_names.h"
#include "generate/prompts_file.h"
#include "generate/request_options.h"
#include "generate/wildcards.h"

namespace sfumato {
namespace {

/// The parsed command line, before prompts and seeds are settled.
struct Arguments {
  GenerateOptions options;
  RequestArguments asked;
  AdditionArguments adapters;
  std::string prompts_file;
  std::string wildcards = "wildcards";
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

void add_run_options(CLI::App& app, Arguments& arguments, const GenerateProgram& program) {
  auto& options = arguments.options;
  app.add_option("-o,--output", options.output,
                 "PNG, JPEG or WebP to write; {seed} and {index} are replaced. By default a free name in out/");
  app.add_option("--quality", options.quality, "Of a JPEG or WebP, 1 to 100")->capture_default_str();
  app.add_option("--wildcards", arguments.wildcards,
                 "Where __NAME__ in a prompt finds NAME.txt, of which it takes a line by the seed, as of {a|b}")
      ->capture_default_str();
  app.add_option("--prompts-file", arguments.prompts_file, "A prompt a line; - reads standard input");
  app.add_option("--from-image", arguments.from_image,
                 "Make a picture again from the request in its file, also of other programs");
  app.add_option("--batch-size", options.batch_size, "Pictures of a prompt that go through the model at once")
      ->capture_default_str();
  app.add_option("--preview-every", options.preview_every,
                 "Write a rough NAME.preview.png after so many steps each, removed at the end. 0: none")
      ->capture_default_str();
  app.add_option(
      "--preview-vae", options.preview_vae,
      "Decode the previews with this VAE, as TAESD's folder or file, in place of a linear map of the latents");
  if (!program.takes_mask) {
    app.add_option("--animate", options.animation,
                   "Also write the reverse process, x_t and the estimate of x_0: a .gif, .webp or .mp4; {seed} is the "
                   "first seed");
    app.add_option("--frames", options.frames, "Frames of --animate, evenly over the process")->capture_default_str();
  }
  app.add_option("--save-latents", options.save_latents,
                 "safetensors file for the final latents, before decoding; {seed} is the first seed");
  app.add_option("--list", arguments.list, "Print the samplers or the schedules, one a line, and do nothing else");
  app.add_flag("--force", options.force, "Overwrite existing files");
  app.add_flag("--skip-existing", options.skip_existing, "Leave out pictures whose file exists already");
  app.add_flag("--json", options.json, "Print the result as JSON, also with --quiet");
  app.add_flag("--verbose", options.verbose, "Say what is loaded, and how long it takes");
  app.add_flag("--quiet", options.quiet, "No progress, no warnings and no line for each picture; errors only");
}

void add_all_options(CLI::App& app, Arguments& arguments, const GenerateProgram& program) {
  add_request_options(app, arguments.asked, program);
  add_model_options(app, arguments.options);
  add_run_options(app, arguments, program);
  add_adapter_options(app, arguments.adapters);
}

/// Returns one request for each prompt, with consecutive seeds.
std::vector<Request> spread(const Request& first, const std::vector<std::string>& prompts) {
  std::vector<Request> requests;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    requests.push_back(part_of_batch(first, static_cast<std::int64_t>(i) * first.batch_count, first.batch_count));
    requests.back().prompt = prompts[i];
  }
  return requests;
}

/// Returns the seed of the command line, or a random one for an empty text or a negative number such as -1.
std::uint64_t settled_seed(const std::string& text) {
  const bool negative =
      text.size() > 1 && text[0] == '-' && text.find_first_not_of("0123456789", 1) == std::string::npos;
  return text.empty() || negative ? std::random_device()() : parse_seed(text);
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
}

/// Returns requests with their final prompts. Those of a record are final already.
std::vector<Request> settled_requests(const Arguments& arguments, bool from_record) {
  const auto& first = arguments.asked.request;
  const auto& file = arguments.prompts_file;
  auto requests = spread(first, file.empty() ? std::vector{first.prompt} : read_prompts(file));
  check_prompts(requests, file);
  if (from_record) return requests;
  requests = with_choices(requests, arguments.wildcards);
  check_prompts(requests, arguments.wildcards);
  return requests;
}

}  // namespace

std::set<std::string> generate_option_names(const GenerateProgram& program) {
  Arguments arguments;
  CLI::App app;
  add_all_options(app, arguments, program);
  std::set<std::string> names;
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) names.insert("--" + name);
    for (const auto& name : option->get_snames()) names.insert("-" + name);
  }
  return names;
}

std::optional<GenerateOptions> parse_options(const GenerateProgram& program, int argc, char** argv) {
  Arguments arguments;
  auto& request = arguments.asked.request;
  request.strength = program.strength;
  CLI::App app(program.description, program.name);
  add_all_options(app, arguments, program);
  if (!parse_command_line(app, argc, argv, other_names())) return std::nullopt;
  if (!arguments.list.empty()) {
    print_list(arguments.list);
    return std::nullopt;
  }
  if (!arguments.from_image.empty()) {
    start_from_image(program, arguments.from_image, arguments.options, arguments.asked);
    parse_command_line(app, argc, argv, other_names());  // overwrites only the options on the command line
  }
  check_presence(app, arguments, program);
  settle_adapters(arguments.options.adapters, arguments.adapters);
  set_controls(request, arguments.asked.control);
  request.seed = settled_seed(arguments.asked.seed);
  if (request.subseed_strength > 0) request.subseed = settled_seed(arguments.asked.subseed);
  for (auto* file : {&arguments.options.save_latents, &arguments.options.animation})
    *file = single_output_name(*file, request.seed).string();
  const bool prompted = app.get_option("--prompt")->count() > 0 || !arguments.prompts_file.empty();
  arguments.options.requests = settled_requests(arguments, !prompted);
  check_output_options(arguments.options, arguments.asked.seed.empty() || arguments.asked.seed.starts_with('-'));
  take_lora_tags(arguments.options, arguments.adapters.lora_dir);
  refuse_idle_options(app, arguments.options);
  if (arguments.adapters.lora_partial) {
    for (auto& lora : arguments.options.adapters.loras) lora.partial = true;
    for (auto& loras : arguments.options.prompt_loras)
      for (auto& lora : loras) lora.partial = true;
  }
  check_recorded_paths(arguments.options);
  return arguments.options;
}

}  // namespace sfumato
