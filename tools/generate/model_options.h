#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "generate/options.h"

namespace sfumato {

/// Adapters and embeddings of a model, in the form of the command line.
struct AdditionArguments {
  std::vector<std::string> loras, embeddings;
  std::string lora_dir = "loras";
  bool lora_partial = false;
};

/// Adds the options of the model, its VAE, the device and the dtype.
void add_model_options(CLI::App& app, GenerateOptions& options);

void add_adapter_options(CLI::App& app, AdditionArguments& arguments);

/// Replaces the values of a record by those of the command line. Throws std::invalid_argument for a LoRA that
/// parse_lora cannot read.
void settle_adapters(Adapters& adapters, const AdditionArguments& arguments);

}  // namespace sfumato
