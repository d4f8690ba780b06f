#pragma once

#include <vector>

#include "command_line/command_line.h"

namespace sfumato {

/// Returns option names of stable-diffusion.cpp's sd-cli, diffusers and AUTOMATIC1111's web UI that differ from those
/// of txt2img, img2img and inpaint.
const std::vector<OtherName>& other_names();

}  // namespace sfumato
