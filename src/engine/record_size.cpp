#include "engine/record_size.h"

#include <cstddef>
#include <string>
#include <utility>

#include "diffusion/samplers.h"
#include "engine/metadata.h"
#include "images/write.h"

namespace sfumato {
namespace {

/// More bytes than the resolved size, sampler, schedule, device and dtype take, in both forms of the record.
constexpr std::size_t kResolvedBytes = 1024;

std::vector<std::pair<std::string, std::string>> unknown_hashes(const std::vector<std::filesystem::path>& files) {
  constexpr std::size_t kDigits = 12;
  std::vector<std::pair<std::string, std::string>> hashes;
  for (const auto& file : files) hashes.emplace_back(file.stem().string(), std::string(kDigits, '0'));
  return hashes;
}

ImageRecord unresolved_record(const ModelChoice& choice, const PlannedBatch& batch) {
  ImageRecord record{.request = batch.request, .model = choice, .adapters = batch.adapters};
  if (record.request.sampler.empty()) record.request.sampler = samplers().front().name;
  std::vector<std::filesystem::path> loras;
  for (const auto& lora : batch.adapters.loras) loras.push_back(lora.path);
  record.hashes = {.loras = unknown_hashes(loras), .embeddings = unknown_hashes(batch.adapters.embeddings)};
  return record;
}

}  // namespace

void check_records_fit(const ModelChoice& choice, const std::vector<PlannedBatch>& batches) {
  for (const auto& batch : batches)  // whose images have one record but for their seeds
    check_texts_fit(batch.outputs.front(), to_text_chunks(unresolved_record(choice, batch)), kResolvedBytes);
}

}  // namespace sfumato
