// txt2img: generates images from text
#include "generate/systems.h"

int main(int argc, char** argv) {
  using namespace sfumato;
  const GenerateProgram program{.name = "txt2img", .description = "Makes pictures from text."};
  const Prepare prepare = [](const GenerateOptions&) { return text_to_image; };
  return run_for_model(program, prepare, argc, argv);
}
