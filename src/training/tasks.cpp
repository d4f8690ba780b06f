#include "training/tasks.h"

#include "training/classifier_task.h"
#include "training/recipe_networks.h"
#include "training/text_to_image_task.h"
#include "training/vae_task.h"

namespace sfumato {

std::unique_ptr<Task> make_task(const Recipe& recipe, const RunFolder& run, torch::Device device,
                                const OnEncoded& on_encoded) {
  check_networks(recipe);
  if (recipe.kind == "vae") return std::make_unique<VaeTask>(recipe, device);
  if (recipe.kind == "classifier") return std::make_unique<ClassifierTask>(recipe, device);
  return std::make_unique<TextToImageTask>(recipe, run, device, on_encoded);
}

}  // namespace sfumato
