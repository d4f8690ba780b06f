// img2img: generates images from text and an initial image
#include "generate/run.h"
#include "images/read.h"

int main(int argc, char** argv) {
  using namespace sfumato;
  const GenerateProgram program{
      .name = "img2img", .description = "Makes pictures from text and a picture to start from.", .takes_image = true};
  const Prepare prepare = [](const GenerateOptions& options) -> Pipeline {
    const auto image = read_image(options.requests.front().image);
    return
        [image](const StableDiffusion& model, const Request& request, const OnStep& on_step,
                const Attachments& attachments) { return image_to_image(model, request, image, on_step, attachments); };
  };
  return run_generate(program, prepare, argc, argv);
}
