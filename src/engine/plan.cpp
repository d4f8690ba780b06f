#include "engine/plan.h"

#include <algorithm>
#include <stdexcept>

#include "engine/outputs.h"

namespace sfumato {
namespace {

using std::filesystem::path;

/// True for an image to be generated, false if its existing file is kept. Throws if the file could not be written.
bool is_wanted(const path& output, const OutputChoice& choice) {
  std::error_code error;
  if (choice.skip_existing && std::filesystem::is_regular_file(output, error)) return false;
  check_writable(output, choice.overwrite);
  if (choice.previews) check_writable(preview_name(output), choice.overwrite);
  return true;
}

/// Adds a request's wanted images with these names.
void add_batches(const AdaptedRequest& asked, const std::vector<path>& outputs, const OutputChoice& choice,
                 std::vector<PlannedBatch>& batches) {
  bool continues = false;  // the last batch, with the image that follows its own
  for (std::int64_t k = 0; k < asked.request.batch_count; ++k) {
    const auto& output = outputs[static_cast<std::size_t>(k)];
    if (!is_wanted(output, choice)) {
      continues = false;
      continue;
    }
    if (continues && batches.back().request.batch_count < choice.batch_size) {
      ++batches.back().request.batch_count;
      batches.back().outputs.push_back(output);
    } else {
      batches.push_back({part_of_batch(asked.request, k, 1), asked.adapters, {output}});
    }
    continues = true;
  }
}

/// Refuses a file that is also an image's, or that could not be written.
void check_other_file(const std::string& option, const std::string& file, bool overwrite,
                      const std::vector<PlannedBatch>& batches) {
  if (file.empty()) return;
  check_writable(file, overwrite);
  for (const auto& batch : batches)
    if (std::find(batch.outputs.begin(), batch.outputs.end(), path(file)) != batch.outputs.end())
      throw std::invalid_argument(option + " '" + file + "': expected another name than a picture's");
}

}  // namespace

std::vector<PlannedBatch> plan_batches(const std::vector<AdaptedRequest>& requests, const OutputChoice& choice) {
  if (choice.batch_size < 1)
    throw std::invalid_argument("batch size " + std::to_string(choice.batch_size) + ": expected 1 or more");
  std::int64_t images = 0;
  for (const auto& asked : requests) {
    validate_batch_count(asked.request);
    images += asked.request.batch_count;
  }
  const OutputNames names(choice.pattern, static_cast<std::size_t>(images));
  std::size_t index = 0;
  std::vector<PlannedBatch> batches;
  for (const auto& asked : requests) {
    std::vector<path> outputs;
    for (std::int64_t k = 0; k < asked.request.batch_count; ++k)
      outputs.push_back(names.name(index++, part_of_batch(asked.request, k, 1).seed));
    add_batches(asked, outputs, choice, batches);
  }
  for (const auto& [option, file] : choice.other_files) check_other_file(option, file, choice.overwrite, batches);
  return batches;
}

}  // namespace sfumato
