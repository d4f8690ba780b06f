#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "generate/options.h"

namespace sfumato {

/// What is added to a model, as the command line names it.
struct AdditionArguments {
  std::vector<std::string> loras, embeddings;
  std::string lora_dir = "loras";
  bool lora_partial = false;
};

/// The model, its VAE, and where and in which dtype they compute.
void add_model_options(CLI::App& app, GenerateOptions& options);

void add_addition_options(CLI::App& app, AdditionArguments& arguments);

/// What the command line names takes the place of what a record named. Throws std::invalid_argument for a LoRA that is
/// not written as parse_lora reads it.
void settle_additions(Additions& additions, const AdditionArguments& arguments);

}  // namespace sfumato
