// train: trains a VAE, or a UNet with its text encoder, from a recipe in configs/
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/cuda.h"
#include "core/files.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/memory_pool.h"
#include "core/placement.h"
#include "core/processor.h"
#include "core/progress.h"
#include "training/autocast.h"
#include "training/export.h"
#include "training/grid.h"
#include "training/loss_curve.h"
#include "training/recipe.h"
#include "training/tasks.h"
#include "training/trainer.h"

#ifdef SFUMATO_HAVE_IMAGES
#include "images/png.h"
#endif

namespace sfumato {
namespace {

constexpr const char* kUsage = R"(Trains a model from a recipe, or exports what a run has learnt.

  train RECIPE --out RUN [options]
  train --export RUN FOLDER [--dtype fp16] [--max-shard-size 16MiB]
  train --curve RUN FILE.svg

  RECIPE                  a JSON file such as configs/vae-128.json
  --out RUN               the run's folder: log, pictures, checkpoints
  --resume                continue from the run's newest checkpoint
  --steps N               train for N steps in all instead of the recipe's
  --set KEY=VALUE         replace a value of the recipe (optimizer.lr=1e-4); may be repeated
  --init-from FOLDER      start from the weights of a diffusers folder
  --device NAME           auto, cpu, cuda or cuda:N
  --tf32                  on CUDA: what is computed in float32 may round factors to TF32, which is faster
  --quiet                 no progress bars

  --export RUN FOLDER     write the averaged weights of a run as a diffusers folder
  --dtype NAME            fp32, fp16 or bf16 (default fp16)
  --max-shard-size SIZE   cut files above this size, such as 16MiB (default: one file)

  --curve RUN FILE.svg    draw the run's loss and held-out metric over its steps
)";

struct Arguments {
  std::vector<std::string> positional;
  std::vector<std::string> settings;
  std::string out, init_from;
  std::string device = "auto", dtype = "fp16", max_shard_size = "0";
  std::optional<std::string> steps;
  bool resume = false, exports = false, curve = false, tf32 = false, quiet = false, help = false;
};

/// The first line of what went wrong, and the exit status.
int report(const std::exception& error, int status) {
  const std::string what = error.what();
  std::cerr << "train: " << what.substr(0, what.find('\n')) << '\n';
  return status;
}

/// The tool's own small parser: the program builds where there is no library for it.
class ArgumentParser {
 public:
  Arguments parse(const std::vector<std::string>& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      const auto equals = words[i].find('=');
      const auto name = words[i].substr(0, equals);
      if (words[i].size() < 2 || words[i][0] != '-') {
        result_.positional.push_back(words[i]);
      } else if (const auto flag = flags_.find(words[i]); flag != flags_.end()) {
        *flag->second = true;
      } else if (const auto option = options_.find(name); option != options_.end()) {
        const bool inside = equals != std::string::npos;
        if (!inside && i + 1 == words.size()) throw std::invalid_argument(name + " needs a value");
        option->second(inside ? words[i].substr(equals + 1) : words[++i]);
      } else {
        refuse(name);
      }
    }
    return result_;
  }

 private:
  using Take = std::function<void(const std::string&)>;
  static Take into(std::string& target) {
    return [&target](const std::string& value) { target = value; };
  }

  [[noreturn]] void refuse(const std::string& name) const {
    std::vector<std::string> known;
    for (const auto& [flag, target] : flags_) known.push_back(flag);
    for (const auto& [option, take] : options_) known.push_back(option);
    const auto suggestion = nearest(name, known);
    throw std::invalid_argument("unknown option '" + name + "'" +
                                (suggestion.empty() ? "; see --help" : "; did you mean '" + suggestion + "'?"));
  }

  Arguments result_;
  std::map<std::string, bool*> flags_{{"--resume", &result_.resume}, {"--export", &result_.exports},
                                      {"--curve", &result_.curve},   {"--tf32", &result_.tf32},
                                      {"--quiet", &result_.quiet},   {"--help", &result_.help},
                                      {"-h", &result_.help}};
  std::map<std::string, Take> options_{
      {"--out", into(result_.out)},
      {"--init-from", into(result_.init_from)},
      {"--device", into(result_.device)},
      {"--dtype", into(result_.dtype)},
      {"--max-shard-size", into(result_.max_shard_size)},
      {"--steps", [this](const std::string& value) { result_.steps = value; }},
      {"--set", [this](const std::string& value) { result_.settings.push_back(value); }}};
};

