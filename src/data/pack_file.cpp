#include "data/pack_file.h"

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

  PackTexts texts(const std::string& prefix, std::int64_t count) const {
    PackTexts texts{tensor(prefix + ".bytes", torch::kUInt8, {-1}),
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

void read_pixels(const Reader& reader, PackFile& pack) {
  if (reader.file.contains("images")) {
    pack.pixels = reader.tensor("images", torch::kUInt8, {-1, 3, -1, -1});
    if (!reader.file.contains("images.index")) return;
    pack.pixel_rows = reader.tensor("images.index", torch::kInt64, {-1});
    if (((pack.pixel_rows < 0) | (pack.pixel_rows >= pack.pixels.size(0))).any().item<bool>())
      reader.fail("'images.index' names a picture that is not there, the file has " +
                  std::to_string(pack.pixels.size(0)));
    return;
  }
  pack.cutouts = std::make_shared<PackCutouts>(PackCutouts{reader.tensor("cutouts", torch::kUInt8, {-1, 4, -1, -1})});
  const auto count = pack.cutouts->rgba.size(0);
  pack.scenes.items = reader.tensor("scenes.items", torch::kFloat32, {-1, -1, 6});
  pack.scenes.background = reader.tensor("scenes.background", torch::kFloat32, {pack.scenes.items.size(0), 8});
  check_scenes(reader, pack.scenes, count);
  if (reader.file.contains("cutouts.things")) pack.thing_of = reader.tensor("cutouts.things", torch::kInt32, {count});
}

/// Returns M of the images.
std::int64_t image_rows(const PackFile& pack) {
  if (pack.pixel_rows.defined()) return pack.pixel_rows.size(0);
  return pack.pixels.defined() ? pack.pixels.size(0) : pack.scenes.items.size(0);
}

void read_captions(const Reader& reader, PackFile& pack) {
  const auto count = image_rows(pack);
  pack.token_ids = reader.tensor("captions.ids", torch::kInt32, {count, -1});
  pack.captions = reader.texts("captions", count);
  const auto length = pack.token_ids.size(1);
  pack.empty = reader.tensor("empty.ids", torch::kInt32, {length});
  pack.probe_ids = reader.tensor("probes.ids", torch::kInt32, {-1, length});
  pack.probes = reader.texts("probes", pack.probe_ids.size(0));
  pack.held_out = reader.tensor("split.held_out", torch::kInt64, {1}).item<std::int64_t>();
  if (count == 0) reader.fail("holds no scenes");
  if (pack.held_out < 0 || pack.held_out >= count) {
    reader.fail("'split.held_out' is " + std::to_string(pack.held_out) + " of " + std::to_string(count) + " scenes");
  }
}

void read_things(const Reader& reader, PackFile& pack) {
  if (const auto found = reader.file.metadata().find("things"); found != reader.file.metadata().end()) {
    try {
      Json::parse(found->second).get_to(pack.things);
    } catch (const Json::exception&) {
      reader.fail("its metadata's \"things\" is no JSON object of lists of words");
    }
  }
  const auto count = static_cast<std::int64_t>(pack.things.size());
  if (pack.thing_of.defined() && ((pack.thing_of < 0) | (pack.thing_of >= count)).any().item<bool>())
    reader.fail("'cutouts.things' goes beyond the " + std::to_string(count) + " things of its metadata");
}

}  // namespace

std::string PackTexts::at(std::int64_t index) const {
  const auto* start = offsets.const_data_ptr<std::int64_t>() + index;
  return std::string(reinterpret_cast<const char*>(bytes.const_data_ptr<std::uint8_t>()) + start[0],
                     start[1] - start[0]);
}

PackFile read_pack_file(const std::filesystem::path& path) {
  const auto reader = open_pack(path);
  PackFile pack;
  pack.path = path;
  read_pixels(reader, pack);
  read_captions(reader, pack);
  read_things(reader, pack);
  return pack;
}

torch::Tensor PackFile::images(const torch::Tensor& rows, std::int64_t side, torch::Device device) {
  if (pixels.defined()) {
    const auto of_rows = pixel_rows.defined() ? pixel_rows.index_select(0, rows) : rows;
    return pixels.index_select(0, of_rows).to(device).to(torch::kFloat32) / 127.5 - 1;
  }
  auto& pyramid = cutouts->pyramid;
  if (!pyramid || pyramid->device() != device) pyramid.emplace(cutouts->rgba, device);
  const SceneBatch chosen{scenes.items.index_select(0, rows), scenes.background.index_select(0, rows)};
  return compose_scenes(*pyramid, chosen, side).clamp(0, 1) * 2 - 1;
}

torch::Tensor PackFile::thing_labels(const torch::Tensor& rows) const {
  const auto items = scenes.items.index_select(0, rows).select(2, 0).to(torch::kInt64);  // [N, 3]
  const auto numbers = thing_of.to(torch::kInt64).index_select(0, items.clamp_min(0).flatten()).view_as(items);
  const auto count = static_cast<std::int64_t>(things.size());
  auto labels = torch::zeros({items.size(0), count + 1});  // the last column takes absent items
  labels.scatter_(1, torch::where(items >= 0, numbers, torch::full_like(numbers, count)), 1);
  return labels.narrow(1, 0, count).contiguous();
}

}  // namespace sfumato
