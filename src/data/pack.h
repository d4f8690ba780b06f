#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sfumato {

/// Returns the files of packs at `places`: files, and folders, which stand for their *.safetensors in order of their
/// names. Throws std::runtime_error naming a folder without any.
std::vector<std::filesystem::path> pack_files(const std::vector<std::filesystem::path>& places);

/// A packed training file: captioned images, or cut-outs and the layouts to compose them by, with the captions' token
/// ids. One safetensors file with metadata {"format": "sfumato-pack", "version": "1"}; docs/data.md lists its tensors.
/// M is the number of scenes (or images), L the tokenizer's max length. Reading needs no image or tokenizer library.
/// Several files are read as one pack: the training scenes of each, then the held-out scenes of each.
class Pack {
 public:
  /// `place` is a file or a folder of packs. `size` is the side of composed images in pixels; packed images keep their
  /// own size. Throws std::runtime_error naming the path and anything missing, misshapen or out of range.
  explicit Pack(const std::filesystem::path& place, std::int64_t size = 128);
  /// Reads the packs at several places as one. Throws std::runtime_error naming two files that do not fit together:
  /// with other token ids for the same text, or images of another size.
  explicit Pack(const std::vector<std::filesystem::path>& places, std::int64_t size = 128);
  ~Pack();
  Pack(Pack&&) noexcept;

  /// M, the held-out scenes included.
  std::int64_t size() const;
  /// Number of scenes at the end that are never trained on.
  std::int64_t held_out() const;
  /// {H, W} of the result of images().
  std::vector<std::int64_t> image_size() const;
  /// Names the file; several with their numbers of training and held-out scenes.
  std::string origin() const;

  /// Returns the training images of `indices` (int64 [N] on the CPU, each in [0, M)), float32 [N, 3, H, W] in [-1, 1]
  /// on `device`. They are composed there; cut-outs are uploaded at the first call for a device. Not thread-safe.
  torch::Tensor images(const torch::Tensor& indices, torch::Device device = torch::kCPU);
  /// Token ids int64 [N, L] on the CPU.
  torch::Tensor ids(const torch::Tensor& indices) const;
  /// The ids of "", int64 [L].
  torch::Tensor empty_ids() const;
  std::string caption(std::int64_t index) const;

  /// Prompts for sample grids: ids int64 [P, L], and their texts. Of several files, those of the first, then those of
  /// the others that differ.
  torch::Tensor probe_ids() const;
  std::vector<std::string> probes() const;

  /// Names of the things in composed scenes, each with its synonyms and plurals; empty for packs of images and for
  /// packs without these names. Of several files, all names with all their words.
  std::map<std::string, std::vector<std::string>> things() const;
  /// The keys of things(), in order.
  std::vector<std::string> thing_names() const;
  /// Marks those of thing_names() that occur in these scenes: float32 [N, T] of 0 and 1 on the CPU. Throws
  /// std::runtime_error if the pack does not name the things of its cut-outs.
  torch::Tensor thing_labels(const torch::Tensor& indices) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sfumato
