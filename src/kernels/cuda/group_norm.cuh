#pragma once

#include "kernels/cuda/elements.cuh"
#include "kernels/cuda/moments.cuh"

/// Group normalisation of channels-last images. A large image is divided into splits, runs of pixels that a block
/// measures; another kernel unites their moments into an affine map for each channel, and a third one applies it. The
/// splits depend on the image's shape alone, and are united in a fixed order: an image gets the same values in every
/// batch and run. A block does all three for some groups of a small image.
namespace sfumato::cuda {

/// Arguments of the kernels; see SfumatoGroupNorm.
template <class T>
struct GroupNormTask {
  const T* x;
  T* y;
  const T *weight, *bias;
  const T *added, *scale, *shift;  // [N, C] or null
  long long embedding_stride;
  float* moments;  // [N, splits, groups, 2]: mean and squares
  float* affine;   // [N, 2, C]: factor and offset
  int pixels, channels, groups, splits, split_pixels;
  float eps;
  bool silu;

  __device__ int group_size() const { return channels / groups; }
  __device__ int pixels_of(int split) const { return min(split_pixels, pixels - split * split_pixels); }
  __device__ float* moments_of(int image, int split, int group) const {
    return moments + ((static_cast<long long>(image) * splits + split) * groups + group) * 2;
  }
  __device__ float* factors(int image) const { return affine + static_cast<long long>(image) * 2 * channels; }
};

/// Pixels and channels that a block processes.
struct Part {
  int image, split, first_pixel, pixels, first_group, groups;
};

template <class T>
__device__ inline Part part_of(const GroupNormTask<T>& task, int split, int first_group, int groups) {
  return {.image = static_cast<int>(blockIdx.y),
          .split = split,
          .first_pixel = split * task.split_pixels,
          .pixels = task.pixels_of(split),
          .first_group = first_group,
          .groups = min(groups, task.groups - first_group)};
}

/// Division of a block's threads over the part's elements: a thread keeps to a vector of V channels of every rows-th
/// pixel. If there are more vectors than threads, they are processed in tiles.
template <class T, int V>
struct Layout {
  int first_channel, columns, width, rows, row, column;

  __device__ Layout(const GroupNormTask<T>& task, const Part& part)
      : first_channel(part.first_group * task.group_size()),
        columns(part.groups * task.group_size() / V),
        width(min(columns, static_cast<int>(blockDim.x))),
        rows(static_cast<int>(blockDim.x) / width),
        row(static_cast<int>(threadIdx.x) / width),
        column(static_cast<int>(threadIdx.x) % width) {}

  __device__ int channel(int tile) const { return first_channel + (tile + column) * V; }
  __device__ bool is_used(int tile) const { return row < rows && tile + column < columns; }
  /// Pixels of the part that the threads of a row process.
  __device__ int pixels_of_row(int pixels, int of) const { return of < pixels ? (pixels - of - 1) / rows + 1 : 0; }
};

/// Offset of a pixel in x, in elements.
template <class T>
__device__ inline long long offset(const GroupNormTask<T>& task, const Part& part, int pixel, int channel) {
  return (static_cast<long long>(part.image) * task.pixels + part.first_pixel + pixel) * task.channels + channel;
}

/// Mean and squares of each of a thread's channels over its pixels (Welford 1962).
template <class T, int V>
__device__ inline void measure_channels(const GroupNormTask<T>& task, const Part& part, const Layout<T, V>& layout,
                                        int tile, float* means, float* squares) {
  float mean[V] = {}, square[V] = {}, count = 0;
  for (int pixel = layout.row; pixel < part.pixels; pixel += layout.rows) {
    float values[V];
    load<V>(values, task.x + offset(task, part, pixel, layout.channel(tile)));
    count += 1;
    const float weight = 1 / count;
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const float distance = values[v] - mean[v];
      mean[v] += distance * weight;
      square[v] += distance * (values[v] - mean[v]);
    }
  }
#pragma unroll
  for (int v = 0; v < V; ++v) {
    means[threadIdx.x * V + v] = mean[v];
    squares[threadIdx.x * V + v] = square[v];
  }
}

/// Moments of the channels [begin, end) of one tile, united by a warp. The added embedding moves only their means.
template <class T, int V>
__device__ inline Moments unite_channels(const GroupNormTask<T>& task, const Part& part, const Layout<T, V>& layout,
                                         int begin, int end, const float* means, const float* squares, int tile_begin) {
  Moments moments;
  const int size = end - begin;
  for (int entry = static_cast<int>(threadIdx.x) % kWarp; entry < layout.rows * size; entry += kWarp) {
    const int row = entry / size, channel = begin + entry % size;
    const int place = row * layout.width * V + channel - tile_begin;
    const float added = task.added == nullptr ? 0 : to_float(task.added[part.image * task.embedding_stride + channel]);
    merge(moments, {.count = static_cast<float>(layout.pixels_of_row(part.pixels, row)),
                    .mean = means[place] + added,
                    .squares = squares[place]});
  }
  return warp_union(moments);
}

