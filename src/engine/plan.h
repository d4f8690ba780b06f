#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "systems/stable_diffusion/adapters.h"
#include "systems/stable_diffusion/request.h"

namespace sfumato {

/// A request and the adapters of its images.
struct AdaptedRequest {
  Request request;
  Adapters adapters = {};
};

/// Images of one batch of the model, and the file of each.
struct PlannedBatch {
  Request request;
  Adapters adapters = {};
  std::vector<std::filesystem::path> outputs = {};
};

/// Files of a run.
struct OutputChoice {
  /// Names of the images (OutputNames).
  std::string pattern = {};
  /// Number of images in a batch of the model. With 1 an image does not depend on the other requested images, not even
  /// in its last bit.
  std::int64_t batch_size = 1;
  bool overwrite = false;
  /// Leaves out images whose files exist.
  bool skip_existing = false;
  /// Also checks the names of previews (preview_name).
  bool previews = false;
  /// Other files of the run by the option that names them; "" for none.
  std::vector<std::pair<std::string, std::string>> other_files = {};
};

/// Divides requests into batches and names all files. Returns no batch if each image exists. Throws
/// std::invalid_argument for a wrong size or number of batches, and for a file that could not be written or would be
/// written twice.
std::vector<PlannedBatch> plan_batches(const std::vector<AdaptedRequest>& requests, const OutputChoice& choice);

}  // namespace sfumato
