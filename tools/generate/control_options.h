#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "systems/stable_diffusion/request.h"

namespace sfumato {

/// ControlNets as the command line names them: lists that units are made of.
struct ControlArguments {
  std::vector<std::string> models, images, preprocess;
  std::vector<double> scales, starts, ends;
  bool guess = false;
};

void add_control_options(CLI::App& app, ControlArguments& arguments);

/// Sets the request's controls: those that --control names, in pairs with --control-image, or else those that it has
/// (of --from-image) with what the other options change. These are given once for all or once for each. Throws
/// std::invalid_argument where the counts do not fit.
void set_controls(Request& request, const ControlArguments& arguments);

}  // namespace sfumato
