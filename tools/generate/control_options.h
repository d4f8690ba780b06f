#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "systems/stable_diffusion/request.h"

namespace sfumato {

/// ControlNets of the command line: lists from which units are made.
struct ControlArguments {
  std::vector<std::string> models, images, preprocess;
  std::vector<double> scales, starts, ends;
  bool guess = false;
};

void add_control_options(CLI::App& app, ControlArguments& arguments);

/// Sets the request's controls: those of --control, in pairs with --control-image, or else its existing ones
/// (of --from-image) with the changes of the other options. Those are given once for all or once for each. Throws
/// std::invalid_argument if the counts do not match.
void set_controls(Request& request, const ControlArguments& arguments);

}  // namespace sfumato
