#pragma once

#include <utility>

#include "systems/stable_diffusion/request.h"

namespace sfumato {

/// Size conditions of Stable Diffusion XL by their keys in JSON; they are read, written and validated alike.
inline constexpr std::pair<const char*, std::int64_t Request::*> kSizeConditions[] = {
    {"original_width", &Request::original_width},
    {"original_height", &Request::original_height},
    {"crop_left", &Request::crop_left},
    {"crop_top", &Request::crop_top}};

}  // namespace sfumato
