#include "diffusion/course.h"

#include <utility>

namespace sfumato {

Course::Course(const std::vector<Step>& steps, std::size_t order) {
  for (std::size_t i = 0; i < steps.size(); ++i) step_of_.insert(step_of_.end(), steps[i].to.sigma > 0 ? order : 1, i);
}

Denoiser counted(Denoiser denoise, Course& course) {
  return [denoise = std::move(denoise), &course](const torch::Tensor& x, const Level& level) {
    auto estimate = denoise(x, level);
    course.advance();
    return estimate;
  };
}

}  // namespace sfumato
