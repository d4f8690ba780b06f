#include "generate/run.h"

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <set>
#include <stdexcept>

#include "checkpoints/safetensors.h"
#include "command_line/program.h"
#include "core/error_text.h"
#include "core/interrupt.h"
#include "core/memory_pool.h"
#include "core/progress.h"
#include "engine/plan.h"
#include "engine/record_size.h"
#include "engine/session.h"
#include "generate/animation.h"
#include "generate/previews.h"
#include "images/write.h"
#include "kernels/cuda_library.h"

namespace sfumato {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kAutomatic = Progress::Style::kAutomatic;

/// A written image.
struct Written {
  std::filesystem::path path;
  ImageRecord record;
  torch::Tensor latents;  ///< [1, C, h, w]
  double seconds = 0;     ///< its share of the batch's time
};

/// Prints each warning once; nothing in a quiet run.
class Warnings {
 public:
  Warnings(std::string program, bool quiet) : program_(std::move(program)), quiet_(quiet) {}

  void print(const std::vector<std::string>& warnings) {
    for (const auto& warning : warnings)
      if (!quiet_ && printed_.insert(warning).second) std::cerr << program_ << ": warning: " << warning << '\n';
  }

 private:
  std::string program_;
  bool quiet_;
  std::set<std::string> printed_;
};

/// Everything that a run needs, checked before any computation.
struct Run {
  GenerateOptions options;
  std::vector<PlannedBatch> batches;
  Pipeline pipeline;
  Session session;
  Warnings warnings;
  PlacedVae preview_vae = {};  ///< empty without --preview-vae
};

std::vector<PlannedBatch> plan(const GenerateOptions& options) {
  std::vector<AdaptedRequest> requests;
  for (std::size_t i = 0; i < options.requests.size(); ++i) {
    auto adapters = options.adapters;
    const auto& tags = options.prompt_loras[i];
    adapters.loras.insert(adapters.loras.end(), tags.begin(), tags.end());
    requests.push_back({options.requests[i], std::move(adapters)});
  }
  return plan_batches(requests,
                      {.pattern = options.output,
                       .batch_size = options.batch_size,
                       .overwrite = options.force,
                       .skip_existing = options.skip_existing,
                       .previews = options.preview_every > 0,
                       .other_files = {{"--save-latents", options.save_latents}, {"--animate", options.animation}}});
}

std::optional<Run> prepared(const GenerateProgram& program, const Prepare& prepare, int argc, char** argv) {
  const auto options = parse_options(program, argc, argv);
  if (!options) return std::nullopt;
  Warnings warnings(program.name, options->quiet);
  warnings.print(options->warnings);
  const auto batches = plan(*options);
  if (batches.empty()) {
    if (!options->quiet) std::cerr << program.name << ": all pictures exist already\n";
    return std::nullopt;
  }
  check_records_fit(options->model, batches);
  const auto pipeline = prepare(*options);
  const auto start = Clock::now();
  Run run{*options, batches, pipeline, Session(options->model, batches, SFUMATO_SOURCE_DIR), std::move(warnings)};
  const auto& model = run.session.model();
  if (!options->quiet)
    for (const auto& note : model.notes) std::cerr << program.name << ": note: " << note << '\n';
  run.warnings.print(run.session.take_warnings());
  if (!options->preview_vae.empty()) run.preview_vae = load_preview_vae(options->preview_vae, model);
  if (options->verbose)
    std::cerr << "model " << run.session.path().string() << " on " << model.placement.device.str() << " in "
              << dtype_name(model.placement.dtype) << ", loaded in "
              << std::chrono::duration<double>(Clock::now() - start).count() << " s\n";
  if (options->verbose && model.replayed_unet)
    std::cerr << cuda_kernels().note << '\n' << model.replayed_unet->note() << '\n';
  return run;
}

/// Writes the k-th image of a batch.
Written write(const Run& run, const PlannedBatch& batch, const Generated& generated, std::int64_t k) {
  Written written{.path = batch.outputs[static_cast<std::size_t>(k)],
                  .record = run.session.record(part_of_batch(generated.request, k, 1)),
                  .latents = generated.latents.slice(0, k, k + 1).cpu()};
  write_image(written.path, generated.images[k], to_text_chunks(written.record), static_cast<int>(run.options.quality));
  return written;
}

/// Generates and writes the images; returns nothing after Ctrl-C.
std::optional<std::vector<Written>> make(Run& run, const PlannedBatch& batch, Previews& previews,
                                         Animation& animation) {
  const auto start = Clock::now();
  std::optional<Progress> progress;
  const OnStep on_step = [&](int step, int steps, const torch::Tensor&) {
    if (!progress) progress.emplace("denoising", steps, run.options.quiet ? Progress::Style::kQuiet : kAutomatic);
    progress->update(step + 1);
    previews.step_made(step, batch.outputs);
    return !interrupted();
  };
  const auto generated = run.session.generate(run.pipeline, batch, on_step);
  if (!generated.images.defined() || interrupted()) return std::nullopt;
  std::vector<Written> images;
  const auto count = batch.request.batch_count;
  for (std::int64_t k = 0; k < count; ++k) images.push_back(write(run, batch, generated, k));
  previews.remove();
  progress.reset();
  animation.end_batch(generated.images, run.session.attachments().vae_tiling);
  const auto seconds = std::chrono::duration<double>(Clock::now() - start).count();
  for (auto& image : images) image.seconds = seconds / static_cast<double>(count);
  return images;
}

void print_line(const Written& image) {
  std::cout << image.path.string() << "  seed " << image.record.request.seed << "  " << std::fixed
            << std::setprecision(2) << image.seconds << " s" << std::endl;
}

void print_json(const std::vector<Written>& images) {
  nlohmann::ordered_json entries = nlohmann::ordered_json::array();
  for (const auto& image : images) {
    entries.push_back({{"path", image.path.string()},
                       {"seed", image.record.request.seed},
                       {"seconds", image.seconds},
                       {"request", to_json(image.record.request)}});
    entries.back().update(to_json(image.record.adapters));
  }
  const auto& model = images.front().record.model;
  const nlohmann::ordered_json result = {
      {"images", entries}, {"model", model.name}, {"device", model.device}, {"dtype", model.dtype}};
  std::cout << result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << std::endl;
}

void save_latents(const std::filesystem::path& path, const std::vector<Written>& images) {
  std::vector<torch::Tensor> latents;
  for (const auto& image : images) latents.push_back(image.latents);
  write_safetensors(path, {{"latents", torch::cat(latents)}});  // [N, C, h, w]
}

int compute(Run& run) {
  watch_interrupts();
  Previews previews(run.session.model(), run.options.preview_every, run.preview_vae);
  Animation animation(run.session.model(), run.options);
  if (run.options.preview_every > 0 || animation.is_on())
    run.session.watch_estimates([&](const torch::Tensor& x, const torch::Tensor& x0) {
      previews.evaluate(x0);
      animation.evaluate(x, x0);
    });
  std::vector<Written> images;
  for (const auto& batch : run.batches) {
    auto written = make(run, batch, previews, animation);
    if (!written) return interrupted_exit_code();
    run.warnings.print(run.session.take_warnings());
    for (auto& image : *written) {
      if (!run.options.quiet && !run.options.json) print_line(image);
      images.push_back(std::move(image));
    }
  }
  if (interrupted()) return interrupted_exit_code();
  animation.write();
  if (animation.is_on() && !run.options.quiet && !run.options.json) std::cout << run.options.animation << std::endl;
  if (!run.options.save_latents.empty()) save_latents(run.options.save_latents, images);
  if (run.options.json) print_json(images);
  if (!std::cout.flush()) throw std::runtime_error("cannot write to standard output");
  return 0;
}

/// Prints an error and returns the exit code: `code`, or that of a failure for lack of memory.
int complain(const GenerateProgram& program, const std::exception& error, int code) {
  const bool memory = is_out_of_memory(error);
  std::cerr << program.name << ": " << error_text(error)
            << (memory ? "; smaller pictures, --batch-size 1, --dtype bfloat16, --vae-tiling on or, on CUDA, "
                         "--offload take less"
                       : "")
            << '\n';
  return memory ? kFailure : code;
}

/// Reports an error of LibTorch; with --verbose, also its place in LibTorch.
int complain_of_torch(const GenerateProgram& program, const c10::Error& error, int argc, char** argv) {
  const bool verbose =
      std::any_of(argv, argv + argc, [](const char* word) { return std::string(word) == "--verbose"; });
  complain(program, error, kFailure);
  if (verbose) std::cerr << error.what() << '\n';
  return kFailure;
}

}  // namespace

int run_generate(const GenerateProgram& program, const Prepare& prepare, int argc, char** argv) {
  int code = kMistake;
  pool_cpu_memory();
  try {
    auto run = prepared(program, prepare, argc, argv);
    if (!run) return 0;
    code = kFailure;
    return compute(*run);
  } catch (const c10::Error& error) {
    return complain_of_torch(program, error, argc, argv);
  } catch (const std::invalid_argument& error) {
    return complain(program, error, kMistake);
  } catch (const std::exception& error) {
    return complain(program, error, code);
  }
}

}  // namespace sfumato
