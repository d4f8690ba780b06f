#include "systems/unconditional/ddim_map.h"

#include <stdexcept>
#include <utility>
#include <vector>

#include "core/number_text.h"
#include "images/pixels.h"
#include "systems/unconditional/sample.h"

namespace sfumato {
namespace {

void refuse_text_options(const DdimMapOptions& options) {
  const auto refuse = [](const std::string& what) {
    throw std::invalid_argument(what + ": expected none with this model, which takes no prompt");
  };
  if (!options.prompt.empty()) refuse("prompt '" + options.prompt + "'");
  if (options.edit_prompt) refuse("edit prompt '" + *options.edit_prompt + "'");
  if (options.guidance_scale != 1) refuse("guidance " + number_text(options.guidance_scale));
  if (options.height != 0) refuse("height " + std::to_string(options.height));
  if (options.width != 0) refuse("width " + std::to_string(options.width));
}

class UnconditionalDdimMap : public DdimMap {
 public:
  UnconditionalDdimMap(Unconditional model, const DdimMapOptions& options) : model_(std::move(model)) {
    refuse_text_options(options);
    if (options.edit_label && !options.label)
      throw std::invalid_argument("an edit class without a class: expected both");
    if (!options.label && model_.is_class_conditional())
      throw std::invalid_argument("no class: expected one with this model, as in --class 3");
    if (options.label) label_ = labels_of(model_, std::to_string(*options.label), 1);
    edit_label_ = options.edit_label ? labels_of(model_, std::to_string(*options.edit_label), 1) : label_;
  }

  torch::Tensor fit(const torch::Tensor& image) const override {
    return resize_lanczos(image, model_.height(), model_.width());
  }
  torch::Tensor to_noise(const torch::Tensor& image, std::int64_t steps, const OnStep& on_step) const override {
    const torch::NoGradGuard no_gradients;
    return run(inverse_chain(chain_of(steps)), model_.first_stage.encode(image), label_, on_step);
  }
  torch::Tensor to_images(const torch::Tensor& noise, std::int64_t steps, const OnStep& on_step) const override {
    const torch::NoGradGuard no_gradients;
    const auto x = run(chain_of(steps), noise, edit_label_, on_step);
    return x.defined() ? model_.first_stage.decode(x) : x;
  }
  bool is_pixels() const override { return model_.first_stage.is_pixels(); }

 private:
  Chain chain_of(std::int64_t steps) const { return make_chain(model_, {.sampler = "ddim", .steps = steps}); }
  torch::Tensor run(const Chain& chain, const torch::Tensor& x, const std::vector<double>& label,
                    const OnStep& on_step) const {
    // Sampling at eta 0 draws no noise.
    NoiseSource noise(std::vector<std::uint64_t>(static_cast<std::size_t>(x.size(0)), 0));
    std::vector<double> labels;
    if (!label.empty()) labels.assign(static_cast<std::size_t>(x.size(0)), label.front());
    return run_chain(model_, chain, {.x = x, .labels = label_tensor(model_, labels), .noise = noise},
                     {.on_step = on_step, .on_evaluation = {}});
  }

  Unconditional model_;
  std::vector<double> label_, edit_label_;
};

}  // namespace

std::unique_ptr<DdimMap> make_ddim_map(Unconditional model, const DdimMapOptions& options) {
  return std::make_unique<UnconditionalDdimMap>(std::move(model), options);
}

}  // namespace sfumato
