#pragma once

#include <string>

#include "core/json.h"
#include "engine/foreign_record.h"

// What foreign_record.h is made of: a reader for each program.

namespace sfumato {

/// "prompt\nNegative prompt: ...\nSteps: ..., Sampler: ...": AUTOMATIC1111's web UI and its kin.
ForeignRecord read_a1111(const std::string& parameters);
/// A graph of nodes as ComfyUI runs it, with one KSampler.
ForeignRecord read_comfyui(const Json& graph);
ForeignRecord read_invokeai(const Json& metadata);
ForeignRecord read_fooocus(const Json& metadata);
/// `comment` is its settings, `description` its prompt where they hold none.
ForeignRecord read_novelai(const Json& comment, const std::string& description);

/// Sets the sampler, and the schedule that its name may end in, by any of the names that these programs give them; a
/// note where there is none here. SDE samplers get the Brownian noise that they have there.
void set_foreign_sampler(const std::string& name, ForeignRecord& record);
void set_foreign_schedule(const std::string& name, ForeignRecord& record);

/// Adds <lora:NAME:TEXT_ENCODERS:UNET> to the prompt. `file` may have folders and an extension.
void add_foreign_lora(const std::string& file, double text_encoders, double unet, ForeignRecord& record);

/// A note for each key of `settings` outside `known` whose value is not empty, null, false or 0.
void note_other_keys(const Json& settings, const std::vector<std::string>& known, ForeignRecord& record);

}  // namespace sfumato
