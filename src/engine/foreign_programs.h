#pragma once

#include <string>

#include "core/json.h"
#include "engine/foreign_record.h"

// Readers that foreign_record.h consists of, one for each program.

namespace sfumato {

/// Reads "prompt\nNegative prompt: ...\nSteps: ..., Sampler: ...": AUTOMATIC1111's web UI and similar programs.
ForeignRecord read_a1111(const std::string& parameters);
/// Reads a graph of nodes of ComfyUI that has one KSampler.
ForeignRecord read_comfyui(const Json& graph);
ForeignRecord read_invokeai(const Json& metadata);
ForeignRecord read_fooocus(const Json& metadata);
/// Reads `comment`, its settings, and `description`, its prompt if the settings contain none.
ForeignRecord read_novelai(const Json& comment, const std::string& description);

/// Sets the sampler and, if its name ends in one, the schedule, from any of these programs' names. Adds a note for a
/// sampler that is not available. SDE samplers use Brownian noise, as in those programs.
void set_foreign_sampler(const std::string& name, ForeignRecord& record);
void set_foreign_schedule(const std::string& name, ForeignRecord& record);

/// Adds <lora:NAME:TEXT_ENCODERS:UNET> to the prompt. `file` may have folders and an extension.
void add_foreign_lora(const std::string& file, double text_encoders, double unet, ForeignRecord& record);

/// Adds a note for each key of `settings` outside `known` whose value is not empty, null, false or 0.
void note_other_keys(const Json& settings, const std::vector<std::string>& known, ForeignRecord& record);

}  // namespace sfumato
