#include "kernels/attention.h"

#include <ATen/native/CPUBlas.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/processor.h"
#include "kernels/attention_softmax.h"
#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "kernels/plain_inference.h"

namespace sfumato {
namespace {

using Tensor = torch::Tensor;
using lanes::kWidest;

constexpr std::int64_t kQueries = 128, kKeys = 512;

std::int64_t multiple_above(std::int64_t count, std::int64_t of) {
  return (count + of - 1) / of * of;
}

/// Sizes of an attention: N * heads matrices of queries and of keys, divided into blocks.
struct Sizes {
  Sizes(const Tensor& query, const Tensor& key)
      : heads(query.size(1)),
        matrices(query.size(0) * heads),
        queries(query.size(2)),
        keys(key.size(2)),
        width(query.size(3)),
        key_block(std::min(kKeys, multiple_above(keys, kWidest))),
        query_blocks((queries + kQueries - 1) / kQueries),
        key_blocks((keys + key_block - 1) / key_block) {}
  std::int64_t keys_of(std::int64_t block) const { return std::min(key_block, keys - block * key_block); }

  std::int64_t heads, matrices, queries, keys, width;
  std::int64_t key_block;  ///< keys of a block, in whole vectors; the last block may have fewer
  std::int64_t query_blocks, key_blocks;
};

/// The tokens of matrix `index` in [N, heads, L, d].
template <class T>
const T* tokens_of(const Tensor& x, std::int64_t index) {
  const auto heads = x.size(1);
  return x.const_data_ptr<T>() + index / heads * x.stride(0) + index % heads * x.stride(1);
}

// The matrix product reads its second factor, the keys of a block as [d, keys] and the values as [keys, d], from
// consecutive memory; of bfloat16 with pairs of rows interleaved.

void pack_transposed(const float* from, std::int64_t stride, std::int64_t rows, std::int64_t width,
                     std::int64_t row_block, float* to) {
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t d = 0; d < width; ++d) to[d * row_block + row] = from[row * stride + d];
}

void pack_transposed(const at::BFloat16* from, std::int64_t stride, std::int64_t rows, std::int64_t width,
                     std::int64_t row_block, at::BFloat16* to) {
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t d = 0; d < width; d += 2) {
      auto* pair = to + (d / 2 * row_block + row) * 2;
      pair[0] = from[row * stride + d];
      pair[1] = from[row * stride + d + 1];
    }
}

void pack(const float* from, std::int64_t stride, std::int64_t rows, std::int64_t width, float* to) {
  for (std::int64_t row = 0; row < rows; ++row) std::copy_n(from + row * stride, width, to + row * width);
}

void pack(const at::BFloat16* from, std::int64_t stride, std::int64_t rows, std::int64_t width, at::BFloat16* to) {
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t d = 0; d < width; ++d) to[(row / 2 * width + d) * 2 + row % 2] = from[row * stride + d];
}

/// All keys and values, packed: [matrices, key blocks, d key_block], rows beyond the last key zero.
struct Packed {
  Tensor keys, values;
};

template <class T>
Packed packed(const Tensor& key, const Tensor& value, const Sizes& sizes) {
  const auto block_size = sizes.width * sizes.key_block;
  const bool whole = sizes.keys % sizes.key_block == 0;
  const auto allocate = [&] {
    const std::vector<std::int64_t> shape = {sizes.matrices, sizes.key_blocks, block_size};
    return whole ? torch::empty(shape, key.options()) : torch::zeros(shape, key.options());
  };
  Packed result{allocate(), allocate()};
  auto* keys = result.keys.template mutable_data_ptr<T>();
  auto* values = result.values.template mutable_data_ptr<T>();
  parallel_for(sizes.matrices * sizes.key_blocks, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      const auto matrix = i / sizes.key_blocks, block = i % sizes.key_blocks, first = block * sizes.key_block;
      pack_transposed(tokens_of<T>(key, matrix) + first * key.stride(2), key.stride(2), sizes.keys_of(block),
                      sizes.width, sizes.key_block, keys + i * block_size);
      pack(tokens_of<T>(value, matrix) + first * value.stride(2), value.stride(2), sizes.keys_of(block), sizes.width,
           values + i * block_size);
    }
  });
  return result;
}

/// Memory of one thread for a block of queries and a block of keys.
template <class T>
struct Scratch {
  explicit Scratch(const Sizes& sizes)
      : scores(torch::empty({kQueries, sizes.key_block})),
        weights(torch::empty({kQueries, sizes.key_block}, c10::CppTypeToScalarType<T>::value)),
        values(torch::empty({kQueries, sizes.width})),
        maxima(kQueries),
        sums(kQueries) {}

  Tensor scores, weights, values;
  std::vector<float> maxima, sums;
};

/// A block of a matrix's queries, and what they attend to.
template <class T>
struct QueryBlock {
  const T* queries;
  std::int64_t stride, rows;
  const T *keys, *values;  ///< packed
  const float* bias;       ///< times log2(e), or null
};

