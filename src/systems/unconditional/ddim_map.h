#pragma once

#include <memory>

#include "systems/ddim_map.h"
#include "systems/unconditional/model.h"

namespace sfumato {

/// Creates the map of a model of pixels or of latents. Throws std::invalid_argument for options of a text model, and
/// for labels that the model lacks.
std::unique_ptr<DdimMap> make_ddim_map(Unconditional model, const DdimMapOptions& options);

}  // namespace sfumato
