#include "engine/model_choice.h"

#include "core/cuda.h"
#include "core/processor.h"

namespace sfumato {

Placement choose_placement(const std::string& device, const std::string& dtype, bool tf32,
                           std::vector<std::string>& warnings) {
  const auto placement = parse_placement(device, dtype);
  if (placement.device.is_cuda())
    allow_tf32(tf32);
  else if (tf32)
    warnings.push_back("--tf32 has no effect on " + placement.device.str());
  if (auto note = slow_dtype_note(placement); !note.empty()) warnings.push_back(std::move(note));
  return placement;
}

}  // namespace sfumato
