#include "scenes/pack_writer.h"

#include <cstring>
#include <map>
#include <stdexcept>
#include <unordered_map>

#include "checkpoints/safetensors.h"
#include "core/json.h"

namespace sfumato {
namespace {

using Tensors = std::map<std::string, torch::Tensor>;

void add_texts(Tensors& tensors, const std::string& prefix, const std::vector<std::string>& texts) {
  std::string all;
  std::vector<std::int64_t> offsets{0};
  for (const auto& text : texts) {
    all += text;
    offsets.push_back(static_cast<std::int64_t>(all.size()));
  }
  auto bytes = torch::empty({static_cast<std::int64_t>(all.size())}, torch::kUInt8);
  std::memcpy(bytes.data_ptr(), all.data(), all.size());
  tensors[prefix + ".bytes"] = bytes;
  tensors[prefix + ".offsets"] = torch::tensor(offsets, torch::kInt64);
}

/// Returns token ids int32 [N, L]. Repeated captions are tokenized once.
torch::Tensor ids_of(const std::vector<std::string>& texts, const Tokenizer& tokenizer) {
  const auto length = tokenizer.max_length();
  auto ids = torch::empty({static_cast<std::int64_t>(texts.size()), length}, torch::kInt32);
  std::unordered_map<std::string, std::vector<std::int32_t>> known;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto [found, is_first] = known.try_emplace(texts[i]);
    if (is_first) {
      const auto tokens = tokenizer.encode(texts[i]).ids;
      found->second.assign(tokens.begin(), tokens.end());
    }
    std::memcpy(ids.data_ptr<std::int32_t>() + i * length, found->second.data(), length * sizeof(std::int32_t));
  }
  return ids;
}

void add_captions(Tensors& tensors, const PackContents& contents, const Tokenizer& tokenizer) {
  add_texts(tensors, "captions", contents.captions);
  add_texts(tensors, "probes", contents.probes);
  tensors["captions.ids"] = ids_of(contents.captions, tokenizer);
  tensors["probes.ids"] = ids_of(contents.probes, tokenizer);
  tensors["empty.ids"] = ids_of({""}, tokenizer)[0];
}

/// Returns int32 [K]: each cut-out's thing as its index among the keys of `things`.
torch::Tensor cutout_things_of(const PackContents& contents) {
  if (static_cast<std::int64_t>(contents.cutout_things.size()) != contents.cutouts.size(0))
    throw std::invalid_argument(std::to_string(contents.cutout_things.size()) + " names of things for " +
                                std::to_string(contents.cutouts.size(0)) + " cut-outs");
  std::vector<std::int32_t> numbers;
  for (const auto& name : contents.cutout_things) {
    const auto found = contents.things.find(name);
    if (found == contents.things.end()) throw std::invalid_argument("a cut-out of '" + name + "', which is no thing");
    numbers.push_back(static_cast<std::int32_t>(std::distance(contents.things.begin(), found)));
  }
  return torch::tensor(numbers, torch::kInt32);
}

}  // namespace

SceneTensors to_tensors(const std::vector<Scene>& scenes) {
  const auto count = static_cast<std::int64_t>(scenes.size());
  SceneTensors tensors{torch::zeros({count, static_cast<std::int64_t>(kMaxItems), 6}), torch::zeros({count, 8})};
  tensors.items.select(2, 0).fill_(-1);
  auto items = tensors.items.accessor<float, 3>();
  auto background = tensors.background.accessor<float, 2>();
  for (std::int64_t m = 0; m < count; ++m) {
    const auto& scene = scenes[m];
    TORCH_CHECK(scene.items.size() <= kMaxItems, "a scene of ", scene.items.size(), " items");
    for (std::size_t i = 0; i < scene.items.size(); ++i) {
      const auto& placed = scene.items[i];
      const double row[6] = {static_cast<double>(placed.cutout),
                             placed.x,
                             placed.y,
                             placed.side,
                             placed.flip ? 1.0 : 0.0,
                             placed.rotation};
      for (int k = 0; k < 6; ++k) items[m][static_cast<std::int64_t>(i)][k] = static_cast<float>(row[k]);
    }
    const auto& backdrop = scene.backdrop;
    background[m][0] = static_cast<float>(backdrop.kind);
    for (int c = 0; c < 3; ++c) {
      background[m][1 + c] = static_cast<float>(backdrop.top[c]);
      background[m][4 + c] = static_cast<float>(backdrop.bottom[c]);
    }
    background[m][7] = static_cast<float>(backdrop.horizon);
  }
  return tensors;
}

void write_pack(const std::filesystem::path& path, const PackContents& contents, const Tokenizer& tokenizer) {
  const bool composed = contents.cutouts.defined();
  const bool indexed = contents.image_indices.defined();
  const auto count = composed  ? contents.scenes.items.size(0)
                     : indexed ? contents.image_indices.size(0)
                               : contents.images.size(0);
  if (count != static_cast<std::int64_t>(contents.captions.size())) {
    throw std::invalid_argument(std::to_string(count) + " pictures and " + std::to_string(contents.captions.size()) +
                                " captions");
  }
  if (contents.held_out < 0 || contents.held_out >= count) {
    throw std::invalid_argument(std::to_string(contents.held_out) + " held out of " + std::to_string(count) +
                                ", expected fewer than there are");
  }
  Tensors tensors;
  if (composed) {
    tensors["cutouts"] = contents.cutouts;
    if (!contents.cutout_things.empty()) tensors["cutouts.things"] = cutout_things_of(contents);
    tensors["scenes.items"] = contents.scenes.items;
    tensors["scenes.background"] = contents.scenes.background;
  } else {
    tensors["images"] = contents.images;
    if (indexed) tensors["images.index"] = contents.image_indices;
  }
  add_captions(tensors, contents, tokenizer);
  tensors["split.held_out"] = torch::tensor({contents.held_out}, torch::kInt64);
  std::map<std::string, std::string> metadata{{"format", "sfumato-pack"}, {"version", "1"}};
  if (!contents.things.empty()) metadata["things"] = Json(contents.things).dump();
  write_safetensors(path, tensors, metadata);
}

}  // namespace sfumato
