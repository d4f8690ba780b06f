#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "generate/control_options.h"
#include "generate/options.h"

namespace sfumato {

/// A request on the command line, before its prompts and seeds are settled.
struct RequestArguments {
  Request request;
  ControlArguments control;
  std::string seed, subseed;
};

/// Adds the options for the content and the generation of images that the program supports.
void add_request_options(CLI::App& app, RequestArguments& arguments, const GenerateProgram& program);

}  // namespace sfumato
