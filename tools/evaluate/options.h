#pragma once

#include <cstdint>
#include <string>

#include "systems/stable_diffusion/request.h"

namespace sfumato {

struct EvaluateOptions {
  std::string model, images;
  std::string judge, clip_model, pack, reference, sheet, json, device = "auto", dtype = "auto";
  std::int64_t count = 0;  ///< 0 for the default
  Request request;
  bool quiet = false;
};

}  // namespace sfumato
