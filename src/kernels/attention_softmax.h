#pragma once

#include <c10/util/BFloat16.h>

#include <cstdint>

/// The inner loop of blocked_attention, over one block of keys.
namespace sfumato::attention {

/// Scores of some queries for a block of keys, and what is known of these queries from earlier blocks.
struct SoftmaxBlock {
  float* scores;             ///< [rows, width]: products of query and key; overwritten
  std::int64_t rows, width;  ///< width: a multiple of lanes::kWidest
  float scale;               ///< of the scores, times log2(e)
  const float* bias;         ///< [width], times log2(e), or null
  float* maxima;             ///< [rows]: largest scaled score so far; updated
  float* sums;               ///< [rows]: sum of the exponentials so far; updated
  float* values;             ///< [rows, value_width]: weighted sums of the values so far; scaled to the new maxima
  std::int64_t value_width;
};

/// Writes 2^(scale score + bias - maximum) to `weights` [rows, width], for float over the scores themselves.
void softmax_block(const SoftmaxBlock& block, float* weights);
void softmax_block(const SoftmaxBlock& block, c10::BFloat16* weights);

}  // namespace sfumato::attention
