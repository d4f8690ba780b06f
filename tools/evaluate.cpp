// evaluate: measures how many of a model's images show the things that their prompts name
// Generates an image for each of a pack's held-out captions, classifies it, and prints the share of correct names. The
// ceiling is printed too: the pack's own images, unchanged and through the model's VAE.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "command_line/command_line.h"
#include "core/error_text.h"
#include "core/files.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/memory_pool.h"
#include "core/placement.h"
#include "core/progress.h"
#include "core/shipped_folders.h"
#include "core/writable.h"
#include "data/pack.h"
#include "engine/find_model.h"
#include "evaluation/distances.h"
#include "evaluation/judge.h"
#include "images/png.h"
#include "scenes/captioned_sheet.h"
#include "systems/stable_diffusion/generate.h"

namespace {

using namespace sfumato;

constexpr int kFailure = 1, kMistake = 2, kInterrupted = 130;
constexpr std::int64_t kVaeBatch = 16;

struct Options {
  std::string model, judge, pack, sheet, json, device = "auto", dtype = "auto";
  std::int64_t count = 200;
  Request request;
  bool quiet = false;
};

/// Held-out scenes, with one thing or two different ones.
struct Cases {
  torch::Tensor indices, labels;  // int64 [N], float32 [N, K]
  std::vector<std::string> captions;
};

struct Result {
  NamingCounts real, through_vae, generated;
  /// Distances of the generated images to the pack's own, by the classifier's features.
  double frechet = 0, kernel = 0;
  PrecisionRecall overlap;
};

std::vector<std::int64_t> order_of(const std::vector<std::string>& from, const std::vector<std::string>& to) {
  std::vector<std::int64_t> places;
  for (const auto& name : to) {
    const auto found = std::find(from.begin(), from.end(), name);
    if (found == from.end()) throw std::runtime_error("the judge has a label '" + name + "', which the pack lacks");
    places.push_back(found - from.begin());
  }
  return places;
}

Cases choose_cases(const Pack& pack, const Judge& judge, std::int64_t count) {
  if (pack.held_out() == 0) throw std::runtime_error("the pack holds no scene out, expected some (compose --held-out)");
  const auto held_out = torch::arange(pack.size() - pack.held_out(), pack.size());
  const auto places = torch::tensor(order_of(pack.thing_names(), judge.labels()), torch::kInt64);
  const auto labels = pack.thing_labels(held_out).index_select(1, places);
  const auto things = labels.sum(1);
  const auto fitting = torch::nonzero((things == 1) | (things == 2)).flatten();
  const auto rows = fitting.narrow(0, 0, std::min(count, fitting.size(0)));
  Cases cases{held_out.index_select(0, rows), labels.index_select(0, rows), {}};
  for (std::int64_t i = 0; i < rows.size(0); ++i)
    cases.captions.push_back(pack.caption(cases.indices[i].item<std::int64_t>()));
  return cases;
}

torch::Tensor through_vae(const StableDiffusion& model, const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  const auto x = images.to(model.vae_placement.device, model.vae_placement.dtype);
  return model.vae->decode(model.vae->encode(x).mode()).to(torch::kCPU, torch::kFloat32).clamp(-1, 1);
}

/// Classifies the pack's images, unchanged and through the VAE. Returns the features of the former, [N, D].
torch::Tensor judge_real(const StableDiffusion& model, Pack& pack, Judge& judge, const Cases& cases, Result& result) {
  std::vector<torch::Tensor> features;
  const auto count = cases.indices.size(0);
  for (std::int64_t first = 0; first < count && !interrupted(); first += kVaeBatch) {
    const auto length = std::min(kVaeBatch, count - first);
    const auto images = pack.images(cases.indices.narrow(0, first, length));
    const auto labels = cases.labels.narrow(0, first, length);
    result.real.add(judge.scores(images), labels);
    result.through_vae.add(judge.scores(through_vae(model, images)), labels);
    features.push_back(judge.features(images));
  }
  return torch::cat(features);
}

/// Classifies the generated images. Returns their features, [N, D].
torch::Tensor judge_generated(const torch::Tensor& images, Judge& judge, const Cases& cases, Result& result) {
  std::vector<torch::Tensor> features;
  for (const auto& part : torch::arange(images.size(0)).split(kVaeBatch)) {
    const auto shown = images.index_select(0, part);
    result.generated.add(judge.scores(shown), cases.labels.index_select(0, part));
    features.push_back(judge.features(shown));
  }
  return torch::cat(features);
}

/// Generates an image for each caption, [N, 3, H, W]; fewer after Ctrl-C.
torch::Tensor generate(const StableDiffusion& model, const Cases& cases, const Options& options) {
  Progress progress("generate", cases.indices.size(0),
                    options.quiet ? Progress::Style::kQuiet : Progress::Style::kAutomatic);
  std::vector<torch::Tensor> images;
  for (const auto& caption : cases.captions) {
    auto request = options.request;
    request.prompt = caption;
    request.seed += images.size();
    const auto generated = text_to_image(model, request, [](int, int, const torch::Tensor&) { return !interrupted(); });
    if (!generated.images.defined()) break;
    images.push_back(generated.images.clamp(-1, 1));
    progress.update(static_cast<std::int64_t>(images.size()));
  }
  progress.finish();
  return images.empty() ? torch::Tensor() : torch::cat(images);
}

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

nlohmann::ordered_json to_json(const NamingCounts& counts) {
  return {{"one_thing",
           {{"images", counts.singles},
            {"top1", share(counts.top1, counts.singles)},
            {"top5", share(counts.top5, counts.singles)}}},
          {"two_things", {{"images", counts.pairs}, {"both", share(counts.both, counts.pairs)}}}};
}

void print_table(const Result& result) {
  const auto row = [](const char* name, auto value, const Result& r) {
    std::printf("%-28s %8.1f%% %12.1f%% %10.1f%%\n", name, 100 * value(r.real), 100 * value(r.through_vae),
                100 * value(r.generated));
  };
  std::printf("%-28s %9s %13s %11s\n", "named by the judge", "real", "through VAE", "generated");
  row(
      "one thing, top 1", [](const NamingCounts& c) { return share(c.top1, c.singles); }, result);
  row(
      "one thing, top 5", [](const NamingCounts& c) { return share(c.top5, c.singles); }, result);
  row(
      "two things, both", [](const NamingCounts& c) { return share(c.both, c.pairs); }, result);
  std::printf("by the judge's features: Frechet distance %.3f, kernel distance %.5f, precision %.3f, recall %.3f\n",
              result.frechet, result.kernel, result.overlap.precision, result.overlap.recall);
  std::printf("%lld images of one thing, %lld of two\n", static_cast<long long>(result.generated.singles),
              static_cast<long long>(result.generated.pairs));
}

void write_sheet(const std::string& path, const torch::Tensor& images, const Cases& cases) {
  constexpr std::int64_t kColumns = 10;
  const std::vector<std::string> captions(cases.captions.begin(), cases.captions.begin() + images.size(0));
  write_png(path, captioned_sheet((images + 1) / 2, captions, kColumns) * 2 - 1);
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("-m,--model", options.model, "the model: a folder, a file or a name (default: the one that ships)");
  app.add_option("--judge", options.judge, "folder of a classifier (train --export of a run of kind classifier)")
      ->required();
  app.add_option("--pack", options.pack, "packed scenes, whose held-out captions are the prompts")->required();
  app.add_option("-n,--number", options.count, "captions at most")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--steps", options.request.steps, "steps of each picture")->capture_default_str();
  app.add_option("--cfg-scale", options.request.guidance_scale, "guidance of each picture")->capture_default_str();
  app.add_option("--sampler", options.request.sampler, "sampler (default: the model's)");
  app.add_option("-s,--seed", options.request.seed, "seed of the first picture; the next ones count on");
  app.add_option("--sheet", options.sheet, "PNG to write: all pictures with their captions");
  app.add_option("--json", options.json, "file to write the result to");
  app.add_option("--device", options.device, "auto, cpu, cuda or cuda:N");
  app.add_option("--dtype", options.dtype, "auto, float32, bfloat16 or float16");
  app.add_flag("--quiet", options.quiet, "no progress");
}

int run(const Options& options) {
  if (!options.sheet.empty() && std::filesystem::path(options.sheet).extension() != ".png")
    throw std::invalid_argument("--sheet '" + options.sheet + "': expected a name that ends in .png");
  for (const auto& file : {options.sheet, options.json})
    if (!file.empty()) check_writable(file, /*force=*/true);
  const auto path = find_model(options.model, model_roots(SFUMATO_SOURCE_DIR));
  Judge judge(options.judge);
  const auto model = load_stable_diffusion(path, parse_placement(options.device, options.dtype),
                                           shipped_folders("tokenizer", SFUMATO_SOURCE_DIR));
  if (model.default_width() != model.default_height())
    throw std::runtime_error("model '" + path.string() + "' makes pictures that are not square");
  Pack pack(options.pack, model.default_width());
  const auto cases = choose_cases(pack, judge, options.count);
  watch_interrupts();
  Result result;
  const auto images = generate(model, cases, options);
  if (!images.defined() || images.size(0) < cases.indices.size(0)) return kInterrupted;
  const auto real = judge_real(model, pack, judge, cases, result);
  if (interrupted()) return kInterrupted;
  const auto made = judge_generated(images, judge, cases, result);
  result.frechet = frechet_distance(real, made);
  result.kernel = kernel_distance(real, made);
  result.overlap = precision_recall(real, made);
  print_table(result);
  if (!options.sheet.empty()) write_sheet(options.sheet, images, cases);
  if (!options.json.empty())
    write_json(options.json, {{"model", path.string()},
                              {"real", to_json(result.real)},
                              {"through_vae", to_json(result.through_vae)},
                              {"generated", to_json(result.generated)},
                              {"frechet_distance", result.frechet},
                              {"kernel_distance", result.kernel},
                              {"precision", result.overlap.precision},
                              {"recall", result.overlap.recall}});
  return 0;
}

int complain(const std::exception& error, int code) {
  std::cerr << "evaluate: " << error_text(error) << "\n";
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Measures how many of a model's pictures show what their prompts name.", "evaluate");
  Options options;
  add_options(app, options);
  pool_cpu_memory();
  try {
    return parse_command_line(app, argc, argv) ? run(options) : 0;
  } catch (const c10::Error& error) {
    return complain(error, kFailure);
  } catch (const std::system_error& error) {
    return complain(error, kFailure);
  } catch (const std::exception& error) {
    return complain(error, kMistake);
  }
}