std::int64_t parse_count(const std::string& text, const std::string& option) {
  std::size_t used = 0;
  std::int64_t value = 0;
  try {
    value = std::stoll(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used == 0 || used != text.size() || value < 1) {
    throw std::invalid_argument(option + " '" + text + "': expected a whole number of at least 1");
  }
  return value;
}

/// A bar that starts where the run does, which a resumed one tells by its first step.
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

/// The pictures of a text-to-image run being encoded: a bar, in its own words where there is no terminal to draw it on,
/// so that a log of a quiet run too says why the first step is minutes away.
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

void check_run(const Arguments& arguments) {
  if (arguments.out.empty()) throw std::invalid_argument("--out is missing: name the run's folder");
  const RunFolder run(arguments.out);
  if (run.has_checkpoints() && !arguments.resume) {
    throw std::invalid_argument("'" + arguments.out + "' holds a run already; add --resume or name another folder");
  }
  if (arguments.resume && !run.is_begun()) {
    throw std::invalid_argument("--resume: there is no run in '" + arguments.out + "'");
  }
}

/// PNG where the build has the images library, else PPM. `picture`: uint8 [H, W, 3].
void write_picture(const std::filesystem::path& name, const torch::Tensor& picture) {
#ifdef SFUMATO_HAVE_IMAGES
  write_png(name.string() + ".png", picture.permute({2, 0, 1}).to(torch::kFloat32).div(127.5).sub(1));
#else
  write_ppm(name.string() + ".ppm", picture);
#endif
}

TrainerHooks make_hooks(const Arguments& arguments) {
  TrainerHooks hooks;
  if (!arguments.quiet) hooks.on_step = progress_bar();
  hooks.stop_requested = interrupted;
  hooks.write_picture = write_picture;
  return hooks;
}

Json read_recipe(const Arguments& arguments) {
  if (arguments.positional.size() != 1) throw std::invalid_argument("expected one recipe; see --help");
  auto json = read_json(arguments.positional[0]);
  for (const auto& setting : arguments.settings) apply_setting(json, setting);
  if (arguments.steps) json["steps"] = parse_count(*arguments.steps, "--steps");
  return json;
}

int finish(std::int64_t done, const Recipe& recipe, const RunFolder& run) {
  if (done < recipe.steps) {
    std::cerr << "stopped after step " << done << "; --resume continues\n";
    return 130;
  }
  std::cerr << "done: " << run.path().string() << '\n';
  return 0;
}

torch::Device device_for(const Arguments& arguments, const Recipe& recipe) {
  const auto device = parse_device(arguments.device);
  if (device.is_cuda()) allow_tf32(arguments.tf32);
  const bool bfloat16 = computes_in_bfloat16(recipe.precision, device.type());
  const auto note = slow_dtype_note({device, bfloat16 ? torch::kBFloat16 : torch::kFloat32});
  if (!note.empty() && !arguments.quiet) std::cerr << "train: warning: " << note << '\n';
  return device;
}

int run_training(const Arguments& arguments) {
  const auto json = read_recipe(arguments);
  const auto recipe = parse_recipe(json, "'" + arguments.positional[0] + "'");
  const auto device = device_for(arguments, recipe);
  check_run(arguments);
  pool_cpu_memory();
  const RunFolder run(arguments.out);
  const auto task = make_task(recipe, run, device, encoding_bar(arguments.quiet));
  if (!arguments.init_from.empty() && !run.has_checkpoints()) task->init_from(arguments.init_from);
  watch_interrupts();
  try {
    write_json(run.path() / "recipe.json", json);
    return finish(train(*task, recipe, run, make_hooks(arguments)), recipe, run);
  } catch (const std::exception& error) {
    return report(error, 1);  // the input was good: the disk or the training failed
  }
}

int run_export(const Arguments& arguments) {
  if (arguments.positional.size() != 2) throw std::invalid_argument("--export needs a run and a folder; see --help");
  export_run(RunFolder(arguments.positional[0]), arguments.positional[1],
             {.dtype = parse_dtype(arguments.dtype),
              .max_shard_size = parse_byte_size("--max-shard-size", arguments.max_shard_size)});
  return 0;
}

int draw_curve(const Arguments& arguments) {
  if (arguments.positional.size() != 2) throw std::invalid_argument("--curve needs a run and a file; see --help");
  const auto svg = loss_curve_svg(RunFolder(arguments.positional[0]));
  write_file_atomically(arguments.positional[1], [&](std::ostream& out) { out << svg; });
  return 0;
}

int run(const std::vector<std::string>& words) {
  const auto arguments = ArgumentParser().parse(words);
  if (arguments.help) {
    std::cout << kUsage;
    return 0;
  }
  if (arguments.curve) return draw_curve(arguments);
  return arguments.exports ? run_export(arguments) : run_training(arguments);
}

}  // namespace

int run_or_report(const std::vector<std::string>& words) {
  try {
    return run(words);
  } catch (const std::exception& error) {
    return report(error, 2);
  }
}

}  // namespace sfumato

int main(int argc, char** argv) {
  return sfumato::run_or_report({argv + 1, argv + argc});
}
