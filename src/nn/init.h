#pragma once

#include <torch/torch.h>

namespace sfumato {

/// Initialises every parameter of `module` for training from scratch, in the order of named_parameters and from
/// `generator` alone: weights of Linear and Conv2d as torch.nn's reset_parameters does (uniform within
/// 1/sqrt(fan_in), He et al. 2015 with a = sqrt 5), biases likewise, embeddings normal with std 0.02, norms one and
/// zero, the query of an attention pooling normal with std 1/sqrt(width). A network overwrites layers that need other
/// values (zero-initialised outputs) afterwards.
void initialize(torch::nn::Module& module, at::Generator generator);

}  // namespace sfumato
