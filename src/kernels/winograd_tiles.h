#pragma once

#include <ATen/native/CPUBlas.h>
#include <torch/torch.h>

#include <cstdint>

#include "kernels/winograd_maps.h"

/// Tiles of Winograd convolutions of whole batches, and the products between their transforms.
namespace sfumato::winograd {

// Columns of a product: few enough for the transformed weights to stay in the cache while many tiles need them.
constexpr std::int64_t kColumns = 64;

/// Blocks of kOutputs x kOutputs pixels that cover a batch of images, which are upsampled first. A row of tiles of one
/// image is a strip.
template <class T>
struct Tiles {
  static constexpr auto kOutputs = Maps<T>::kOutputs;

  explicit Tiles(const torch::Tensor& x, std::int64_t upsampling = 1)
      : images(x.size(0)),
        height(x.size(2) * upsampling),
        width(x.size(3) * upsampling),
        rows((height + kOutputs - 1) / kOutputs),
        columns((width + kOutputs - 1) / kOutputs) {}
  std::int64_t strips() const { return images * rows; }
  std::int64_t count() const { return strips() * columns; }
  std::int64_t image(std::int64_t tile) const { return tile / (rows * columns); }
  std::int64_t top(std::int64_t tile) const { return tile / columns % rows * kOutputs; }
  std::int64_t left(std::int64_t tile) const { return tile % columns * kOutputs; }

  std::int64_t images, height, width, rows, columns;
};

/// Matrices [kPoints, rows, columns], each contiguous.
template <class T>
class Points {
 public:
  Points(std::int64_t rows, std::int64_t columns)
      // An additional row between the matrices prevents distances of a power of two, at which the same column of all
      // points would compete for a few places of the cache.
      : values_(torch::empty({Maps<T>::kPoints, rows + 1, columns}, c10::CppTypeToScalarType<T>::value)) {}
  T* data() { return values_.template mutable_data_ptr<T>(); }
  std::int64_t stride() const { return values_.stride(0); }

 private:
  torch::Tensor values_;
};

/// Sizes of a product [rows, inner] x [inner, columns], and the lengths of the rows in memory.
struct ProductSizes {
  std::int64_t rows, columns, inner;
  std::int64_t first_stride, second_stride, result_stride;
};

/// result = first x second, or that added to it. Pairs of rows of `second` are interleaved in bfloat16.
template <class T>
void multiply(const ProductSizes& sizes, const T* first, const T* second, float* result, bool adds = false) {
  at::native::cpublas::brgemm(sizes.rows, sizes.columns, sizes.inner, sizes.first_stride, sizes.second_stride,
                              sizes.result_stride, adds, first, second, result, /*is_vnni=*/sizeof(T) == 2);
}

/// Ends a thread's calls of multiply.
template <class T>
void end_products() {
  at::native::cpublas::brgemm_release(sizeof(T) == 2);
}

}  // namespace sfumato::winograd
