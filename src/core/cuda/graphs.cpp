#include "core/cuda/graphs.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/core/Event.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

namespace sfumato {
namespace {

namespace allocator = c10::cuda::CUDACachingAllocator;

class CudaGraph : public DeviceGraph {
 public:
  /// Records on the current stream, which must not be the default one.
  void record(const std::function<void()>& work, at::MempoolId_t pool) {
    // Other threads may go on using the device.
    graph_.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
    try {
      work();
      graph_.capture_end();
    } catch (...) {
      abandon(pool);
      throw;
    }
  }

  void replay() override { graph_.replay(); }

 private:
  /// Takes the stream and the allocator out of a recording that failed.
  void abandon(at::MempoolId_t pool) {
    const auto stream = c10::cuda::getCurrentCUDAStream();
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    cudaGraph_t broken = nullptr;
    if (cudaStreamIsCapturing(stream, &status) == cudaSuccess && status != cudaStreamCaptureStatusNone)
      cudaStreamEndCapture(stream, &broken);
    if (broken != nullptr) cudaGraphDestroy(broken);
    cudaGetLastError();  // forgets the error, which later calls would report
    allocator::endAllocateToPool(stream.device_index(), pool);
    allocator::releasePool(stream.device_index(), pool);
  }

  at::cuda::CUDAGraph graph_;
};

class CudaGraphs : public DeviceGraphs {
 public:
  explicit CudaGraphs(c10::DeviceIndex device)
      : stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device)), pool_(at::cuda::graph_pool_handle()) {}

  void warm_up(const std::function<void()>& work) override { on_stream(work); }

  std::unique_ptr<DeviceGraph> record(const std::function<void()>& work) override {
    allocator::emptyCache();  // the warm-up's memory, which only this stream could use
    auto graph = std::make_unique<CudaGraph>();
    on_stream([&] { graph->record(work, pool_); });
    return graph;
  }

 private:
  void on_stream(const std::function<void()>& work) const {
    const auto before = c10::cuda::getCurrentCUDAStream(stream_.device_index());
    follow(stream_, before);
    {
      const c10::cuda::CUDAStreamGuard guard(stream_);
      work();
    }
    follow(before, stream_);
  }

  /// Lets the next operation of `later` wait for those queued on `earlier`.
  static void follow(const c10::cuda::CUDAStream& later, const c10::cuda::CUDAStream& earlier) {
    c10::Event event(c10::DeviceType::CUDA);
    event.record(earlier.unwrap());
    event.block(later.unwrap());
  }

  c10::cuda::CUDAStream stream_;
  at::MempoolId_t pool_;
};

}  // namespace
}  // namespace sfumato

sfumato::DeviceGraphs* sfumato_cuda_graphs(c10::DeviceIndex device) {
  return new sfumato::CudaGraphs(device);
}
