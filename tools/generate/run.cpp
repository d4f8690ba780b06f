#include "generate/run.h"

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <set>
#include <stdexcept>

#include "checkpoints/safetensors.h"
#include "command_line/program.h"
#include "core/cuda.h"
#include "core/error_text.h"
#include "core/interrupt.h"
#include "core/memory_pool.h"
#include "core/processor.h"
#include "core/progress.h"
#include "engine/find_model.h"
#include "engine/metadata.h"
#include "engine/outputs.h"
#include "generate/animation.h"
#include "generate/previews.h"
#include "images/write.h"
#include "systems/stable_diffusion/job.h"
#include "systems/stable_diffusion/refiner.h"

namespace sfumato {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kAutomatic = Progress::Style::kAutomatic;

/// Images of one batch of the model, and the file of each.
struct Planned {
  Request request;
  Adapters adapters;
  std::vector<std::filesystem::path> outputs;
};

/// A finished image.
struct Made {
  std::filesystem::path path;
  Request request;
  Adapters adapters;
  torch::Tensor latents;  ///< [1, C, h, w]
  double seconds = 0;     ///< its share of the batch's time
};

/// The finished images of a batch.
struct Batch {
  std::vector<Made> images;
  std::vector<std::string> warnings;
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
  std::vector<Planned> batches;
  std::unique_ptr<StableDiffusion> model;
  Pipeline pipeline;
  Warnings warnings;
  Attachments attachments = {};
  PlacedVae preview_vae = {};             ///< empty without --preview-vae
  std::optional<LoraSlot> loras = {};     ///< empty after the last change of LoRAs
  std::optional<Adapters> adapters = {};  ///< those in use, and their hashes
  AdapterHashes hashes = {};
};

/// True for an image to be generated, false if its existing file is kept. Throws if the file could not be written.
bool is_wanted(const std::filesystem::path& output, const GenerateOptions& options) {
  std::error_code error;
  if (options.skip_existing && std::filesystem::is_regular_file(output, error)) return false;
  check_writable(output, options.force);
  if (options.preview_every > 0) check_writable(preview_name(output), options.force);
  return true;
}

/// Adds a request's wanted images with these names, in batches of `batch_size`. With the default size of one, an image
/// does not depend on the other requested images, not even in its last bit.
void add_batches(const Request& request, const Adapters& adapters, const std::vector<std::filesystem::path>& outputs,
                 const GenerateOptions& options, std::vector<Planned>& batches) {
  bool continues = false;  // the last batch, with the image that follows its own
  for (std::int64_t k = 0; k < request.batch_count; ++k) {
    const auto& output = outputs[static_cast<std::size_t>(k)];
    if (!is_wanted(output, options)) {
      continues = false;
      continue;
    }
    if (continues && batches.back().request.batch_count < options.batch_size) {
      ++batches.back().request.batch_count;
      batches.back().outputs.push_back(output);
    } else {
      batches.push_back({part_of_batch(request, k, 1), adapters, {output}});
    }
    continues = true;
  }
}

/// Refuses a file for an option that is also an image's, or that could not be written.
void plan_file(const std::string& option, const std::string& file, const GenerateOptions& options,
               const std::vector<Planned>& batches) {
  if (file.empty()) return;
  check_writable(file, options.force);
  for (const auto& batch : batches)
    for (const auto& output : batch.outputs)
      if (output == file)
        throw std::invalid_argument(option + " '" + file + "': expected another name than a picture's");
}

std::vector<Planned> plan(const GenerateOptions& options) {
  if (options.batch_size < 1)
    throw std::invalid_argument("batch size " + std::to_string(options.batch_size) + ": expected 1 or more");
  std::int64_t images = 0;
  for (const auto& request : options.requests) {
    validate_batch_count(request);
    images += request.batch_count;
  }
  const OutputNames names(options.output, static_cast<std::size_t>(images));
  std::size_t index = 0;
  std::vector<Planned> batches;
  for (std::size_t i = 0; i < options.requests.size(); ++i) {
    const auto& request = options.requests[i];
    auto adapters = options.adapters;
    adapters.loras.insert(adapters.loras.end(), options.prompt_loras[i].begin(), options.prompt_loras[i].end());
    std::vector<std::filesystem::path> outputs;
    for (std::int64_t k = 0; k < request.batch_count; ++k)
      outputs.push_back(names.name(index++, part_of_batch(request, k, 1).seed));
    add_batches(request, adapters, outputs, options, batches);
  }
  plan_file("--save-latents", options.save_latents, options, batches);
  plan_file("--animate", options.animation, options, batches);
  return batches;
}

/// Not part of the request: tiles are used if memory requires them, whatever the content. Seamless images are not
/// tiled: the edges of tiles are not those of the image.
std::optional<VaeTiling> vae_tiling_of(const std::string& tiling, bool seamless) {
  constexpr std::int64_t kLargeSide = 1024;
  if (tiling != "auto" && tiling != "on" && tiling != "off")
    throw std::invalid_argument("vae tiling '" + tiling + "': expected auto, on or off");
  if (seamless && tiling == "on") throw std::invalid_argument("vae tiling 'on': expected auto or off with --tiling");
  if (seamless || tiling == "off") return std::nullopt;
  return VaeTiling{.above_pixels = tiling == "on" ? 0 : kLargeSide * kLargeSide};
}

Placement placement_of(const GenerateOptions& options, Warnings& warnings) {
  const auto placement = parse_placement(options.device, options.dtype);
  if (placement.device.is_cuda()) allow_tf32(options.tf32);
  if (options.tf32 && !placement.device.is_cuda())
    warnings.print({"--tf32 has no effect on " + placement.device.str()});
  if (const auto note = slow_dtype_note(placement); !note.empty()) warnings.print({note});
  return placement;
}

std::shared_ptr<const StableDiffusion> refiner_of(const Planned& first, const StableDiffusion& base) {
  const auto& refiner = first.request.refiner;
  if (!refiner.is_on()) return nullptr;
  const auto path = find_model(refiner.model, model_roots(SFUMATO_SOURCE_DIR));
  return load_refiner(path, base, shipped_folders("tokenizer", SFUMATO_SOURCE_DIR), first.adapters);
}

std::shared_ptr<const CLIP> clip_of(const Request::ClipGuidance& clip, torch::Device device) {
  return clip.is_on() ? load_clip(find_model(clip.model, model_roots(SFUMATO_SOURCE_DIR)), device) : nullptr;
}

/// Replaces the LoRAs of the previous batch by those of this one.
void use_loras(Run& run, const Adapters& adapters) {
  if (!run.loras || adapters == run.adapters) return;
  run.warnings.print(run.loras->set(adapters.loras));
  run.adapters = adapters;
  run.hashes = hashes_of(adapters);
}

/// Adds adapters for all batches: checks every LoRA file, and merges those of the first batch.
void add_adapters(Run& run) {
  const auto& first = run.batches.front().adapters;
  add_embeddings(*run.model, first.embeddings);  // first: removing LoRAs removes all later rows
  run.loras.emplace(*run.model);
  std::vector<std::vector<Lora>> checked = {first.loras};
  for (const auto& batch : run.batches) {
    if (std::find(checked.begin(), checked.end(), batch.adapters.loras) != checked.end()) continue;
    run.loras->check(batch.adapters.loras);
    checked.push_back(batch.adapters.loras);
  }
  use_loras(run, first);
  if (checked.size() == 1) run.loras.reset();  // frees the saved original weights
}

std::optional<Run> prepared(const GenerateProgram& program, const Prepare& prepare, int argc, char** argv) {
  const auto options = parse_options(program, argc, argv);
  if (!options) return std::nullopt;
  Warnings warnings(program.name, options->quiet);
  const auto placement = placement_of(*options, warnings);
  warnings.print(options->warnings);
  auto batches = plan(*options);
  if (batches.empty()) {
    if (!options->quiet) std::cerr << program.name << ": all pictures exist already\n";
    return std::nullopt;
  }
  const auto path = find_model(options->model, model_roots(SFUMATO_SOURCE_DIR));
  const auto tokenizers = shipped_folders("tokenizer", SFUMATO_SOURCE_DIR);
  const auto start = Clock::now();
  auto model = load_stable_diffusion(path, placement, tokenizers, {.path = options->vae});
  Run run{*options, std::move(batches), std::make_unique<StableDiffusion>(std::move(model)), prepare(*options),
          std::move(warnings)};
  if (!options->quiet)
    for (const auto& note : run.model->notes) std::cerr << program.name << ": note: " << note << '\n';
  if (!options->prediction.empty()) use_prediction(*run.model, options->prediction);
  add_adapters(run);
  const auto& request = options->requests.front();
  run.attachments = {.controlnets = load_controlnets(request.controls, *run.model),
                     .refiner = refiner_of(run.batches.front(), *run.model),
                     .clip = clip_of(request.clip_guidance, run.model->placement.device),
                     .vae_tiling = vae_tiling_of(options->vae_tiling, request.tiling)};
  if (!options->preview_vae.empty()) run.preview_vae = load_preview_vae(options->preview_vae, *run.model);
  run.warnings.print(run.model->warnings);
  for (const auto& batch : run.batches) validate(batch.request, limits_of(*run.model, run.attachments));
  if (options->verbose)
    std::cerr << "model " << path.string() << " on " << placement.device.str() << " in " << dtype_name(placement.dtype)
              << ", loaded in " << std::chrono::duration<double>(Clock::now() - start).count() << " s\n";
  return run;
}

ImageRecord record_of(const Run& run, const Request& request, const Adapters& adapters) {
  return {.request = request,
          .model = run.options.model.empty() ? kDefaultModel : run.options.model,
          .vae = run.options.vae,
          .prediction = run.options.prediction,
          .device = run.model->placement.device.str(),
          .dtype = dtype_name(run.model->placement.dtype),
          .tf32 = run.options.tf32 && run.model->placement.device.is_cuda(),
          .vae_tiling = run.options.vae_tiling,
          .adapters = adapters,
          .hashes = run.hashes};
}

/// Writes the k-th image of a batch.
Made write(const Run& run, const Planned& planned, const Generated& generated, std::int64_t k) {
  Made made{.path = planned.outputs[static_cast<std::size_t>(k)],
            .request = generated.request,
            .adapters = planned.adapters,
            .latents = generated.latents.slice(0, k, k + 1).cpu()};
  made.request = part_of_batch(made.request, k, 1);
  write_image(made.path, generated.images[k], to_text_chunks(record_of(run, made.request, planned.adapters)),
              static_cast<int>(run.options.quality));
  return made;
}

/// Generates and writes the images; returns nothing after Ctrl-C.
std::optional<Batch> make(const Run& run, const Planned& planned, Previews& previews, Animation& animation) {
  const auto start = Clock::now();
  std::optional<Progress> progress;
  const OnStep on_step = [&](int step, int steps, const torch::Tensor&) {
    if (!progress) progress.emplace("denoising", steps, run.options.quiet ? Progress::Style::kQuiet : kAutomatic);
    progress->update(step + 1);
    previews.step_made(step, planned.outputs);
    return !interrupted();
  };
  const auto generated = run.pipeline(*run.model, planned.request, on_step, run.attachments);
  if (!generated.images.defined() || interrupted()) return std::nullopt;
  Batch batch{.images = {}, .warnings = generated.warnings};
  const auto count = planned.request.batch_count;
  for (std::int64_t k = 0; k < count; ++k) batch.images.push_back(write(run, planned, generated, k));
  previews.remove(planned.outputs);
  progress.reset();
  animation.end_batch(generated.images, run.attachments.vae_tiling);
  const auto seconds = std::chrono::duration<double>(Clock::now() - start).count();
  for (auto& made : batch.images) made.seconds = seconds / static_cast<double>(count);
  return batch;
}

void print_line(const Made& made) {
  std::cout << made.path.string() << "  seed " << made.request.seed << "  " << std::fixed << std::setprecision(2)
            << made.seconds << " s" << std::endl;
}

void print_json(const Run& run, const std::vector<Made>& images) {
  nlohmann::ordered_json images = nlohmann::ordered_json::array();
  for (const auto& made : images) {
    images.push_back({{"path", made.path.string()},
                      {"seed", made.request.seed},
                      {"seconds", made.seconds},
                      {"request", to_json(made.request)}});
    images.back().update(to_json(made.adapters));
  }
  const auto& first = run.batches.front();
  const auto record = record_of(run, first.request, first.adapters);
  const nlohmann::ordered_json result = {
      {"images", images}, {"model", record.model}, {"device", record.device}, {"dtype", record.dtype}};
  std::cout << result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << std::endl;
}

void save_latents(const std::filesystem::path& path, const std::vector<Made>& images) {
  std::vector<torch::Tensor> latents;
  for (const auto& made : images) latents.push_back(made.latents);
  write_safetensors(path, {{"latents", torch::cat(latents)}});  // [N, C, h, w]
}

int compute(Run& run) {
  watch_interrupts();
  Previews previews(*run.model, run.options.preview_every, run.preview_vae);
  Animation animation(*run.model, run.options);
  if (run.options.preview_every > 0 || animation.is_on())
    run.attachments.on_estimate = [&](const torch::Tensor& x, const torch::Tensor& x0) {
      previews.evaluate(x0);
      animation.evaluate(x, x0);
    };
  std::vector<Made> images;
  for (const auto& planned : run.batches) {
    use_loras(run, planned.adapters);
    auto batch = make(run, planned, previews, animation);
    if (!batch) return kInterrupted;  // the last preview stays: it is the only result
    run.warnings.print(batch->warnings);
    for (auto& made : batch->images) {
      if (!run.options.quiet && !run.options.json) print_line(made);
      images.push_back(std::move(made));
    }
  }
  if (interrupted()) return kInterrupted;
  animation.write();
  if (animation.is_on() && !run.options.quiet && !run.options.json) std::cout << run.options.animation << std::endl;
  if (!run.options.save_latents.empty()) save_latents(run.options.save_latents, images);
  if (run.options.json) print_json(run, images);
  if (!std::cout.flush()) throw std::runtime_error("cannot write to standard output");
  return 0;
}

int complain(const GenerateProgram& program, const std::string& message, int code) {
  std::cerr << program.name << ": " << message << '\n';
  return code;
}

/// Reports an error of LibTorch; with --verbose, also its place in LibTorch.
int complain_of_torch(const GenerateProgram& program, const c10::Error& error, int argc, char** argv) {
  const bool verbose =
      std::any_of(argv, argv + argc, [](const char* word) { return std::string(word) == "--verbose"; });
  complain(program, error_text(error), kFailure);
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
  } catch (const std::bad_alloc&) {
    return complain(program, "out of memory", kFailure);
  } catch (const std::invalid_argument& error) {
    return complain(program, error_text(error), kMistake);
  } catch (const std::exception& error) {
    return complain(program, error_text(error), code);
  }
}

}  // namespace sfumato
