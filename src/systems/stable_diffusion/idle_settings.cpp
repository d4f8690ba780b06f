#include "systems/stable_diffusion/idle_settings.h"

#include <algorithm>

#include "core/number_text.h"
#include "systems/stable_diffusion/request_sizes.h"

namespace sfumato {
namespace {

void add_idle_eta(const Job& job, std::vector<std::string>& lines) {
  const auto& name = job.sampler.name;
  if (job.request.eta > 0 && name != "ddim" && name != "tcd")
    lines.push_back("eta " + number_text(job.request.eta) + " has no effect with the sampler " + name +
                    ": ddim and tcd have one");
}

void add_idle_size_conditions(const Job& job, std::vector<std::string>& lines) {
  const auto& refiner = job.attachments.refiner;
  if (job.model.is_xl() || (refiner && refiner->is_xl())) return;
  for (const auto& [key, member] : kSizeConditions) {
    if (job.request.*member == 0) continue;
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', ' ');
    lines.push_back(name + " " + std::to_string(job.request.*member) +
                    " has no effect with this model: Stable Diffusion XL takes sizes");
  }
}

/// A distilled model takes the guidance scale as an input instead of the negative prompt.
void add_idle_negative_prompt(const Job& job, std::vector<std::string>& lines) {
  const bool is_distilled = job.model.unet->config().time_cond_proj_dim > 0;
  if (is_distilled && !job.request.negative_prompt.value_or("").empty())
    lines.push_back("the negative prompt has no effect with this model, which takes the guidance scale as an input");
}

void add_idle_image_guidance(const Job& job, std::vector<std::string>& lines) {
  const auto scale = job.request.image_guidance_scale;
  if (!job.model.edits_images() && scale != Request().image_guidance_scale)
    lines.push_back("image guidance scale " + number_text(scale) +
                    " has no effect with this model: those that edit pictures (instruct-pix2pix) have one");
}

void add_idle_strength(const Job& job, std::vector<std::string>& lines) {
  if (job.model.edits_images() && job.request.strength != Request().strength)
    lines.push_back("strength " + number_text(job.request.strength) +
                    " has no effect with a model that edits pictures: --image-guidance has");
}

}  // namespace

std::vector<std::string> idle_settings(const Job& job) {
  std::vector<std::string> lines;
  add_idle_eta(job, lines);
  add_idle_size_conditions(job, lines);
  add_idle_negative_prompt(job, lines);
  add_idle_image_guidance(job, lines);
  add_idle_strength(job, lines);
  return lines;
}

}  // namespace sfumato
