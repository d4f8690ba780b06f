#pragma once

#include <string>
#include <vector>

#include "adapters/lora_matrix.h"

namespace sfumato {

/// Ending of a key that holds a part of a layer.
struct LoraEnding {
  std::string text;
  /// The part's name (LoraParts).
  std::string part;
  /// Suffix of the layer's name: ".bias" if the part changes the bias.
  std::string of = "";
};

/// A method of representing the delta of a weight.
struct LoraMethod {
  std::vector<LoraEnding> endings;
  /// Builds the delta from a layer's parts, at least one of which is the method's. Throws std::invalid_argument naming
  /// the parts that are missing or do not fit together.
  LoraMatrix (*delta)(const LoraParts& parts);
};

/// up down, or in three parts up mid down (Hu et al. 2021): kohya's keys, peft's and diffusers' older ones.
LoraMethod low_rank_method();
/// (w1_a w1_b) * (w2_a w2_b), elementwise, with cores t1 and t2 in Tucker's form (Hyeon-Woo et al. 2022): LyCORIS'
/// LohaModule, peft's LoHaModel.
LoraMethod loha_method();
/// Kronecker product of w1 and w2, each of them whole or in factors w_a w_b, w2 also with a core t2: LyCORIS'
/// LokrModule, peft's LoKrModel. Alpha applies if at least one of them is in factors.
LoraMethod lokr_method();
/// The difference itself, of weights and biases: LyCORIS' FullModule and, for norms, NormModule.
LoraMethod difference_method();

/// All methods. To add one, write its function and add its row here.
const std::vector<LoraMethod>& lora_methods();

}  // namespace sfumato
