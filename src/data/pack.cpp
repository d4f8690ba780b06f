#include "data/pack.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "data/pack_file.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".safetensors" && entry.path().filename().string().front() != '.')
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  if (files.empty())
    throw std::runtime_error("'" + folder.string() +
                             "' holds no packs: expected files *.safetensors of compose --pack");
  return files;
}

[[noreturn]] void refuse_pair(const PackFile& first, const PackFile& other, const std::string& why) {
  throw std::runtime_error("the packs '" + first.path.string() + "' and '" + other.path.string() +
                           "' do not fit together: " + why);
}

std::string pixels_text(const std::vector<std::int64_t>& size) {
  return std::to_string(size[1]) + "x" + std::to_string(size[0]);
}

std::vector<std::int64_t> image_size_of(const PackFile& file, std::int64_t side) {
  if (file.pixels.defined()) return {file.pixels.size(2), file.pixels.size(3)};
  return {side, side};
}

/// Refuses two packs with other token ids for the same text.
void check_same_ids(const PackFile& first, const PackFile& other) {
  bool same = torch::equal(first.empty, other.empty);
  for (std::int64_t i = 0; same && i < first.probes.size(); ++i)
    for (std::int64_t k = 0; same && k < other.probes.size(); ++k)
      same = first.probes.at(i) != other.probes.at(k) || torch::equal(first.probe_ids[i], other.probe_ids[k]);
  if (!same) refuse_pair(first, other, "they have different token ids for the same text, expected one tokenizer");
}

void check_fit(const PackFile& first, const PackFile& other, std::int64_t side) {
  if (fs::equivalent(first.path, other.path)) refuse_pair(first, other, "they are the same file, expected it once");
  const auto length = first.empty.size(0), other_length = other.empty.size(0);
  if (length != other_length)
    refuse_pair(first, other,
                "their captions have " + std::to_string(length) + " and " + std::to_string(other_length) +
                    " token ids, expected one tokenizer");
  check_same_ids(first, other);
  const auto size = image_size_of(first, side), other_size = image_size_of(other, side);
  if (size != other_size)
    refuse_pair(
        first, other,
        "their images are " + pixels_text(size) + " and " + pixels_text(other_size) + " pixels, expected one size");
}

}  // namespace

