// inpaint: regenerates part of an image from text and a mask
#include "generate/systems.h"
#include "images/read.h"

int main(int argc, char** argv) {
  using namespace sfumato;
  const GenerateProgram program{.name = "inpaint",
                                .description = "Makes part of a picture anew, from text and a mask.",
                                .takes_image = true,
                                .takes_mask = true,
                                .strength = 1};
  const Prepare prepare = [](const GenerateOptions& options) -> Pipeline {
    const auto& request = options.requests.front();
    const MaskedImage masked{read_image(request.image), read_mask(request.inpaint.mask)};
    return [masked](const StableDiffusion& model, const Request& request, const OnStep& on_step,
                    const Attachments& attachments) { return inpaint(model, request, masked, on_step, attachments); };
  };
  return run_for_model(program, prepare, argc, argv);
}
