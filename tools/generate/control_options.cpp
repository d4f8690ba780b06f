#include "generate/control_options.h"

#include <stdexcept>

namespace sfumato {
namespace {

template <class Value>
void set_each(std::vector<ControlUnit>& units, const std::string& option, const std::vector<Value>& values,
              Value ControlUnit::*member) {
  if (values.empty()) return;
  if (units.empty()) throw std::invalid_argument(option + " without --control: expected a ControlNet");
  if (values.size() != 1 && values.size() != units.size())
    throw std::invalid_argument(std::to_string(values.size()) + " times " + option + " for " +
                                std::to_string(units.size()) + " ControlNets: expected one for all or one for each");
  for (std::size_t i = 0; i < units.size(); ++i) units[i].*member = values[values.size() == 1 ? 0 : i];
}

void set_images(std::vector<ControlUnit>& units, const std::vector<std::string>& images) {
  if (images.size() != units.size())
    throw std::invalid_argument(std::to_string(images.size()) + " times --control-image for " +
                                std::to_string(units.size()) + " ControlNets: expected one for each --control");
  for (std::size_t i = 0; i < units.size(); ++i) units[i].image = images[i];
}

}  // namespace

void add_control_options(CLI::App& app, ControlArguments& arguments) {
  const auto repeatable = [&](const std::string& name, auto& values, const std::string& help) {
    app.add_option(name, values, help)
        ->group("ControlNet")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false);
  };
  repeatable("--control", arguments.models,
             "A ControlNet: a diffusers folder or a file (.safetensors, .pth); may be given several times");
  repeatable("--control-image", arguments.images, "The picture it is shown; one for each --control");
  repeatable("--control-preprocess", arguments.preprocess, "What is made of that picture first: canny (its edges)");
  repeatable("--control-scale", arguments.scales, "How much it has to say, 0 to 10; by default 1");
  repeatable("--control-start", arguments.starts, "From which part of the steps on, 0 to 1; by default 0");
  repeatable("--control-end", arguments.ends, "Until which part of the steps, 0 to 1; by default 1");
  app.add_flag("--control-guess", arguments.guess, "Guess from the picture: the prompt may be empty")
      ->group("ControlNet");
}

void set_controls(Request& request, const ControlArguments& arguments) {
  auto& units = request.controls;
  if (!arguments.models.empty()) {
    units.assign(arguments.models.size(), {});
    set_each(units, "--control", arguments.models, &ControlUnit::model);
  }
  if (!arguments.models.empty() || !arguments.images.empty()) set_images(units, arguments.images);
  set_each(units, "--control-preprocess", arguments.preprocess, &ControlUnit::preprocess);
  set_each(units, "--control-scale", arguments.scales, &ControlUnit::scale);
  set_each(units, "--control-start", arguments.starts, &ControlUnit::start);
  set_each(units, "--control-end", arguments.ends, &ControlUnit::end);
  if (arguments.guess && units.empty())
    throw std::invalid_argument("--control-guess without --control: expected a ControlNet");
  if (arguments.guess) request.control_guess = true;
  for (const auto& unit : units) validate(unit);
}

}  // namespace sfumato
