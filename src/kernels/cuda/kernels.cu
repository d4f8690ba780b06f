#include "kernels/cuda/kernels.h"

#include <algorithm>

#include "kernels/cuda/geglu.cuh"
#include "kernels/cuda/group_norm.cuh"
#include "kernels/cuda/layer_norm.cuh"

namespace sfumato::cuda {
namespace {

/// Calls `run` with a null pointer to the element type of `dtype`.
template <class Run>
int with_type(int dtype, const Run& run) {
  switch (dtype) {
    case kSfumatoFloat32:
      return run(static_cast<float*>(nullptr));
    case kSfumatoBfloat16:
      return run(static_cast<__nv_bfloat16*>(nullptr));
    case kSfumatoFloat16:
      return run(static_cast<__half*>(nullptr));
    default:
      return kSfumatoBadDtype;
  }
}

constexpr long long divide_up(long long value, long long by) {
  return (value + by - 1) / by;
}

/// Limits under which the kernels' 32-bit counts do not overflow.
constexpr long long kMaxBatch = 65535, kMaxPixels = 1LL << 30, kMaxChannels = 1LL << 20, kMaxSplits = 1024;

bool is_valid(const SfumatoGroupNorm& call) {
  const bool sizes = call.batch >= 1 && call.batch <= kMaxBatch && call.pixels >= 1 && call.pixels <= kMaxPixels &&
                     call.channels >= 1 && call.channels <= kMaxChannels;
  return sizes && call.groups >= 1 && call.channels % call.groups == 0 && call.batch * call.groups < (1LL << 26) &&
         (call.scale == nullptr) == (call.shift == nullptr);
}

/// Pixels of a split and number of splits of an image.
struct Splits {
  long long pixels, count;
};

Splits divide(const SfumatoGroupNorm& call) {
  if (call.pixels <= kSmallPixels) return {.pixels = call.pixels, .count = 1};
  const auto wanted = std::clamp(call.pixels * call.channels / kSplitElements, 1LL, std::min(kMaxSplits, call.pixels));
  const auto pixels = divide_up(call.pixels, wanted);
  return {.pixels = pixels, .count = divide_up(call.pixels, pixels)};
}

template <class T>
GroupNormTask<T> task_of(const SfumatoGroupNorm& call) {
  const auto element = [](const void* pointer) { return static_cast<const T*>(pointer); };
  const auto splits = divide(call);
  return {.x = element(call.x),
          .y = static_cast<T*>(call.y),
          .weight = element(call.weight),
          .bias = element(call.bias),
          .added = element(call.added),
          .scale = element(call.scale),
          .shift = element(call.shift),
          .embedding_stride = call.embedding_stride,
          .moments = call.workspace,
          .affine = call.workspace + call.batch * splits.count * call.groups * 2,
          .pixels = static_cast<int>(call.pixels),
          .channels = static_cast<int>(call.channels),
          .groups = static_cast<int>(call.groups),
          .splits = static_cast<int>(splits.count),
          .split_pixels = static_cast<int>(splits.pixels),
          .eps = static_cast<float>(call.eps),
          .silu = call.silu != 0};
}

/// Threads of a block for rows of so many vectors: several rows, in whole warps.
int threads_for(int columns) {
  const int rows = std::max(1, kMaxThreads / columns);
  return std::min(kMaxThreads, (rows * columns + kWarp - 1) / kWarp * kWarp);
}

/// Groups of a block of normalise_small: the fewest that have 128 channels and begin at an aligned vector.
template <class T, int V>
int groups_of_block(const GroupNormTask<T>& task) {
  constexpr int kChannels = 128;
  const int size = task.channels / task.groups;
  for (int groups = 1; groups < task.groups; ++groups)
    if (groups * size >= kChannels && groups * size % V == 0) return groups;
  return task.groups;
}

template <class T, int V>
int normalise_in_blocks(const GroupNormTask<T>& task, unsigned batch, void* stream) {
  const int groups = groups_of_block<T, V>(task);
  const int columns = groups * (task.channels / task.groups) / V;
  const dim3 blocks(static_cast<unsigned>(divide_up(task.groups, groups)), batch);
  return launch(normalise_small<T, V>, blocks, threads_for(columns), stream, task, groups);
}

template <class T, int V>
int normalise(const GroupNormTask<T>& task, unsigned batch, void* stream) {
  if (task.splits == 1) return normalise_in_blocks<T, V>(task, batch, stream);
  const dim3 blocks(static_cast<unsigned>(task.splits), batch);
  const int threads = threads_for(task.channels / V), count = static_cast<int>(batch) * task.groups;
  int result = launch(measure_splits<T, V>, blocks, threads, stream, task);
  if (result != 0) return result;
  constexpr int kThreads = 4 * kWarp;
  const dim3 warps(static_cast<unsigned>(divide_up(static_cast<long long>(count) * kWarp, kThreads)));
  result = launch(finish_groups<T>, warps, kThreads, stream, task, count);
  if (result != 0) return result;
  return launch(apply_splits<T, V>, blocks, threads, stream, task);
}

template <class T, int V>
int activate(const SfumatoGeglu& call, void* stream) {
  const auto columns = call.channels / V;
  if (call.rows * columns >= (1LL << 31)) return kSfumatoBadShape;
  const GegluTask<T> task{.input = static_cast<const T*>(call.input),
                          .bias = static_cast<const T*>(call.bias),
                          .y = static_cast<T*>(call.y),
                          .rows = static_cast<unsigned>(call.rows),
                          .columns = static_cast<unsigned>(columns)};
  constexpr int kThreads = 4 * kWarp;
  const dim3 blocks(static_cast<unsigned>(divide_up(call.rows * columns, kThreads)));
  return launch(geglu<T, V>, blocks, kThreads, stream, task);
}

template <class T, int V>
int add_and_normalise(const SfumatoLayerNorm& call, void* stream) {
  const LayerNormTask<T> task{.x = static_cast<const T*>(call.x),
                              .residual = static_cast<const T*>(call.residual),
                              .weight = static_cast<const T*>(call.weight),
                              .bias = static_cast<const T*>(call.bias),
                              .sum = static_cast<T*>(call.sum),
                              .y = static_cast<T*>(call.y),
                              .rows = call.rows,
                              .channels = static_cast<int>(call.channels),
                              .eps = static_cast<float>(call.eps)};
  constexpr int kWarps = 4;
  const dim3 blocks(static_cast<unsigned>(divide_up(call.rows, kWarps)));
  return launch(add_layer_norm<T, V>, blocks, kWarps * kWarp, stream, task);
}

}  // namespace
}  // namespace sfumato::cuda

