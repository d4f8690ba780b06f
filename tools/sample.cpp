// sample: generates images with an unconditional model (DDPM, DDIM), and strips and animations of the process
#include <chrono>
#include <cmath>
#include <iomanip>
#include <iostream>

#include "command_line/program.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "engine/find_model.h"
#include "engine/model_choice.h"
#include "images/animation.h"
#include "images/pixels.h"
#include "images/write.h"
#include "sample/options.h"
#include "sample/outputs.h"
#include "systems/reverse_frames.h"
#include "systems/spherical.h"
#include "systems/unconditional/record.h"
#include "systems/unconditional/sample.h"

namespace {

using namespace sfumato;

using Clock = std::chrono::steady_clock;

/// Everything that a run needs, checked before any computation.
struct Run {
  SampleOptions options;
  SampleOutputs outputs;
  Unconditional model;
  std::vector<Chain> chains;  ///< one, or one for each compared number of steps
  std::vector<double> labels;
};

Placement placement_of(const SampleOptions& options) {
  std::vector<std::string> warnings;
  const auto placement = choose_placement(options.device, options.dtype, options.tf32, warnings);
  for (const auto& warning : warnings)
    if (!options.quiet) std::cerr << "sample: warning: " << warning << '\n';
  return placement;
}

std::vector<Chain> chains_of(const Unconditional& model, const SampleOptions& options) {
  if (options.compare_steps.empty()) return {make_chain(model, options.chain)};
  std::vector<Chain> chains;
  for (const auto steps : options.compare_steps) {
    auto chain = options.chain;
    chain.steps = steps;
    chains.push_back(make_chain(model, chain));
  }
  return chains;
}

Run prepare_run(const SampleOptions& options) {
  auto outputs = plan_outputs(options);
  const auto placement = placement_of(options);
  auto model = load_unconditional(find_model(options.model, model_roots(SFUMATO_SOURCE_DIR)), placement);
  auto chains = chains_of(model, options);
  // Between two noises, all images have one class.
  auto labels = labels_of(model, options.classes, options.interpolate ? 1 : options.count);
  if (options.interpolate && !labels.empty()) labels.resize(static_cast<std::size_t>(options.count), labels.front());
  return {.options = options,
          .outputs = std::move(outputs),
          .model = std::move(model),
          .chains = std::move(chains),
          .labels = std::move(labels)};
}

SampleRecord record_of(const Run& run, std::uint64_t seed) {
  return {.model = run.options.model,
          .device = run.model.placement.device.str(),
          .dtype = dtype_name(run.model.placement.dtype),
          .chain = run.options.chain,
          .seed = seed};
}

TextChunks texts_of_image(const Run& run, std::size_t index) {
  auto record = record_of(run, run.options.seed + index);
  if (!run.labels.empty()) record.label = run.labels[index];
  return to_text_chunks(record, run.model, run.chains.front());
}

TextChunks texts_of_grid(const Run& run) {
  auto record = record_of(run, run.options.seed);
  record.count = run.options.count;
  record.classes = run.options.classes;
  record.interpolate = run.options.interpolate;
  record.compare_steps = run.options.compare_steps;
  return to_text_chunks(record, run.model, run.chains.front());
}

/// Returns images `first` to first + count - 1 of the run.
SampleBatch batch_of(const Run& run, std::int64_t first, std::int64_t count) {
  SampleBatch batch{.seeds = {}};
  const auto& options = run.options;
  for (auto k = first; k < first + count; ++k) {
    batch.seeds.push_back(options.seed + (options.interpolate ? 0 : static_cast<std::uint64_t>(k)));
    if (!run.labels.empty()) batch.labels.push_back(run.labels[static_cast<std::size_t>(k)]);
  }
  if (!options.interpolate) return batch;
  const auto from = first_noise_of(run.model, options.seed), to = first_noise_of(run.model, *options.interpolate);
  batch.initial = interpolate_spherically(from, to, options.count).slice(0, first, first + count);
  return batch;
}

/// Generates all of the run's images [N, 3, H, W] with a chain; undefined after Ctrl-C. `on_batch` receives each
/// batch's images and the index of its first.
template <class OnBatch>
torch::Tensor sample_all(const Run& run, const Chain& chain, Progress& progress, std::int64_t& done,
                         ReverseFrames* frames, const OnBatch& on_batch) {
  std::vector<torch::Tensor> images;
  for (std::int64_t first = 0; first < run.options.count; first += run.options.batch_size) {
    const auto count = std::min(run.options.batch_size, run.options.count - first);
    ChainObserver observer{.on_step = [&](int, int, const torch::Tensor&) {
      progress.update(++done);
      return !interrupted();
    }};
    if (frames != nullptr) {
      observer.on_evaluation = [frames](const torch::Tensor& x, const Evaluation& evaluation,
                                        const Estimate& estimate) {
        frames->evaluate(evaluation.index, x, estimate.x0);
      };
    }
    images.push_back(sample(run.model, chain, batch_of(run, first, count), observer));
    if (!images.back().defined() || interrupted()) return {};
    if (frames != nullptr) frames->end_batch(images.back());
    on_batch(images.back(), first);
  }
  return torch::cat(images);
}

std::int64_t all_steps(const Run& run) {
  const auto batches = (run.options.count + run.options.batch_size - 1) / run.options.batch_size;
  std::int64_t steps = 0;
  for (const auto& chain : run.chains) steps += batches * static_cast<std::int64_t>(chain.steps.size());
  return steps;
}

Progress::Style style_of(const SampleOptions& options) {
  return options.quiet ? Progress::Style::kQuiet : Progress::Style::kAutomatic;
}

void print_line(const Run& run, const std::filesystem::path& path, std::uint64_t seed, double seconds) {
  if (run.options.quiet) return;
  std::cout << path.string() << "  seed " << seed;
  if (seconds > 0) std::cout << "  " << std::fixed << std::setprecision(2) << seconds << " s";
  std::cout << std::endl;
}

std::int64_t columns_of(const SampleOptions& options) {
  if (options.columns > 0) return options.columns;
  return static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(options.count))));
}

