#include "training/autocast.h"

namespace sfumato {

bool computes_in_bfloat16(const std::string& precision, torch::DeviceType device, bool fast_bfloat16) {
  if (precision != "auto") return precision == "bf16";
  return device != torch::kCPU || fast_bfloat16;
}

}  // namespace sfumato
