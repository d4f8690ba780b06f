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
  GLIDEJob job;  ///< of all images
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
  const auto count = static_cast<std::size_t>(options.request.batch_count);
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

Placement glide_placement(const GenerateProgram& program, const GLIDEOptions& options) {
  std::vector<std::string> warnings;
  const auto placement = choose_placement(options.device, options.dtype, options.tf32, warnings);
  for (const auto& warning : warnings)
    if (!options.quiet) std::cerr << program.name << ": warning: " << warning << '\n';
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
std::shared_ptr<const CLIP> clip_of(const GenerateProgram& program, const GLIDEOptions& options, const GLIDE& model) {
  const auto& request = options.request;
  if (!(request.clip_scale > 0)) return nullptr;
  auto clip = load_clip(find_model(request.clip_model, model_roots(SFUMATO_SOURCE_DIR)), model.placement.device);
  if (const auto note = cut_note(*clip, request.prompt); !note.empty() && !options.quiet)
    std::cerr << program.name << ": warning: " << note << '\n';
  return clip;
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
  auto job = resolve(model, options.request, clip_of(program, options, model));
  if (const auto cut = model.tokenizer->encode(options.request.prompt).cut; !cut.empty() && !options.quiet)
    std::cerr << program.name << ": warning: the prompt is longer than " << model.tokenizer->max_length()
              << " tokens; left out: " << shortened(cut, 100) << '\n';
  return {.program = program,
          .options = options,
          .model = std::move(model),
          .job = std::move(job),
          .masked = std::move(masked),
          .outputs = std::move(outputs),
          .base_outputs = std::move(base_outputs)};
}

GLIDEJob part_of_job(const GLIDERun& run, std::int64_t first, std::int64_t count) {
  auto job = run.job;
  job.request.seed += static_cast<std::uint64_t>(first);
  job.request.batch_count = count;
  return job;
}

void write_one(const GLIDERun& run, const path& file, const torch::Tensor& image, std::uint64_t seed, bool is_base) {
  const GLIDERecord record{.program = run.program.name,
                           .model = run.options.model,
                           .device = run.model.placement.device.str(),
                           .dtype = dtype_name(run.model.placement.dtype),
                           .image = run.options.image,
                           .mask = run.options.mask,
                           .seed = seed,
                           .is_base = is_base};
  write_image(file, image.clamp(-1, 1), to_text_chunks(record, run.model, run.job),
              static_cast<int>(run.options.quality));
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

/// Writes the images of a batch that begins with number `first` of the run.
std::vector<GLIDEWritten> write_batch(const GLIDERun& run, const GLIDEImages& images, std::int64_t first,
                                      double seconds) {
  std::vector<GLIDEWritten> written;
  const auto count = images.result().size(0);
  for (std::int64_t k = 0; k < count; ++k) {
    const auto index = static_cast<std::size_t>(first + k);
    const auto seed = run.options.request.seed + index;
    if (!run.base_outputs.empty()) write_one(run, run.base_outputs[index], images.base[k], seed, true);
    write_one(run, run.outputs[index], images.result()[k], seed, false);
    written.push_back({run.outputs[index], seed, seconds / static_cast<double>(count)});
    if (!run.options.quiet && !run.options.json)
      std::cout << written.back().file.string() << "  seed " << seed << "  " << std::fixed << std::setprecision(2)
                << written.back().seconds << " s" << std::endl;
  }
  return written;
}

int make_images(const GLIDERun& run) {
  using Clock = std::chrono::steady_clock;
  const auto style = run.options.quiet ? Progress::Style::kQuiet : Progress::Style::kAutomatic;
  std::vector<GLIDEWritten> written;
  const auto all = run.options.request.batch_count;
  for (std::int64_t first = 0; first < all; first += run.options.batch_size) {
    const auto job = part_of_job(run, first, std::min(run.options.batch_size, all - first));
    const auto start = Clock::now();
    GLIDEImages images;
    {
      Progress progress("denoising", static_cast<std::int64_t>(job.steps()), style);
      const OnStep on_step = [&](int step, int, const torch::Tensor&) {
        progress.update(step + 1);
        return !interrupted();
      };
      images = run.masked ? inpaint(run.model, job, *run.masked, on_step) : generate(run.model, job, on_step);
    }
    if (!images.result().defined() || interrupted()) return kInterrupted;
    const auto seconds = std::chrono::duration<double>(Clock::now() - start).count();
    for (auto& one : write_batch(run, images, first, seconds)) written.push_back(std::move(one));
  }
  if (run.options.json) print_json(run, written);
  return 0;
}

}  // namespace

int run_glide(const GenerateProgram& program, int argc, char** argv) {
  return run_program(program.name, [&]() -> Compute {
    const auto options = parse_glide_options(program, argc, argv);
    if (!options) return {};
    return [run = prepared_run(program, *options)] {
      watch_interrupts();
      return make_images(run);
    };
  });
}

}  // namespace sfumato
