#include "generate/systems.h"

#include <CLI/CLI.hpp>
#include <array>
#include <exception>

#include "engine/find_model.h"
#include "generate/glide/run.h"
#include "systems/glide/record.h"
#include "systems/model_index.h"

namespace sfumato {
namespace {

/// Entry point of a system in a program, from its command line to the exit code.
struct SystemProgram {
  System system;
  int (*run)(const GenerateProgram& program, int argc, char** argv);
};

constexpr std::array kSystemPrograms{SystemProgram{System::glide, run_glide}};

/// Options of the command line that determine the system; "" for those that are not given.
struct NamedInputs {
  std::string model, from_image;
};

/// Throws if the command line cannot be read.
NamedInputs named_inputs(int argc, char** argv) {
  NamedInputs named;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.add_option("-m,--model", named.model)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--from-image", named.from_image)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.parse(argc, argv);
  return named;
}

/// Returns the system of the model on the command line or, without one, that of the image's record. Returns Stable
/// Diffusion also without a readable model or image, because its program reports the error.
System system_of(int argc, char** argv) {
  try {
    const auto named = named_inputs(argc, argv);
    if (named.model.empty() && !named.from_image.empty())
      return has_glide_record(named.from_image) ? System::glide : System::stable_diffusion;
    const auto path = find_model(named.model, model_roots(SFUMATO_SOURCE_DIR));
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
