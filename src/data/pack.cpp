#include "data/pack.h"

#include <stdexcept>

#include "checkpoints/safetensors.h"
#include "core/json.h"

namespace sfumato {
namespace {

using Shape = std::vector<std::int64_t>;

std::string text_of(const Shape& shape) {
  std::string text = "[";
  for (const auto extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

/// Texts stored as one run of bytes and their offsets.
struct Texts {
  torch::Tensor bytes;    // uint8 [B]
  torch::Tensor offsets;  // int64 [M + 1]

  std::int64_t size() const { return offsets.size(0) - 1; }
  std::string at(std::int64_t index) const {
    const auto* start = offsets.const_data_ptr<std::int64_t>() + index;
    return std::string(reinterpret_cast<const char*>(bytes.const_data_ptr<std::uint8_t>()) + start[0],
                       start[1] - start[0]);
  }
};

/// Reads tensors of one file, whose path is in every error.
struct Reader {
  std::filesystem::path path;
  SafetensorsFile file;

  [[noreturn]] void fail(const std::string& fault) const { throw std::runtime_error(path.string() + ": " + fault); }

  /// -1 in `expected` stands for any extent.
  torch::Tensor tensor(const std::string& name, torch::Dtype dtype, const Shape& expected) const {
    if (!file.contains(name)) fail("not a whole pack: no tensor '" + name + "'");
    const auto shape = file.shape(name);
    bool fits = shape.size() == expected.size() && file.dtype(name) == dtype;
    for (std::size_t i = 0; fits && i < shape.size(); ++i) fits = expected[i] < 0 || shape[i] == expected[i];
    if (!fits) {
      fail("'" + name + "' is " + std::string(c10::toString(file.dtype(name))) + " " + text_of(shape) + ", expected " +
           c10::toString(dtype) + " " + text_of(expected));
    }
    return file.tensor(name);
  }

  Texts texts(const std::string& prefix, std::int64_t count) const {
    Texts texts{tensor(prefix + ".bytes", torch::kUInt8, {-1}),
                tensor(prefix + ".offsets", torch::kInt64, {count + 1})};
    const auto offsets = texts.offsets.accessor<std::int64_t, 1>();
    bool rising = offsets[0] == 0 && offsets[count] == texts.bytes.size(0);
    for (std::int64_t i = 0; rising && i < count; ++i) rising = offsets[i] <= offsets[i + 1];
    if (!rising) fail("'" + prefix + ".offsets' do not rise from 0 to the length of '" + prefix + ".bytes'");
    return texts;
  }
};

Reader open_pack(const std::filesystem::path& path) {
  Reader reader{path, SafetensorsFile(path)};
  const auto& metadata = reader.file.metadata();
  const auto format = metadata.find("format");
  if (format == metadata.end() || format->second != "sfumato-pack") {
    reader.fail("not a pack (its metadata lacks \"format\": \"sfumato-pack\"); compose --pack makes one");
  }
  const auto version = metadata.find("version");
  if (version == metadata.end() || version->second != "1") reader.fail("a pack of another version, expected 1");
  return reader;
}

void check_scenes(const Reader& reader, const SceneBatch& scenes, std::int64_t cutouts) {
  const auto index = scenes.items.select(2, 0);
  const auto side = scenes.items.select(2, 3);
  const auto there = index >= 0;
  if (!scenes.items.isfinite().all().item<bool>() || !scenes.background.isfinite().all().item<bool>()) {
    reader.fail("a scene holds a number that is not finite");
  }
  if ((index >= cutouts).any().item<bool>()) {
    reader.fail("a scene names a cut-out that is not there, the file has " + std::to_string(cutouts));
  }
  if ((there & (side <= 0)).any().item<bool>()) reader.fail("a scene's item has a side that is not positive");
}

}  // namespace

struct Pack::Impl {
  std::int64_t size = 0;    // of a composed image, in pixels
  torch::Tensor images;     // uint8 [K, 3, H, W], or undefined
  torch::Tensor indices;    // int64 [M], the image of each caption; undefined where M = K, in order
  torch::Tensor cutouts;    // uint8 [K, 4, S, S], or undefined
  torch::Tensor thing_of;   // int32 [K], the number of each cut-out's thing, or undefined
  SceneBatch scenes;        // of cutouts
  torch::Tensor ids;        // int32 [M, L]
  torch::Tensor empty;      // int32 [L]
  torch::Tensor probe_ids;  // int32 [P, L]
  Texts captions, probes;
  std::int64_t held_out = 0;
  std::map<std::string, std::vector<std::string>> things;
  std::optional<CutoutPyramid> pyramid;  // on the device of the latest images()

  void read_images(const Reader& reader);
  void read_captions(const Reader& reader);
  std::int64_t count() const {
    if (indices.defined()) return indices.size(0);
    return images.defined() ? images.size(0) : scenes.items.size(0);
  }
};

void Pack::Impl::read_images(const Reader& reader) {
  if (reader.file.contains("images")) {
    images = reader.tensor("images", torch::kUInt8, {-1, 3, -1, -1});
    if (!reader.file.contains("images.index")) return;
    indices = reader.tensor("images.index", torch::kInt64, {-1});
    if (((indices < 0) | (indices >= images.size(0))).any().item<bool>())
      reader.fail("'images.index' names a picture that is not there, the file has " + std::to_string(images.size(0)));
    return;
  }
  cutouts = reader.tensor("cutouts", torch::kUInt8, {-1, 4, -1, -1});
  scenes.items = reader.tensor("scenes.items", torch::kFloat32, {-1, -1, 6});
  scenes.background = reader.tensor("scenes.background", torch::kFloat32, {scenes.items.size(0), 8});
  check_scenes(reader, scenes, cutouts.size(0));
  if (reader.file.contains("cutouts.things"))
    thing_of = reader.tensor("cutouts.things", torch::kInt32, {cutouts.size(0)});
}

void Pack::Impl::read_captions(const Reader& reader) {
  const auto count = this->count();
  ids = reader.tensor("captions.ids", torch::kInt32, {count, -1});
  captions = reader.texts("captions", count);
  empty = reader.tensor("empty.ids", torch::kInt32, {ids.size(1)});
  probe_ids = reader.tensor("probes.ids", torch::kInt32, {-1, ids.size(1)});
  probes = reader.texts("probes", probe_ids.size(0));
  held_out = reader.tensor("split.held_out", torch::kInt64, {1}).item<std::int64_t>();
  if (count == 0) reader.fail("holds no scenes");
  if (held_out < 0 || held_out >= count) {
    reader.fail("'split.held_out' is " + std::to_string(held_out) + " of " + std::to_string(count) + " scenes");
  }
}

Pack::Pack(const std::filesystem::path& path, std::int64_t size) : impl_(std::make_unique<Impl>()) {
  if (size < 1) throw std::invalid_argument("image size " + std::to_string(size) + ", expected at least 1");
  const auto reader = open_pack(path);
  impl_->size = size;
  impl_->read_images(reader);
  impl_->read_captions(reader);
  if (const auto found = reader.file.metadata().find("things"); found != reader.file.metadata().end()) {
    try {
      Json::parse(found->second).get_to(impl_->things);
    } catch (const Json::exception&) {
      reader.fail("its metadata's \"things\" is no JSON object of lists of words");
    }
  }
  const auto& thing_of = impl_->thing_of;
  const auto count = static_cast<std::int64_t>(impl_->things.size());
  if (thing_of.defined() && ((thing_of < 0) | (thing_of >= count)).any().item<bool>())
    reader.fail("'cutouts.things' goes beyond the " + std::to_string(count) + " things of its metadata");
}

Pack::~Pack() = default;
Pack::Pack(Pack&&) noexcept = default;

std::int64_t Pack::size() const {
  return impl_->count();
}

std::int64_t Pack::held_out() const {
  return impl_->held_out;
}

std::vector<std::int64_t> Pack::image_size() const {
  if (impl_->images.defined()) return {impl_->images.size(2), impl_->images.size(3)};
  return {impl_->size, impl_->size};
}

torch::Tensor Pack::images(const torch::Tensor& indices, torch::Device device) {
  if (impl_->images.defined()) {
    const auto rows = impl_->indices.defined() ? impl_->indices.index_select(0, indices) : indices;
    return impl_->images.index_select(0, rows).to(device).to(torch::kFloat32) / 127.5 - 1;
  }
  if (!impl_->pyramid || impl_->pyramid->device() != device) impl_->pyramid.emplace(impl_->cutouts, device);
  const SceneBatch scenes{impl_->scenes.items.index_select(0, indices),
                          impl_->scenes.background.index_select(0, indices)};
  return compose_scenes(*impl_->pyramid, scenes, impl_->size).clamp(0, 1) * 2 - 1;
}

torch::Tensor Pack::ids(const torch::Tensor& indices) const {
  return impl_->ids.index_select(0, indices).to(torch::kInt64);
}

torch::Tensor Pack::empty_ids() const {
  return impl_->empty.to(torch::kInt64);
}

std::string Pack::caption(std::int64_t index) const {
  TORCH_CHECK(index >= 0 && index < size(), "caption ", index, " of ", size());
  return impl_->captions.at(index);
}

torch::Tensor Pack::probe_ids() const {
  return impl_->probe_ids.to(torch::kInt64);
}

std::vector<std::string> Pack::probes() const {
  std::vector<std::string> texts;
  for (std::int64_t i = 0; i < impl_->probes.size(); ++i) texts.push_back(impl_->probes.at(i));
  return texts;
}

std::map<std::string, std::vector<std::string>> Pack::things() const {
  return impl_->things;
}

std::vector<std::string> Pack::thing_names() const {
  std::vector<std::string> names;
  for (const auto& [name, words] : impl_->things) names.push_back(name);
  return names;
}

torch::Tensor Pack::thing_labels(const torch::Tensor& indices) const {
  if (!impl_->thing_of.defined())
    throw std::runtime_error(
        "the pack does not name the things of its cut-outs (no tensor 'cutouts.things'): expected "
        "one of composed scenes, written by compose --pack");
  const auto items = impl_->scenes.items.index_select(0, indices).select(2, 0).to(torch::kInt64);  // [N, 3]
  const auto things = impl_->thing_of.to(torch::kInt64).index_select(0, items.clamp_min(0).flatten()).view_as(items);
  const auto count = static_cast<std::int64_t>(impl_->things.size());
  auto labels = torch::zeros({items.size(0), count + 1});  // the last column takes absent items
  labels.scatter_(1, torch::where(items >= 0, things, torch::full_like(things, count)), 1);
  return labels.narrow(1, 0, count).contiguous();
}

}  // namespace sfumato
