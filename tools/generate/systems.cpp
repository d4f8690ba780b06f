#include "generate/systems.h"

#include <CLI/CLI.hpp>
#include <array>
#include <exception>

#include "engine/find_model.h"
#include "generate/glide/run.h"
#include "systems/model_index.h"

namespace sfumato {
namespace {

/// Entry point of a system in a program, from its command line to the exit code.
struct SystemProgram {
  System system;
  int (*run)(const GenerateProgram& program, int argc, char** argv);
};

constexpr std::array kSystemPrograms{SystemProgram{System::glide, run_glide}};

/// Returns the model on the command line; "" if there is none or it cannot be read.
std::string named_model(int argc, char** argv) {
  std::string model;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.add_option("-m,--model", model)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.parse(argc, argv);
  return model;
}

/// Returns Stable Diffusion also without a readable model, because its program reports the error.
System system_of(int argc, char** argv) {
  try {
    const auto path = find_model(named_model(argc, argv), model_roots(SFUMATO_SOURCE_DIR));
    return ModelIndex(path).pipeline_class().system;
  } catch (const std::exception&) {
    return System::stable_diffusion;
  }
}

}  // namespace

int run_for_model(const GenerateProgram& program, const Prepare& prepare, int argc, char** argv) {
  const auto system = system_of(argc, argv);
  for (const auto& row : kSystemPrograms)
    if (row.system == system) return row.run(program, argc, argv);
  return run_generate(program, prepare, argc, argv);
}

}  // namespace sfumato
