#include "generate/run.h"

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <set>
#include <stdexcept>

#include "checkpoints/safetensors.h"
#include "core/interrupt.h"
#include "core/placement.h"
#include "core/progress.h"
#include "generate/outputs.h"
#include "images/png.h"
#include "pipelines/find_model.h"
#include "pipelines/metadata.h"

namespace sfumato {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kAutomatic = Progress::Style::kAutomatic;
constexpr int kFailure = 1, kMistake = 2, kInterrupted = 130;

/// One picture to make.
struct Planned {
  Request request;
  std::filesystem::path output;
};

/// One that was made.
struct Made {
  std::filesystem::path path;
  Generated generated;
  double seconds = 0;
};

/// All that a run needs, checked, before anything is computed.
struct Run {
  GenerateOptions options;
  std::vector<Planned> pictures;
  StableDiffusion model;
  Pipeline pipeline;
};

/// Every picture by itself, so that a picture does not depend on what else is asked for, not even in its last bit.
std::vector<Planned> plan(const GenerateOptions& options) {
  std::vector<Planned> pictures;
  for (const auto& request : options.requests) {
    validate_batch_count(request);
    for (std::int64_t k = 0; k < request.batch_count; ++k) {
      auto single = request;
      single.batch_count = 1;
      single.seed += static_cast<std::uint64_t>(k);
      pictures.push_back({single, {}});
    }
  }
  const OutputNames names(options.output, pictures.size());
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    pictures[i].output = names.name(i, pictures[i].request.seed);
    check_writable(pictures[i].output, options.force);
  }
  if (!options.save_latents.empty()) check_writable(options.save_latents, options.force);
  return pictures;
}

/// Not part of the request: pictures are made in tiles where memory asks for it, not because of what they show.
void set_tiling(AutoencoderKLImpl& vae, const std::string& tiling) {
  constexpr std::int64_t kLargeSide = 768;
  if (tiling == "on") vae.enable_tiling({});
  if (tiling == "auto") vae.enable_tiling({.above_pixels = kLargeSide * kLargeSide});
}

std::optional<Run> prepared(const GenerateProgram& program, const Prepare& prepare, int argc, char** argv) {
  const auto options = parse_options(program, argc, argv);
  if (!options) return std::nullopt;
  const auto placement = parse_placement(options->device, options->dtype);
  auto pictures = plan(*options);
  const auto path = find_model(options->model, model_roots(SFUMATO_SOURCE_DIR));
  const auto tokenizers = shipped_folders("tokenizer", SFUMATO_SOURCE_DIR);
  const auto start = Clock::now();
  Run run{*options, std::move(pictures), load_stable_diffusion(path, placement, tokenizers), prepare(*options)};
  set_tiling(*run.model.vae, options->vae_tiling);
  for (const auto& picture : run.pictures) validate(picture.request, run.model.limits());
  if (options->verbose)
    std::cerr << "model " << path.string() << " on " << placement.device.str() << " in " << dtype_name(placement.dtype)
              << ", loaded in " << std::chrono::duration<double>(Clock::now() - start).count() << " s\n";
  return run;
}

PictureRecord record_of(const Run& run, const Request& request) {
  return {.request = request,
          .model = run.options.model.empty() ? kDefaultModel : run.options.model,
          .device = run.model.placement.device.str(),
          .dtype = dtype_name(run.model.placement.dtype)};
}

/// The picture, written; nothing where Ctrl-C ended it.
std::optional<Made> make(const Run& run, const Planned& picture) {
  const auto start = Clock::now();
  std::optional<Progress> progress;
  const OnStep on_step = [&](int step, int steps, const torch::Tensor&) {
    if (!progress) progress.emplace("denoising", steps, run.options.quiet ? Progress::Style::kQuiet : kAutomatic);
    progress->update(step + 1);
    return !interrupted();
  };
  auto generated = run.pipeline(run.model, picture.request, on_step);
  if (!generated.images.defined() || interrupted()) return std::nullopt;
  write_png(picture.output, generated.images, to_text_chunks(record_of(run, generated.request)));
  generated.images = torch::Tensor();
  return Made{picture.output, generated, std::chrono::duration<double>(Clock::now() - start).count()};
}

void print_line(const Made& made) {
  std::cout << made.path.string() << "  seed " << made.generated.request.seed << "  " << std::fixed
            << std::setprecision(2) << made.seconds << " s" << std::endl;
}

void print_json(const Run& run, const std::vector<Made>& pictures) {
  nlohmann::ordered_json images = nlohmann::ordered_json::array();
  for (const auto& made : pictures)
    images.push_back({{"path", made.path.string()},
                      {"seed", made.generated.request.seed},
                      {"seconds", made.seconds},
                      {"request", to_json(made.generated.request)}});
  const auto record = record_of(run, {});
  const nlohmann::ordered_json result = {
      {"images", images}, {"model", record.model}, {"device", record.device}, {"dtype", record.dtype}};
  std::cout << result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << std::endl;
}

void save_latents(const std::filesystem::path& path, const std::vector<Made>& pictures) {
  std::vector<torch::Tensor> latents;
  for (const auto& made : pictures) latents.push_back(made.generated.latents.cpu());
  write_safetensors(path, {{"latents", torch::cat(latents)}});  // [N, C, h, w]
}

int compute(const GenerateProgram& program, const Run& run) {
  watch_interrupts();
  std::vector<Made> pictures;
  std::set<std::string> warned;
  for (const auto& picture : run.pictures) {
    auto made = make(run, picture);
    if (!made) return kInterrupted;
    for (const auto& warning : made->generated.warnings)
      if (!run.options.quiet && warned.insert(warning).second)
        std::cerr << program.name << ": warning: " << warning << '\n';
    if (!run.options.quiet && !run.options.json) print_line(*made);
    pictures.push_back(std::move(*made));
  }
  if (!run.options.save_latents.empty()) save_latents(run.options.save_latents, pictures);
  if (run.options.json) print_json(run, pictures);
  if (!std::cout.flush()) throw std::runtime_error("cannot write to standard output");
  return 0;
}

int complain(const GenerateProgram& program, std::string message, int code) {
  message = message.substr(0, message.find_last_not_of(" \n") + 1);
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::cerr << program.name << ": " << message << '\n';
  return code;
}

}  // namespace

int run_generate(const GenerateProgram& program, const Prepare& prepare, int argc, char** argv) {
  int code = kMistake;
  try {
    const auto run = prepared(program, prepare, argc, argv);
    if (!run) return 0;
    code = kFailure;
    return compute(program, *run);
  } catch (const c10::Error& error) {
    return complain(program, error.what_without_backtrace(), kFailure);
  } catch (const std::bad_alloc&) {
    return complain(program, "out of memory", kFailure);
  } catch (const std::invalid_argument& error) {
    return complain(program, error.what(), kMistake);
  } catch (const std::exception& error) {
    return complain(program, error.what(), code);
  }
}

}  // namespace sfumato