/// Attention of one block of queries to all keys; the result is scratch.values / scratch.sums.
template <class T>
void attend_block(const QueryBlock<T>& block, float scale, const Sizes& sizes, Scratch<T>& scratch) {
  using at::native::cpublas::brgemm;
  constexpr bool kPairs = sizeof(T) == 2;
  constexpr float kHidden = -std::numeric_limits<float>::infinity();
  auto* scores = scratch.scores.template mutable_data_ptr<float>();
  auto* weights = scratch.weights.template mutable_data_ptr<T>();
  auto* values = scratch.values.template mutable_data_ptr<float>();
  std::fill_n(scratch.maxima.begin(), block.rows, kHidden);
  std::fill_n(scratch.sums.begin(), block.rows, 0.0F);
  const auto width = sizes.width, keys = sizes.key_block;
  for (std::int64_t k = 0; k < sizes.key_blocks; ++k) {
    brgemm(block.rows, keys, width, block.stride, keys, keys, /*add_C=*/false, block.queries,
           block.keys + k * width * keys, scores, kPairs);
    for (std::int64_t row = 0; row < block.rows; ++row)
      std::fill(scores + row * keys + sizes.keys_of(k), scores + (row + 1) * keys, kHidden);
    attention::softmax_block({.scores = scores,
                              .rows = block.rows,
                              .width = keys,
                              .scale = scale,
                              .bias = block.bias == nullptr ? nullptr : block.bias + k * keys,
                              .maxima = scratch.maxima.data(),
                              .sums = scratch.sums.data(),
                              .values = values,
                              .value_width = k == 0 ? 0 : width},
                             weights);
    brgemm(block.rows, width, keys, keys, width, width, /*add_C=*/k > 0, weights, block.values + k * width * keys,
           values, kPairs);
  }
}

/// Writes the result of `rows` queries, `stride` values apart.
template <class T>
void write_result(const Scratch<T>& scratch, std::int64_t rows, std::int64_t width, T* to, std::int64_t stride) {
  const auto* values = scratch.values.template const_data_ptr<float>();
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto factor = 1 / scratch.sums[static_cast<std::size_t>(row)];
    for (std::int64_t d = 0; d < width; ++d) to[row * stride + d] = static_cast<T>(values[row * width + d] * factor);
  }
}

/// The bias times log2(e), padded to whole blocks of keys: float32 [N, key_blocks * key_block]; undefined without one.
Tensor scaled_bias(const Tensor& bias, std::int64_t images, const Sizes& sizes) {
  if (!bias.defined()) return {};
  const auto rows = bias.flatten(1).to(torch::kFloat32) * M_LOG2E;
  const auto padded = torch::constant_pad_nd(rows, {0, sizes.key_blocks * sizes.key_block - sizes.keys});
  return padded.expand({images, -1}).contiguous();
}

template <class T>
Tensor attend(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& bias, double scale) {
  const Sizes sizes(query, key);
  const auto inputs = packed<T>(key, value, sizes);
  const auto biases = scaled_bias(bias, query.size(0), sizes);
  auto out = torch::empty({query.size(0), sizes.queries, sizes.heads, sizes.width}, query.options());
  auto* to = out.template mutable_data_ptr<T>();
  parallel_for(sizes.matrices * sizes.query_blocks, [&](std::int64_t begin, std::int64_t end) {
    Scratch<T> scratch(sizes);
    for (auto i = begin; i < end; ++i) {
      const auto matrix = i / sizes.query_blocks, image = matrix / sizes.heads, head = matrix % sizes.heads;
      const auto first = i % sizes.query_blocks * kQueries;
      const QueryBlock<T> block{
          .queries = tokens_of<T>(query, matrix) + first * query.stride(2),
          .stride = query.stride(2),
          .rows = std::min(kQueries, sizes.queries - first),
          .keys = inputs.keys.template const_data_ptr<T>() + matrix * inputs.keys.stride(0),
          .values = inputs.values.template const_data_ptr<T>() + matrix * inputs.values.stride(0),
          .bias = biases.defined() ? biases.template const_data_ptr<float>() + image * biases.stride(0) : nullptr};
      attend_block(block, static_cast<float>(scale * M_LOG2E), sizes, scratch);
      write_result(scratch, block.rows, sizes.width,
                   to + ((image * sizes.queries + first) * sizes.heads + head) * sizes.width, out.stride(1));
    }
    at::native::cpublas::brgemm_release(sizeof(T) == 2);
  });
  return out.transpose(1, 2);
}

bool fits(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& bias) {
  if (!has_avx2() || query.dim() != 4 || query.numel() == 0 || key.numel() == 0) return false;
  if (query.stride(3) != 1 || key.stride(3) != 1 || value.stride(3) != 1) return false;
  if (query.size(3) != value.size(3)) return false;
  const auto dtype = query.scalar_type();
  if (dtype != key.scalar_type() || dtype != value.scalar_type()) return false;
  return !bias.defined() || (bias.dim() == 4 && bias.size(1) == 1 && bias.size(2) == 1 && bias.size(3) == key.size(2));
}

}  // namespace

std::optional<Tensor> blocked_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& bias,
                                        double scale) {
  if (!fits(query, key, value, bias)) return std::nullopt;
  if (is_plain_inference(query)) return attend<float>(query, key, value, bias, scale);
  if (is_bfloat16_inference(query) && query.size(3) % 2 == 0)
    return attend<at::BFloat16>(query, key, value, bias, scale);
  if (is_widened_inference(query))
    return attend<float>(widened(query), widened(key), widened(value), bias, scale).to(query.scalar_type());
  return std::nullopt;
}

}  // namespace sfumato
