// train: trains a VAE, a UNet, or a UNet with its text encoder, from a recipe
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "core/cuda.h"
#include "core/error_text.h"
#include "core/files.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/memory_pool.h"
#include "core/placement.h"
#include "core/processor.h"
#include "core/progress.h"
#include "core/writable.h"
#include "train/arguments.h"
#include "train/folder.h"
#include "train/run_checks.h"
#include "training/autocast.h"
#include "training/grid.h"
#include "training/held_out_bits.h"
#include "training/kinds.h"
#include "training/loss_curve.h"
#include "training/recipe.h"
#include "training/replicas.h"
#include "training/trainer.h"

#ifdef SFUMATO_HAVE_IMAGES
#include "images/png.h"
#include "images/read.h"
#endif

namespace sfumato {
namespace {

/// Prints the error and returns the exit status.
int report(const std::exception& error, int code) {
  const bool out_of_memory = is_out_of_memory(error);
  std::cerr << "train: " << error_text(error)
            << (out_of_memory ? "; a smaller batch_size with gradient_accumulation_steps takes less" : "") << std::endl;
  return out_of_memory ? 1 : code;
}

/// Returns a progress bar that starts at the run's first step, which is not 0 in a resumed run.
std::function<void(const TrainingProgress&)> progress_bar() {
  auto bar = std::make_shared<std::optional<Progress>>();
  return [bar](const TrainingProgress& now) {
    if (!*bar) bar->emplace("train", now.steps, ProgressStyle::kAutomatic, now.step - 1);
    std::array<char, 64> note{};
    std::snprintf(note.data(), note.size(), "loss %.4f  %.1f images/s", now.loss, now.examples_per_second);
    (*bar)->update(now.step, note.data());
    if (now.step == now.steps) (*bar)->finish();
  };
}

/// Returns the progress of encoding a text-to-image run's images: a bar or, without a terminal, a line of text. The log
/// of a quiet run then explains, too, why the first step is minutes away.
OnEncoded encoding_bar(bool quiet) {
  auto bar = std::make_shared<std::optional<Progress>>();
  return [bar, quiet](std::int64_t done, std::int64_t total) {
    if (!*bar) {
      if (::isatty(STDERR_FILENO) == 0) std::cerr << "encoding " << total - done << " pictures with the autoencoder\n";
      bar->emplace("encode", total, quiet ? ProgressStyle::kQuiet : ProgressStyle::kAutomatic, done);
    }
    (*bar)->update(done);
    if (done == total) (*bar)->finish();
  };
}

/// Returns a progress bar with its own label for a loop that reports how many of how many are done.
std::function<void(std::int64_t, std::int64_t)> labelled_bar(const std::string& label, bool quiet) {
  auto bar = std::make_shared<std::optional<Progress>>();
  return [=](std::int64_t done, std::int64_t total) {
    if (!*bar) bar->emplace(label, total, quiet ? ProgressStyle::kQuiet : ProgressStyle::kAutomatic);
    (*bar)->update(done);
    if (done == total) (*bar)->finish();
  };
}

TaskContext context_of(const RunFolder& run, torch::Device device, bool quiet) {
  TaskContext context{.run = run, .device = device, .on_encoded = encoding_bar(quiet)};
  context.on_read = labelled_bar("read", quiet);
  context.pack_folder = folder_packer(labelled_bar("read", quiet));
  context.on_warning = [](const std::string& warning) { std::cerr << "train: warning: " << warning << std::endl; };
#ifdef SFUMATO_HAVE_IMAGES
  context.read_image = read_image;
#endif
  return context;
}

/// Writes a PNG if the build has the images library, else a PPM. `image`: uint8 [H, W, 3].
void write_sample(const std::filesystem::path& name, const torch::Tensor& image) {
#ifdef SFUMATO_HAVE_IMAGES
  write_png(name.string() + ".png", image.permute({2, 0, 1}).to(torch::kFloat32).div(127.5).sub(1));
#else
  write_ppm(name.string() + ".ppm", image);
#endif
}

std::int64_t replicas_for(const Arguments& arguments, const TrainingJob& job, torch::Device device) {
  const ReplicaNeeds needs{.device = device,
                           .batch_size = job.recipe().batch_size,
                           .has_dropout = job.has_dropout(),
                           .couples_rows = job.couples_rows()};
  const auto count = arguments.replicas.value_or(default_replicas(needs));
  check_replicas(count, needs);
  return count;
}

TrainerHooks make_hooks(const Arguments& arguments, const RunFolder& run, const Json& recipe) {
  TrainerHooks hooks;
  hooks.on_begin = [=] { write_json(run.path() / "recipe.json", recipe); };
  if (!arguments.quiet) hooks.on_step = progress_bar();
  hooks.stop_requested = interrupted;
  hooks.write_sample = write_sample;
  return hooks;
}

/// Returns the step of the run's newest checkpoint, 0 without one.
std::int64_t step_of(const RunFolder& run) {
  const auto checkpoint = run.newest();
  return checkpoint ? checkpoint->step : 0;
}

int finish(std::int64_t done, const Recipe& recipe, const RunFolder& run) {
  if (done < recipe.steps) {
    std::cerr << "stopped after step " << done << "; --resume continues\n";
    return interrupted_exit_code();
  }
  std::cerr << "done: " << run.path().string() << '\n';
  return 0;
}

torch::Device device_for(const Arguments& arguments, const Recipe& recipe) {
  const auto device = parse_device(arguments.device);
  if (device.is_cuda()) allow_tf32(arguments.tf32);
  if (arguments.tf32 && !device.is_cuda())
    std::cerr << "train: warning: --tf32 has no effect on " << device.str() << '\n';
  const bool slow = device.is_cpu() && computes_in_bfloat16(recipe.precision, device.type()) && !has_fast_bfloat16();
  if (slow && !arguments.quiet)
    std::cerr
        << "train: warning: bfloat16 on the CPU: this processor has no instructions for it (AVX512-BF16), so that "
           "it takes about three times as long as float32\n";
  return device;
}

int run_training(const Arguments& arguments) {
  const auto json = read_recipe(arguments);
  const auto job = parse_job(json, "'" + arguments.positional[0] + "'");
  check_run(arguments, *job);
  const auto& recipe = job->recipe();
  const auto device = device_for(arguments, recipe);
  const auto replicas = replicas_for(arguments, *job, device);
  pool_cpu_memory();
  keep_small_blocks();
  const RunFolder run(arguments.out);
  const bool fresh = !run.has_checkpoints();
  if (const auto step = fresh ? 0 : step_of(run); step >= recipe.steps) {
    std::cerr << "nothing to train: '" << run.path().string() << "' is at step " << step << ", and the recipe ends at "
              << recipe.steps << '\n';
    return 0;
  }
  if (const auto reason = job->needs_weights(); !reason.empty() && arguments.init_from.empty() && fresh)
    throw std::invalid_argument(reason + ": name its folder with --init-from");
  for (const auto& warning : job->warnings()) std::cerr << "train: warning: " << warning << '\n';
  const auto task = make_task(*job, context_of(run, device, arguments.quiet));
  if (!arguments.init_from.empty()) task->init_from(arguments.init_from);
  watch_interrupts();
  try {
    const auto hooks = make_hooks(arguments, run, json);
    return finish(train(*task, recipe, run, {hooks, replicas}), recipe, run);
  } catch (const std::exception& error) {
    return report(error, 1);  // the input was valid: the disk or the training failed
  }
}

int run_export(const Arguments& arguments) {
  if (arguments.positional.size() != 2) throw std::invalid_argument("--export needs a run and a folder; see --help");
  const std::filesystem::path folder = arguments.positional[1];
  if (!arguments.force && std::filesystem::exists(folder) && !std::filesystem::is_empty(folder))
    throw std::invalid_argument("'" + folder.string() + "' has files already: expected a new folder, or --force");
  check_writable_folder(folder);
  watch_interrupts();
  const SaveOptions options{.dtype = parse_dtype(arguments.dtype),
                            .max_shard_size = parse_byte_size("--max-shard-size", arguments.max_shard_size)};
  if (!export_run(RunFolder(arguments.positional[0]), folder, options)) {
    std::cerr << "train: interrupted; nothing was written to '" << folder.string() << "'\n";
    return interrupted_exit_code();
  }
  if (!arguments.quiet) std::cout << folder.string() << std::endl;
  return 0;
}

int draw_curve(const Arguments& arguments) {
  if (arguments.positional.size() != 2) throw std::invalid_argument("--curve needs a run and a file; see --help");
  const std::filesystem::path file = arguments.positional[1];
  if (file.extension() != ".svg")
    throw std::invalid_argument("'" + file.string() + "': expected a name that ends in .svg");
  check_writable(file, /*force=*/true);
  const auto svg = loss_curve_svg(RunFolder(arguments.positional[0]));
  write_file_atomically(file, [&](std::ostream& out) { out << svg; });
  return 0;
}

int measure(const Arguments& arguments) {
  if (arguments.positional.size() != 2) throw std::invalid_argument("--bpd needs a run and a file; see --help");
  const std::filesystem::path file = arguments.positional[1];
  if (file.extension() != ".json")
    throw std::invalid_argument("'" + file.string() + "': expected a name that ends in .json");
  check_writable(file, /*force=*/true);
  const RunFolder run(arguments.positional[0]);
  const auto device = device_for(arguments, job_of(run)->recipe());
  pool_cpu_memory();
  const auto bits = measure_bits(context_of(run, device, arguments.quiet),
                                 {.images = arguments.images.value_or(0),
                                  .timesteps = arguments.timesteps.value_or(0),
                                  .on_evaluation = labelled_bar("measure", arguments.quiet)});
  write_json(file, bits);
  std::printf("%.4f bits per dimension of %s held-out images\n", bits["held_out_bpd"].get<double>(),
              bits["images"].dump().c_str());
  return 0;
}

int run(const std::vector<std::string>& words) {
  const auto arguments = parse_arguments(words);
  if (arguments.help) {
    std::cout << kUsage;
    return 0;
  }
  if (arguments.curve) return draw_curve(arguments);
  if (arguments.bpd) return measure(arguments);
  return arguments.exports ? run_export(arguments) : run_training(arguments);
}

}  // namespace

int run_or_report(const std::vector<std::string>& words) {
  try {
    return run(words);
  } catch (const std::system_error& error) {
    return report(error, 1);
  } catch (const std::exception& error) {
    return report(error, 2);
  }
}

}  // namespace sfumato

int main(int argc, char** argv) {
  return sfumato::run_or_report({argv + 1, argv + argc});
}
