#pragma once

#include <cstddef>
#include <vector>

#include "diffusion/denoiser.h"
#include "diffusion/steps.h"

namespace sfumato {

/// Where a sampler is on its way: the one count for all that changes on the way, prompts, ControlNets and guidance. It
/// counts evaluations of the network, as diffusers' pipelines do: their loops run over `scheduler.timesteps`, which has
/// an entry for each. A level alone would not tell: the second half of one of Heun's steps and the first of the next
/// are at the same one.
class Course {
 public:
  /// `order` is the sampler's (samplers.h).
  Course(const std::vector<Step>& steps, std::size_t order);

  /// How many there will be.
  std::size_t evaluations() const { return step_of_.size(); }
  /// The present one's number, from 0.
  std::size_t evaluation() const { return evaluation_; }
  /// The step that it belongs to.
  std::size_t step() const { return step_of_.at(evaluation_); }

  /// To be called when an evaluation is over.
  void advance() { ++evaluation_; }

 private:
  std::vector<std::size_t> step_of_;  // for each evaluation
  std::size_t evaluation_ = 0;
};

/// `denoise`, each call of which is an evaluation of `course`.
Denoiser counted(Denoiser denoise, Course& course);

}  // namespace sfumato
