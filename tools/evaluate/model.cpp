#include "evaluate/model.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <vector>

#include "command_line/program.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/placement.h"
#include "core/progress.h"
#include "core/shipped_folders.h"
#include "data/pack.h"
#include "engine/find_model.h"
#include "evaluate/features.h"
#include "images/png.h"
#include "scenes/captioned_sheet.h"
#include "systems/stable_diffusion/generate.h"

namespace sfumato {
namespace {

constexpr std::int64_t kVaeBatch = 16, kDefaultCount = 200;

/// Held-out scenes, with one thing or two different ones.
struct Cases {
  torch::Tensor indices, labels;  // int64 [N], float32 [N, K]
  std::vector<std::string> captions;
};

struct Result {
  NamingCounts real, through_vae, generated;
  Distances distances;  ///< of the generated images to the pack's own
  double real_clip_score = 0;
  std::optional<double> clip_score;
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
  const auto held_out = held_out_scenes(pack);
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

/// Classifies the pack's images, unchanged and through the VAE. Returns the former, [N, 3, S, S]; fewer after Ctrl-C.
torch::Tensor judge_real(const StableDiffusion& model, Pack& pack, Judge& judge, const Cases& cases, Result& result) {
  std::vector<torch::Tensor> all;
  const auto count = cases.indices.size(0);
  for (std::int64_t first = 0; first < count && !interrupted(); first += kVaeBatch) {
    const auto length = std::min(kVaeBatch, count - first);
    const auto images = pack.images(cases.indices.narrow(0, first, length));
    const auto labels = cases.labels.narrow(0, first, length);
    result.real.add(judge.scores(images), labels);
    result.through_vae.add(judge.scores(through_vae(model, images)), labels);
    all.push_back(images);
  }
  return torch::cat(all);
}

void judge_generated(const torch::Tensor& images, Judge& judge, const Cases& cases, Result& result) {
  for (const auto& part : torch::arange(images.size(0)).split(kVaeBatch))
    result.generated.add(judge.scores(images.index_select(0, part)), cases.labels.index_select(0, part));
}

/// Generates an image for each caption, [N, 3, H, W]; fewer after Ctrl-C.
torch::Tensor generate(const StableDiffusion& model, const Cases& cases, const EvaluateOptions& options) {
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
  print_distances(result.distances);
  if (result.clip_score)
    std::printf("CLIP score: real %.2f, generated %.2f\n", result.real_clip_score, *result.clip_score);
  std::printf("%lld images of one thing, %lld of two\n", static_cast<long long>(result.generated.singles),
              static_cast<long long>(result.generated.pairs));
}

void write_sheet(const std::string& path, const torch::Tensor& images, const Cases& cases) {
  constexpr std::int64_t kColumns = 10;
  const std::vector<std::string> captions(cases.captions.begin(), cases.captions.begin() + images.size(0));
  write_png(path, captioned_sheet((images + 1) / 2, captions, kColumns) * 2 - 1);
}

nlohmann::ordered_json to_json(const Result& result, const std::string& model) {
  nlohmann::ordered_json json = {{"model", model},
                                 {"real", to_json(result.real)},
                                 {"through_vae", to_json(result.through_vae)},
                                 {"generated", to_json(result.generated)}};
  add_distances(result.distances, json);
  if (result.clip_score) json["clip_score"] = {{"real", result.real_clip_score}, {"generated", *result.clip_score}};
  return json;
}

}  // namespace

int evaluate_model(const EvaluateOptions& options) {
  const auto path = find_model(options.model, model_roots(SFUMATO_SOURCE_DIR));
  Judge judge(options.judge);
  const auto placement = parse_placement(options.device, options.dtype);
  const auto clip = options.clip_model.empty() ? nullptr : load_clip(options.clip_model, placement.device);
  const auto model = load_stable_diffusion(path, placement, shipped_folders("tokenizer", SFUMATO_SOURCE_DIR));
  if (model.default_width() != model.default_height())
    throw std::runtime_error("model '" + path.string() + "' makes pictures that are not square");
  Pack pack(options.pack, model.default_width());
  const auto cases = choose_cases(pack, judge, options.count > 0 ? options.count : kDefaultCount);
  check_count(cases.indices.size(0), "held-out scenes of one or two things in '" + options.pack + "'");
  watch_interrupts();
  Result result;
  const auto images = generate(model, cases, options);
  if (!images.defined() || images.size(0) < cases.indices.size(0)) return interrupted_exit_code();
  const auto real = judge_real(model, pack, judge, cases, result);
  if (interrupted()) return interrupted_exit_code();
  judge_generated(images, judge, cases, result);
  result.distances = distances(judged_features(judge, real), judged_features(judge, images));
  if (clip) {
    result.real_clip_score = mean_clip_score(*clip, real, cases.captions);
    result.clip_score = mean_clip_score(*clip, images, cases.captions);
  }
  print_table(result);
  if (!options.sheet.empty()) write_sheet(options.sheet, images, cases);
  if (!options.json.empty()) write_json(options.json, to_json(result, path.string()));
  return 0;
}

}  // namespace sfumato
