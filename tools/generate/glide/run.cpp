#include "generate/glide/run.h"

#include <chrono>
#include <iomanip>
#include <iostream>
#include <set>
#include <stdexcept>
#include <vector>

#include "command_line/program.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/progress.h"
#include "core/shortened.h"
#include "engine/find_model.h"
#include "engine/model_choice.h"
#include "engine/outputs.h"
#include "generate/glide/options.h"
#include "images/read.h"
#include "images/write.h"
#include "systems/clip_guidance.h"
#include "systems/glide/generate.h"
#include "systems/glide/record.h"

namespace sfumato {
namespace {

using std::filesystem::path;

/// Everything that a run needs, checked before any computation.
struct GLIDERun {
  GenerateProgram program;
  GLIDEOptions options;
  GLIDE model;
  std::vector<GLIDEJob> jobs;  ///< one for each prompt
  std::optional<GLIDEMaskedImage> masked;
  std::vector<path> outputs, base_outputs;
};

/// A written image.
struct GLIDEWritten {
  path file;
  std::uint64_t seed = 0;
  double seconds = 0;
};

std::vector<path> planned_names(const std::string& pattern, const GLIDEOptions& options, std::set<path>& taken) {
  const auto count = options.prompts.size() * static_cast<std::size_t>(options.request.batch_count);
  const OutputNames names(pattern, count);
  std::vector<path> files;
  for (std::size_t k = 0; k < count; ++k) {
    files.push_back(names.name(k, options.request.seed + k));
    if (!taken.insert(files.back()).second)
      throw std::invalid_argument("output '" + files.back().string() + "': expected another name for each file");
    check_writable(files.back(), options.force);
  }
  return files;
}

void warn(const GenerateProgram& program, const GLIDEOptions& options, const std::string& text) {
  if (!options.quiet) std::cerr << program.name << ": warning: " << text << '\n';
}

Placement glide_placement(const GenerateProgram& program, const GLIDEOptions& options) {
  std::vector<std::string> warnings;
  const auto placement = choose_placement(options.device, options.dtype, options.tf32, warnings);
  for (const auto& warning : warnings) warn(program, options, warning);
  return placement;
}

std::optional<GLIDEMaskedImage> masked_image(const GenerateProgram& program, const GLIDEOptions& options) {
  if (!program.takes_mask) return std::nullopt;
  auto mask = read_mask(options.mask);
  return GLIDEMaskedImage{.image = read_image(options.image), .mask = options.invert_mask ? 1 - mask : mask};
}

/// Refuses options of the upsampler with a model that has none.
void check_upsampler(const GLIDE& model, const GLIDEOptions& options) {
  if (!model.upsampler && options.names_upsampler)
    throw std::invalid_argument("options of the upsampler with the model '" + options.model +
                                "', which has none: expected a folder with upscale_unet");
}

/// Loads the CLIP of the request's guidance; null without it.
std::shared_ptr<const CLIP> clip_of(const GLIDEOptions& options, const GLIDE& model) {
  const auto& request = options.request;
  if (!(request.clip_scale > 0)) return nullptr;
  return load_clip(find_model(request.clip_model, model_roots(SFUMATO_SOURCE_DIR)), model.placement.device);
}

/// Warns of the part of a prompt that a text model does not see.
void warn_of_cuts(const GenerateProgram& program, const GLIDEOptions& options, const GLIDE& model,
                  const GLIDEJob& job) {
  if (job.clip)
    if (const auto note = cut_note(*job.clip, job.request.prompt); !note.empty()) warn(program, options, note);
  if (const auto cut = model.tokenizer->encode(job.request.prompt).cut; !cut.empty())
    warn(program, options,
         "the prompt is longer than " + std::to_string(model.tokenizer->max_length()) +
             " tokens; left out: " + shortened(cut, 100));
}

/// Resolves the requests of all prompts; their seeds are consecutive.
std::vector<GLIDEJob> resolved_jobs(const GenerateProgram& program, const GLIDEOptions& options, const GLIDE& model) {
  const auto clip = clip_of(options, model);
  std::vector<GLIDEJob> jobs;
  auto request = options.request;
  for (const auto& prompt : options.prompts) {
    request.prompt = prompt;
    jobs.push_back(resolve(model, request, clip));
    warn_of_cuts(program, options, model, jobs.back());
    request.seed += static_cast<std::uint64_t>(request.batch_count);
  }
  return jobs;
}

GLIDERun prepared_run(const GenerateProgram& program, const GLIDEOptions& options) {
  std::set<path> taken;
  auto outputs = planned_names(options.output, options, taken);
  std::vector<path> base_outputs;
  if (!options.base_output.empty()) base_outputs = planned_names(options.base_output, options, taken);
  auto masked = masked_image(program, options);
  auto model =
      load_glide(find_model(options.model, model_roots(SFUMATO_SOURCE_DIR)), glide_placement(program, options));
  check_upsampler(model, options);
  auto jobs = resolved_jobs(program, options, model);
  return {.program = program,
          .options = options,
          .model = std::move(model),
          .jobs = std::move(jobs),
          .masked = std::move(masked),
          .outputs = std::move(outputs),
          .base_outputs = std::move(base_outputs)};
}

GLIDEJob part_of_job(GLIDEJob job, std::int64_t first, std::int64_t count) {
  job.request.seed += static_cast<std::uint64_t>(first);
  job.request.batch_count = count;
  return job;
}

/// Returns the texts of image k of a job.
TextChunks texts_of(const GLIDERun& run, const GLIDEJob& job, std::int64_t k, bool is_base) {
  const GLIDERecord record{.program = run.program.name,
                           .model = run.options.model,
                           .device = run.model.placement.device.str(),
                           .dtype = dtype_name(run.model.placement.dtype),
                           .tf32 = run.options.tf32 && run.model.placement.device.is_cuda(),
                           .image = run.options.image,
                           .mask = run.options.mask,
                           .invert_mask = run.options.invert_mask,
                           .seed = job.request.seed + static_cast<std::uint64_t>(k),
                           .is_base = is_base};
  return to_text_chunks(record, run.model, job);
}

/// Refuses a file whose format cannot hold its image's texts, before any image is made.
void check_texts(const GLIDERun& run) {
  std::size_t index = 0;
  for (const auto& job : run.jobs)
    for (std::int64_t k = 0; k < job.request.batch_count; ++k, ++index) {
      check_texts_fit(run.outputs[index], texts_of(run, job, k, false));
      if (!run.base_outputs.empty()) check_texts_fit(run.base_outputs[index], texts_of(run, job, k, true));
    }
}

/// Writes image k of a job.
void write_one(const GLIDERun& run, const GLIDEJob& job, std::int64_t k, const path& file, const torch::Tensor& image,
               bool is_base) {
  write_image(file, image.clamp(-1, 1), texts_of(run, job, k, is_base), static_cast<int>(run.options.quality));
}

void print_json(const GLIDERun& run, const std::vector<GLIDEWritten>& written) {
  nlohmann::ordered_json images = nlohmann::ordered_json::array();
  for (const auto& one : written)
    images.push_back({{"path", one.file.string()}, {"seed", one.seed}, {"seconds", one.seconds}});
  const nlohmann::ordered_json result = {{"images", images},
                                         {"model", run.options.model},
                                         {"device", run.model.placement.device.str()},
                                         {"dtype", dtype_name(run.model.placement.dtype)}};
  std::cout << result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << std::endl;
}

/// Writes the images of a batch, of which the first is number `first` of the run.
std::vector<GLIDEWritten> write_batch(const GLIDERun& run, const GLIDEJob& job, const GLIDEImages& images,
                                      std::size_t first, double seconds) {
  std::vector<GLIDEWritten> written;
  const auto count = images.result().size(0);
  for (std::int64_t k = 0; k < count; ++k) {
    const auto index = first + static_cast<std::size_t>(k);
    if (!run.base_outputs.empty()) write_one(run, job, k, run.base_outputs[index], images.base[k], true);
    write_one(run, job, k, run.outputs[index], images.result()[k], false);
    written.push_back(
        {run.outputs[index], job.request.seed + static_cast<std::uint64_t>(k), seconds / static_cast<double>(count)});
    if (!run.options.quiet && !run.options.json)
      std::cout << written.back().file.string() << "  seed " << written.back().seed << "  " << std::fixed
                << std::setprecision(2) << written.back().seconds << " s" << std::endl;
  }
  return written;
}

/// Generates the images of a batch; undefined after Ctrl-C.
GLIDEImages images_of(const GLIDERun& run, const GLIDEJob& job) {
  Progress progress("denoising", static_cast<std::int64_t>(job.steps()),
                    run.options.quiet ? Progress::Style::kQuiet : Progress::Style::kAutomatic);
  const OnStep on_step = [&](int step, int, const torch::Tensor&) {
    progress.update(step + 1);
    return !interrupted();
  };
  return run.masked ? inpaint(run.model, job, *run.masked, on_step) : generate(run.model, job, on_step);
}

int make_images(const GLIDERun& run) {
  using Clock = std::chrono::steady_clock;
  std::vector<GLIDEWritten> written;
  for (const auto& prompt_job : run.jobs) {
    const auto all = prompt_job.request.batch_count;
    for (std::int64_t first = 0; first < all; first += run.options.batch_size) {
      const auto job = part_of_job(prompt_job, first, std::min(run.options.batch_size, all - first));
      const auto start = Clock::now();
      const auto images = images_of(run, job);
      if (!images.result().defined() || interrupted()) return interrupted_exit_code();
      const auto seconds = std::chrono::duration<double>(Clock::now() - start).count();
      for (auto& one : write_batch(run, job, images, written.size(), seconds)) written.push_back(std::move(one));
    }
  }
  if (run.options.json) print_json(run, written);
  for (const auto* stage : {&run.model.base, run.model.upsampler ? &*run.model.upsampler : nullptr})
    if (stage != nullptr && stage->replayed_unet && !stage->replayed_unet->warning().empty())
      warn(run.program, run.options, stage->replayed_unet->warning());
  return 0;
}

}  // namespace

int run_glide(const GenerateProgram& program, int argc, char** argv) {
  return run_program(program.name, [&]() -> Compute {
    const auto options = parse_glide_options(program, argc, argv);
    if (!options) return {};
    auto run = prepared_run(program, *options);
    check_texts(run);
    return [run = std::move(run)] {
      watch_interrupts();
      return make_images(run);
    };
  });
}

}  // namespace sfumato
