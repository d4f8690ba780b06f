#pragma once

#include <vector>

#include "command_line/command_line.h"

namespace sfumato {

/// Options as stable-diffusion.cpp's sd-cli, diffusers and AUTOMATIC1111's web UI name them, where txt2img, img2img and
/// inpaint do otherwise.
const std::vector<OtherName>& other_names();

}  // namespace sfumato