using namespace sfumato::cuda;  // NOLINT(google-build-using-namespace): the functions below have no namespace

extern "C" {

int sfumato_cuda_interface() {
  return kSfumatoCudaInterface;
}

long long sfumato_cuda_group_norm_workspace(const SfumatoGroupNorm* call) {
  if (!is_valid(*call)) return 0;
  return call->batch * 2 * (divide(*call).count * call->groups + call->channels);
}

int sfumato_cuda_group_norm(const SfumatoGroupNorm* call, void* stream) {
  if (!is_valid(*call)) return kSfumatoBadShape;
  return with_type(call->dtype, [&]<class T>(T*) {
    const auto task = task_of<T>(*call);
    const auto batch = static_cast<unsigned>(call->batch);
    const bool aligned = rows_are_aligned<T>(call->channels, call->x, call->y);
    return aligned ? normalise<T, kFullVector<T>>(task, batch, stream) : normalise<T, 1>(task, batch, stream);
  });
}

int sfumato_cuda_geglu(const SfumatoGeglu* call, void* stream) {
  if (call->rows < 1 || call->channels < 1 || call->channels > kMaxChannels) return kSfumatoBadShape;
  return with_type(call->dtype, [&]<class T>(T*) {
    const bool aligned = rows_are_aligned<T>(call->channels, call->input, call->bias, call->y);
    return aligned ? activate<T, kFullVector<T>>(*call, stream) : activate<T, 1>(*call, stream);
  });
}

int sfumato_cuda_layer_norm(const SfumatoLayerNorm* call, void* stream) {
  const bool sizes = call->rows >= 1 && call->rows < (1LL << 31) && call->channels >= 1;
  if (!sizes || call->channels > kMaxChannels) return kSfumatoBadShape;
  return with_type(call->dtype, [&]<class T>(T*) {
    const bool aligned =
        rows_are_aligned<T>(call->channels, call->x, call->residual, call->weight, call->bias, call->sum, call->y);
    return aligned ? add_and_normalise<T, kFullVector<T>>(*call, stream) : add_and_normalise<T, 1>(*call, stream);
  });
}

#ifndef SFUMATO_CUDA_EMULATION
int sfumato_cuda_probe() {
  cudaFuncAttributes attributes;
  const auto result = cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(finish_groups<float>));
  cudaGetLastError();  // clears it: the caller goes on without these kernels
  return result;
}

const char* sfumato_cuda_error(int result) {
  if (result == kSfumatoBadShape) return "shape out of range";
  if (result == kSfumatoBadDtype) return "unknown dtype";
  return cudaGetErrorString(static_cast<cudaError_t>(result));
}
#endif
}
