#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "generate/control_options.h"
#include "generate/options.h"

namespace sfumato {

/// A request as the command line has it, before its prompts and seeds are settled.
struct RequestArguments {
  Request request;
  ControlArguments control;
  std::string seed, subseed;
};

/// What the pictures show and how they are made, as far as the program takes it.
void add_request_options(CLI::App& app, RequestArguments& arguments, const GenerateProgram& program);

}  // namespace sfumato