void write_grid(const Run& run, const torch::Tensor& images, std::int64_t columns) {
  if (run.outputs.grid.empty()) return;
  write_image(run.outputs.grid, image_grid(images.clamp(-1, 1), columns), texts_of_grid(run));
  print_line(run, run.outputs.grid, run.options.seed, 0);
}

int sample_images(const Run& run) {
  Progress progress("sampling", all_steps(run), style_of(run.options));
  std::int64_t done = 0;
  const auto& chain = run.chains.front();
  std::optional<ReverseFrames> frames;
  if (!run.options.animation.empty())
    frames.emplace([&](const torch::Tensor& x) { return run.model.first_stage.decode(x); },
                   evaluation_count(chain.steps, chain.sampler.order), run.options.frames);
  auto start = Clock::now();
  const auto images = sample_all(
      run, chain, progress, done, frames ? &*frames : nullptr, [&](const torch::Tensor& batch, std::int64_t first) {
        const auto seconds = std::chrono::duration<double>(Clock::now() - start).count() / double(batch.size(0));
        for (std::int64_t k = 0; k < batch.size(0) && !run.outputs.images.empty(); ++k) {
          const auto index = static_cast<std::size_t>(first + k);
          const auto seed = run.options.seed + index;
          progress.clear();
          write_image(run.outputs.images[index], batch[k], texts_of_image(run, index));
          print_line(run, run.outputs.images[index], seed, seconds);
        }
        start = Clock::now();
      });
  if (!images.defined()) return interrupted_exit_code();
  progress.finish();
  write_grid(run, images, columns_of(run.options));
  if (frames) {
    write_animation(run.outputs.animation, frames->frames(columns_of(run.options)));
    print_line(run, run.outputs.animation, run.options.seed, 0);
  }
  return 0;
}

/// Writes images in one row per seed and one column per chain, or in one row between two noises.
int sample_strip(const Run& run) {
  Progress progress("sampling", all_steps(run), style_of(run.options));
  std::int64_t done = 0;
  std::vector<torch::Tensor> columns;
  for (const auto& chain : run.chains) {
    columns.push_back(sample_all(run, chain, progress, done, nullptr, [](const torch::Tensor&, std::int64_t) {}));
    if (!columns.back().defined()) return interrupted_exit_code();
  }
  progress.finish();
  const auto count = static_cast<std::int64_t>(columns.size());
  const auto images = torch::stack(columns, 1).flatten(0, 1);  // [N, chains, 3, H, W] to rows of chains
  write_grid(run, images, run.options.interpolate ? run.options.count : count);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("sample", [&]() -> Compute {
    const auto options = parse_sample_options(argc, argv);
    if (!options) return {};
    return [run = prepare_run(*options)] {
      watch_interrupts();
      const int code = run.options.is_strip() ? sample_strip(run) : sample_images(run);
      if (const auto& unet = run.model.replayed_unet; unet && !unet->warning().empty() && !run.options.quiet)
        std::cerr << "sample: warning: " << unet->warning() << '\n';
      return code;
    };
  });
}
