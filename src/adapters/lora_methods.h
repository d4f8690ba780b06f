#pragma once

#include <string>
#include <vector>

#include "adapters/lora_matrix.h"

namespace sfumato {

/// How a key ends that holds a part of a layer.
struct LoraEnding {
  std::string text;
  /// The part's name (LoraParts).
  std::string part;
  /// What is added to the layer's name: ".bias" where the part changes the bias.
  std::string of = "";
};

/// One way of training and writing down what is added to a weight.
struct LoraMethod {
  std::vector<LoraEnding> endings;
  /// From a layer's parts, of which at least one is the method's. Throws std::invalid_argument that says what is
  /// missing or does not fit together.
  LoraMatrix (*delta)(const LoraParts& parts);
};

/// up down, in three parts up mid down (Hu et al. 2021): kohya's keys, peft's and diffusers' older ones.
LoraMethod low_rank_method();
/// (w1_a w1_b) * (w2_a w2_b), entry by entry, with cores t1 and t2 in Tucker's form (Hyeon-Woo et al. 2022): LyCORIS'
/// LohaModule, peft's LoHaModel.
LoraMethod loha_method();
/// The Kronecker product of w1 and w2, either of them whole or in factors w_a w_b, w2 with a core t2, too: LyCORIS'
/// LokrModule, peft's LoKrModel. Alpha counts where one of them is in factors.
LoraMethod lokr_method();
/// The difference itself, of weights and biases: LyCORIS' FullModule and, of norms, NormModule.
LoraMethod difference_method();

/// All of them. To add one, write its function and its row here.
const std::vector<LoraMethod>& lora_methods();

}  // namespace sfumato