std::vector<fs::path> pack_files(const std::vector<fs::path>& places) {
  std::vector<fs::path> files;
  for (const auto& place : places) {
    if (!fs::is_directory(place)) {
      files.push_back(place);
      continue;
    }
    const auto inside = files_in(place);
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

struct Pack::Impl {
  /// Rows of one file that follow one another in the pack.
  struct Run {
    std::size_t file;
    std::int64_t first_row;
  };

  std::int64_t side = 0;  // of a composed image, in pixels
  std::vector<PackFile> files;
  std::vector<Run> runs;  // the training scenes of each file, then the held-out scenes of each
  torch::Tensor ends;     // int64 [R], one past the last index of each run
  std::int64_t size = 0, held_out = 0;
  std::vector<std::pair<std::size_t, std::int64_t>> probes;  // file and row; none twice in different files
  std::map<std::string, std::vector<std::string>> things;

  void add(PackFile file);
  void number_scenes();
  void add_run(std::size_t file, std::int64_t first_row, std::int64_t count, std::vector<std::int64_t>& run_ends);
  void add_probes(const PackFile& file);
  /// Marks the things of a file's scenes by their number in the united `things`.
  torch::Tensor labels_of(const PackFile& file, const torch::Tensor& rows) const;

  /// Returns the rows of f(file, rows), a tensor [n, ...] for the n of `indices` that lie in the file, in the order of
  /// `indices`.
  template <class F>
  torch::Tensor gather(const torch::Tensor& indices, const F& f);
};

void Pack::Impl::add(PackFile file) {
  if (!files.empty()) check_fit(files.front(), file, side);
  for (const auto& earlier : files) {
    if (fs::equivalent(earlier.path, file.path)) check_fit(earlier, file, side);
    if (file.cutouts && earlier.cutouts && torch::equal(earlier.cutouts->rgba, file.cutouts->rgba))
      file.cutouts = earlier.cutouts;
  }
  for (const auto& [name, words] : file.things) {
    auto& all = things[name];
    for (const auto& word : words)
      if (std::find(all.begin(), all.end(), word) == all.end()) all.push_back(word);
  }
  add_probes(file);
  files.push_back(std::move(file));
}

void Pack::Impl::add_probes(const PackFile& file) {
  const auto earlier = probes;
  for (std::int64_t row = 0; row < file.probes.size(); ++row) {
    const auto is_same = [&](const auto& probe) {
      return files[probe.first].probes.at(probe.second) == file.probes.at(row);
    };
    if (std::none_of(earlier.begin(), earlier.end(), is_same)) probes.emplace_back(files.size(), row);
  }
}

torch::Tensor Pack::Impl::labels_of(const PackFile& file, const torch::Tensor& rows) const {
  std::vector<std::int64_t> columns;
  for (const auto& [name, words] : file.things) columns.push_back(std::distance(things.begin(), things.find(name)));
  auto labels = torch::zeros({rows.size(0), static_cast<std::int64_t>(things.size())});
  return labels.index_copy_(1, torch::tensor(columns, torch::kInt64), file.thing_labels(rows));
}

void Pack::Impl::add_run(std::size_t file, std::int64_t first_row, std::int64_t count,
                         std::vector<std::int64_t>& run_ends) {
  if (count == 0) return;
  runs.push_back({file, first_row});
  size += count;
  run_ends.push_back(size);
}

void Pack::Impl::number_scenes() {
  std::vector<std::int64_t> run_ends;
  for (std::size_t f = 0; f < files.size(); ++f) add_run(f, 0, files[f].training(), run_ends);
  for (std::size_t f = 0; f < files.size(); ++f) add_run(f, files[f].training(), files[f].held_out, run_ends);
  for (const auto& file : files) held_out += file.held_out;
  ends = torch::tensor(run_ends, torch::kInt64);
}

template <class F>
torch::Tensor Pack::Impl::gather(const torch::Tensor& indices, const F& f) {
  if (files.size() == 1) return f(files.front(), indices);
  const auto run_of = torch::searchsorted(ends, indices, /*out_int32=*/false, /*right=*/true);  // int64 [N]
  std::vector<std::int64_t> starts, file_of;
  for (std::size_t r = 0; r < runs.size(); ++r) {
    starts.push_back((r == 0 ? 0 : ends[static_cast<std::int64_t>(r) - 1].item<std::int64_t>()) - runs[r].first_row);
    file_of.push_back(static_cast<std::int64_t>(runs[r].file));
  }
  const auto rows = indices - torch::tensor(starts, torch::kInt64).index_select(0, run_of);
  const auto owners = torch::tensor(file_of, torch::kInt64).index_select(0, run_of);
  torch::Tensor result;
  for (std::size_t k = 0; k < files.size(); ++k) {
    const auto places = (owners == static_cast<std::int64_t>(k)).nonzero().flatten();
    if (places.size(0) == 0) continue;
    auto part = f(files[k], rows.index_select(0, places));
    if (places.size(0) == indices.size(0)) return part;
    if (!result.defined()) {
      auto shape = part.sizes().vec();
      shape[0] = indices.size(0);
      result = torch::empty(shape, part.options());
    }
    result.index_copy_(0, places.to(part.device()), part);
  }
  return result;
}

Pack::Pack(const fs::path& place, std::int64_t size) : Pack(std::vector{place}, size) {}

Pack::Pack(const std::vector<fs::path>& places, std::int64_t size) : impl_(std::make_unique<Impl>()) {
  if (size < 1) throw std::invalid_argument("image size " + std::to_string(size) + ", expected at least 1");
  impl_->side = size;
  for (const auto& path : pack_files(places)) impl_->add(read_pack_file(path));
  impl_->number_scenes();
}

Pack::~Pack() = default;
Pack::Pack(Pack&&) noexcept = default;

std::int64_t Pack::size() const {
  return impl_->size;
}

std::int64_t Pack::held_out() const {
  return impl_->held_out;
}

std::vector<std::int64_t> Pack::image_size() const {
  return image_size_of(impl_->files.front(), impl_->side);
}

std::string Pack::origin() const {
  const auto& files = impl_->files;
  if (files.size() == 1) return files.front().path.string();
  std::string text;
  for (const auto& file : files)
    text += (text.empty() ? "" : ", ") + file.path.string() + " (" + std::to_string(file.training()) + " + " +
            std::to_string(file.held_out) + ")";
  return text;
}

torch::Tensor Pack::images(const torch::Tensor& indices, torch::Device device) {
  return impl_->gather(
      indices, [&](PackFile& file, const torch::Tensor& rows) { return file.images(rows, impl_->side, device); });
}

torch::Tensor Pack::ids(const torch::Tensor& indices) const {
  return impl_->gather(indices, [](const PackFile& file, const torch::Tensor& rows) {
    return file.token_ids.index_select(0, rows).to(torch::kInt64);
  });
}

torch::Tensor Pack::empty_ids() const {
  return impl_->files.front().empty.to(torch::kInt64);
}

std::string Pack::caption(std::int64_t index) const {
  TORCH_CHECK(index >= 0 && index < size(), "caption ", index, " of ", size());
  const auto* ends = impl_->ends.const_data_ptr<std::int64_t>();
  const auto run = std::upper_bound(ends, ends + impl_->ends.size(0), index) - ends;
  const auto [file, first_row] = impl_->runs[static_cast<std::size_t>(run)];
  return impl_->files[file].captions.at(first_row + index - (run == 0 ? 0 : ends[run - 1]));
}

torch::Tensor Pack::probe_ids() const {
  std::vector<torch::Tensor> ids;
  for (const auto& [file, row] : impl_->probes) ids.push_back(impl_->files[file].probe_ids[row]);
  return ids.empty() ? impl_->files.front().probe_ids.to(torch::kInt64) : torch::stack(ids).to(torch::kInt64);
}

std::vector<std::string> Pack::probes() const {
  std::vector<std::string> texts;
  for (const auto& [file, row] : impl_->probes) texts.push_back(impl_->files[file].probes.at(row));
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
  for (const auto& file : impl_->files)
    if (!file.thing_of.defined())
      throw std::runtime_error(
          "the pack '" + file.path.string() +
          "' does not name the things of its cut-outs (no tensor 'cutouts.things'): expected one " +
          "of composed scenes, written by compose --pack");
  return impl_->gather(indices,
                       [&](const PackFile& file, const torch::Tensor& rows) { return impl_->labels_of(file, rows); });
}

}  // namespace sfumato
