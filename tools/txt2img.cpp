// txt2img: makes pictures from text
#include "generate/run.h"

int main(int argc, char** argv) {
  using namespace sfumato;
  const GenerateProgram program{.name = "txt2img", .description = "Makes pictures from text."};
  const Prepare prepare = [](const GenerateOptions&) { return text_to_image; };
  return run_generate(program, prepare, argc, argv);
}