/// Writes the moments of the groups of a tile to the workspace. A group that began in an earlier tile is completed: by
/// the same thread, which wrote its beginning.
template <class T, int V>
__device__ inline void unite_groups(const GroupNormTask<T>& task, const Part& part, const Layout<T, V>& layout,
                                    int tile, const float* means, const float* squares) {
  const int tile_begin = layout.first_channel + tile * V;
  const int tile_end = layout.first_channel + min(tile + layout.width, layout.columns) * V;
  const int size = task.group_size();
  for (int index = static_cast<int>(threadIdx.x) / kWarp; index < part.groups; index += blockDim.x / kWarp) {
    const int group = part.first_group + index, first = group * size;
    const int begin = max(first, tile_begin), end = min(first + size, tile_end);
    if (begin >= end) continue;
    const auto tile_moments = unite_channels(task, part, layout, begin, end, means, squares, tile_begin);
    if (threadIdx.x % kWarp != 0) continue;
    float* stored = task.moments_of(part.image, part.split, group);
    Moments moments;
    if (begin > first)
      moments = {.count = static_cast<float>(part.pixels) * (begin - first), .mean = stored[0], .squares = stored[1]};
    merge(moments, tile_moments);
    stored[0] = moments.mean;
    stored[1] = moments.squares;
  }
}

/// Writes the moments of the part's groups to the workspace, where they are visible to the block.
template <class T, int V>
__device__ inline void measure(const GroupNormTask<T>& task, const Part& part) {
  __shared__ float means[kMaxThreads * V], squares[kMaxThreads * V];
  const Layout<T, V> layout(task, part);
  for (int tile = 0; tile < layout.columns; tile += layout.width) {
    if (layout.is_used(tile)) measure_channels(task, part, layout, tile, means, squares);
    __syncthreads();
    unite_groups(task, part, layout, tile, means, squares);
    __syncthreads();
  }
}

/// Unites the moments of a group's splits and writes the affine map of its channels; by a warp.
template <class T>
__device__ inline void finish_group(const GroupNormTask<T>& task, int image, int group) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, size = task.group_size();
  Moments moments;
  for (int split = lane; split < task.splits; split += kWarp) {
    const float* stored = task.moments_of(image, split, group);
    merge(moments,
          {.count = static_cast<float>(task.pixels_of(split)) * size, .mean = stored[0], .squares = stored[1]});
  }
  moments = warp_union(moments);
  const float inverse = inverse_sqrt(moments.squares / moments.count + task.eps);
  for (int channel = group * size + lane; channel < (group + 1) * size; channel += kWarp) {
    const auto embedding = image * task.embedding_stride + channel;
    float factor = inverse * to_float(task.weight[channel]), mean = moments.mean;
    if (task.added != nullptr) mean -= to_float(task.added[embedding]);
    float shifted = to_float(task.bias[channel]) - mean * factor;
    if (task.scale != nullptr) {
      const float scale = 1 + to_float(task.scale[embedding]);
      factor *= scale;
      shifted = shifted * scale + to_float(task.shift[embedding]);
    }
    task.factors(image)[channel] = factor;
    task.factors(image)[task.channels + channel] = shifted;
  }
}

/// y = act(factor x + offset) over the part.
template <class T, int V>
__device__ inline void apply(const GroupNormTask<T>& task, const Part& part) {
  const Layout<T, V> layout(task, part);
  for (int tile = 0; tile < layout.columns; tile += layout.width) {
    if (!layout.is_used(tile)) continue;
    float factor[V], shifted[V];
#pragma unroll
    for (int v = 0; v < V; ++v) {
      factor[v] = task.factors(part.image)[layout.channel(tile) + v];
      shifted[v] = task.factors(part.image)[task.channels + layout.channel(tile) + v];
    }
    for (int pixel = layout.row; pixel < part.pixels; pixel += layout.rows) {
      const auto place = offset(task, part, pixel, layout.channel(tile));
      float values[V];
      load<V>(values, task.x + place);
#pragma unroll
      for (int v = 0; v < V; ++v) {
        values[v] = values[v] * factor[v] + shifted[v];
        if (task.silu) values[v] = silu<T>(values[v]);
      }
      store<V>(task.y + place, values);
    }
  }
}

/// Grid [splits, N].
template <class T, int V>
__global__ void __launch_bounds__(kMaxThreads) measure_splits(GroupNormTask<T> task) {
  measure<T, V>(task, part_of(task, blockIdx.x, 0, task.groups));
}

/// A warp for each of N * groups.
template <class T>
__global__ void __launch_bounds__(kMaxThreads, 1) finish_groups(GroupNormTask<T> task, int count) {
  const int index = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) / kWarp;
  if (index < count) finish_group(task, index / task.groups, index % task.groups);
}

/// Grid [splits, N].
template <class T, int V>
__global__ void __launch_bounds__(kMaxThreads) apply_splits(GroupNormTask<T> task) {
  apply<T, V>(task, part_of(task, blockIdx.x, 0, task.groups));
}

/// Everything in one block for `groups` groups of an image of one split. Grid [ceil(task.groups / groups), N].
template <class T, int V>
__global__ void __launch_bounds__(kMaxThreads, 1) normalise_small(GroupNormTask<T> task, int groups) {
  const auto part = part_of(task, 0, blockIdx.x * groups, groups);
  measure<T, V>(task, part);
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  for (int index = static_cast<int>(threadIdx.x) / kWarp; index < part.groups; index += warps)
    finish_group(task, part.image, part.first_group + index);
  __syncthreads();
  apply<T, V>(task, part);
}

}  // namespace sfumato::cuda
