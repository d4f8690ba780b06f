#include "evaluate/folder.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "core/files.h"
#include "core/json.h"
#include "core/placement.h"
#include "data/pack.h"
#include "evaluate/features.h"
#include "images/read.h"
#include "images/write.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

/// Images of a folder by their names, at most `count` of them unless it is 0.
std::vector<fs::path> image_files(const std::string& folder, std::int64_t count) {
  if (!fs::is_directory(folder)) throw std::invalid_argument("'" + folder + "' is no folder of images");
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && is_writable_format(entry.path())) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  if (count > 0 && files.size() > static_cast<std::size_t>(count)) files.resize(static_cast<std::size_t>(count));
  return files;
}

/// The prompt in parameters of AUTOMATIC1111's form, which most programs write.
std::string prompt_of(const std::string& parameters) {
  return parameters.substr(0, std::min(parameters.rfind("\nNegative prompt: "), parameters.rfind("\nSteps: ")));
}

/// Returns the first line of the .txt file of an image's name, else the prompt in the image's own parameters.
std::string caption_of(const fs::path& image) {
  const auto beside = fs::path(image).replace_extension(".txt");
  if (fs::exists(beside)) {
    const auto text = read_file(beside);
    return text.substr(0, text.find_first_of("\r\n"));
  }
  for (const auto& [key, text] : read_image_texts(image))
    if (key == "parameters") return prompt_of(text);
  throw std::runtime_error("'" + image.string() + "' has no caption: expected a .txt beside it, or an image that " +
                           "stores its prompt as txt2img does");
}

/// Images of one size, [N, 3, H, W] in [-1, 1].
torch::Tensor read_images(const std::vector<fs::path>& files) {
  std::vector<torch::Tensor> images;
  for (const auto& file : files) {
    images.push_back(read_image(file));
    if (images.back().sizes() != images.front().sizes())
      throw std::runtime_error("'" + file.string() + "' has another size than '" + files.front().string() +
                               "': expected images of one size");
  }
  return torch::cat(images);
}

/// The images to compare with: those of a folder, or the held-out ones of a pack at `side` pixels.
torch::Tensor reference_images(const EvaluateOptions& options, std::int64_t side) {
  if (!options.reference.empty()) return read_images(image_files(options.reference, options.count));
  Pack pack(options.pack, side);
  const auto scenes = held_out_scenes(pack);
  return pack.images(options.count > 0 ? scenes.slice(0, 0, options.count) : scenes);
}

}  // namespace

int evaluate_folder(const EvaluateOptions& options) {
  const auto files = image_files(options.images, options.count);
  if (files.empty()) throw std::invalid_argument("'" + options.images + "' has no images");
  if (!options.judge.empty()) check_count(static_cast<std::int64_t>(files.size()), "'" + options.images + "'");
  std::optional<Judge> judge;
  if (!options.judge.empty()) judge.emplace(options.judge);
  std::vector<std::string> captions;
  if (!options.clip_model.empty())
    for (const auto& file : files) captions.push_back(caption_of(file));
  const auto clip = options.clip_model.empty() ? nullptr : load_clip(options.clip_model, parse_device(options.device));
  const auto images = read_images(files);
  nlohmann::ordered_json json = {{"images", options.images}, {"count", images.size(0)}};
  if (judge) {
    const auto real = reference_images(options, images.size(2));
    check_count(real.size(0), "'" + (options.reference.empty() ? options.pack : options.reference) + "'");
    const auto found = distances(judged_features(*judge, real), judged_features(*judge, images));
    print_distances(found);
    add_distances(found, json);
  }
  if (clip) {
    const double score = mean_clip_score(*clip, images, captions);
    std::printf("CLIP score: %.2f\n", score);
    json["clip_score"] = score;
  }
  std::printf("%lld images\n", static_cast<long long>(images.size(0)));
  if (!options.json.empty()) write_json(options.json, json);
  return 0;
}

}  // namespace sfumato
