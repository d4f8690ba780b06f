#pragma once

/// C interface of libsfumato_cuda_kernels.so, which programs load at run time (kernels/cuda_library.h). Tensors are
/// contiguous device memory with the shapes given; N is `batch`, P `pixels`, C `channels`. All members of a call have
/// one dtype, and are summed in float32.
extern "C" {

/// Number of this interface. A library with another one is refused.
enum { kSfumatoCudaInterface = 1 };

enum SfumatoDtype { kSfumatoFloat32, kSfumatoBfloat16, kSfumatoFloat16 };

/// Result of a call: 0, one of these, or a positive cudaError_t.
enum { kSfumatoDone = 0, kSfumatoBadShape = -1, kSfumatoBadDtype = -2 };

/// y = act((1 + scale) (weight normalised(x + added) + bias) + shift), where the mean and variance are those of a group
/// of C / groups channels over all pixels, and act is SiLU or the identity.
struct SfumatoGroupNorm {
  const void* x = nullptr;  // [N, P, C]
  void* y = nullptr;        // [N, P, C]
  const void* weight = nullptr;
  const void* bias = nullptr;   // [C]
  const void* added = nullptr;  // [N, C] with rows of `embedding_stride` elements, or null; so are scale and shift
  const void* scale = nullptr;
  const void* shift = nullptr;  // null if and only if scale is
  long long embedding_stride = 0;
  long long batch = 0, pixels = 0, channels = 0, groups = 0;
  double eps = 0;
  int silu = 0;
  int dtype = 0;
  float* workspace = nullptr;  // sfumato_cuda_group_norm_workspace floats
};

/// y = value gelu(gate), with the exact gelu, where value and gate are the halves of input + bias.
struct SfumatoGeglu {
  const void* input = nullptr;  // [rows, 2 C]
  const void* bias = nullptr;   // [2 C] or null
  void* y = nullptr;            // [rows, C]
  long long rows = 0, channels = 0;
  int dtype = 0;
};

/// sum = x + residual, y = weight normalised(sum) + bias over the last dimension.
struct SfumatoLayerNorm {
  const void* x = nullptr;         // [rows, C]
  const void* residual = nullptr;  // [rows, C]
  const void* weight = nullptr;
  const void* bias = nullptr;  // [C]
  void* sum = nullptr;         // [rows, C]
  void* y = nullptr;           // [rows, C]
  long long rows = 0, channels = 0;
  double eps = 0;
  int dtype = 0;
};

int sfumato_cuda_interface();
/// 0 if the current device can run the kernels.
int sfumato_cuda_probe();
/// Name of a result other than 0.
const char* sfumato_cuda_error(int result);

/// Size of the workspace in floats; 0 for a shape that is refused.
long long sfumato_cuda_group_norm_workspace(const SfumatoGroupNorm* call);

/// These queue their work on a stream (a cudaStream_t) and do not wait. They allocate nothing, so a CUDA graph can
/// capture them.
int sfumato_cuda_group_norm(const SfumatoGroupNorm* call, void* stream);
int sfumato_cuda_geglu(const SfumatoGeglu* call, void* stream);
int sfumato_cuda_layer_norm(const SfumatoLayerNorm* call, void* stream);
}
