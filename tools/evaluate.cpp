// evaluate: measures a model's images, or those of a folder
// With a model: generates an image for each of a pack's held-out captions, classifies it, and prints the share of
// correct names. The ceiling is printed too: the pack's own images, unchanged and through the model's VAE. With a
// folder of images: their distances to others, and their CLIP score.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "command_line/command_line.h"
#include "command_line/program.h"
#include "core/writable.h"
#include "evaluate/folder.h"
#include "evaluate/model.h"

namespace {

using namespace sfumato;

void add_options(CLI::App& app, EvaluateOptions& options) {
  auto* const images =
      app.add_option("--images", options.images,
                     "measure this folder's images instead: distances (--judge), CLIP score (--clip-model)");
  const auto of_model = [&](CLI::Option* option) { option->excludes(images); };
  of_model(app.add_option("-m,--model", options.model,
                          "the model: a folder, a file or a name (default: the one that ships)"));
  app.add_option("--judge", options.judge, "folder of a classifier (train --export of a run of kind classifier)");
  app.add_option("--clip-model", options.clip_model, "folder of a CLIPModel, for the CLIP score");
  app.add_option("--pack", options.pack, "packed scenes, whose held-out captions are the prompts");
  app.add_option("--reference", options.reference, "with --images: the folder to compare with, instead of a pack")
      ->needs(images);
  app.add_option("-n,--number", options.count, "captions or images at most (200 captions, all images)")
      ->check(CLI::Range(1, 1000000));
  of_model(app.add_option("--steps", options.request.steps, "steps of each picture")->capture_default_str());
  of_model(
      app.add_option("--cfg-scale", options.request.guidance_scale, "guidance of each picture")->capture_default_str());
  of_model(app.add_option("--sampler", options.request.sampler, "sampler (default: the model's)"));
  of_model(app.add_option("-s,--seed", options.request.seed, "seed of the first picture; the next ones count on"));
  of_model(app.add_option("--sheet", options.sheet, "PNG to write: all pictures with their captions"));
  app.add_option("--json", options.json, "file to write the result to");
  app.add_option("--device", options.device, "auto, cpu, cuda or cuda:N");
  of_model(app.add_option("--dtype", options.dtype, "auto, float32, bfloat16 or float16"));
  app.add_flag("--quiet", options.quiet, "no progress");
}

/// Refuses combinations that measure nothing, or leave an option without effect.
void check(const EvaluateOptions& options) {
  if (options.images.empty()) {
    if (options.judge.empty()) throw std::invalid_argument("expected --judge: the classifier that names the pictures");
    if (options.pack.empty()) throw std::invalid_argument("expected --pack: its held-out captions are the prompts");
  } else {
    const bool has_reference = !options.pack.empty() || !options.reference.empty();
    if (options.judge.empty() && options.clip_model.empty())
      throw std::invalid_argument("--images: expected --judge for distances or --clip-model for the CLIP score");
    if (!options.pack.empty() && !options.reference.empty())
      throw std::invalid_argument("--pack and --reference: expected one of them");
    if (options.judge.empty() == has_reference)
      throw std::invalid_argument(has_reference
                                      ? "--pack or --reference: expected --judge too, which measures distances"
                                      : "--judge: expected --pack or --reference to compare with");
  }
  if (!options.sheet.empty() && std::filesystem::path(options.sheet).extension() != ".png")
    throw std::invalid_argument("--sheet '" + options.sheet + "': expected a name that ends in .png");
  for (const auto& file : {options.sheet, options.json})
    if (!file.empty()) check_writable(file, /*force=*/true);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Measures how many of a model's pictures show what their prompts name, or the pictures of a folder.",
               "evaluate");
  EvaluateOptions options;
  add_options(app, options);
  return run_program("evaluate", [&]() -> Compute {
    if (!parse_command_line(app, argc, argv)) return {};
    check(options);
    const int code = options.images.empty() ? evaluate_model(options) : evaluate_folder(options);
    return [code] { return code; };
  });
}
