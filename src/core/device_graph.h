#pragma once

#include <c10/core/Device.h>

#include <functional>
#include <memory>
#include <string>

namespace sfumato {

/// Operations of a device that are queued together by one call, instead of one call for each.
class DeviceGraph {
 public:
  virtual ~DeviceGraph() = default;
  /// Queues the operations on the current stream. They read and write the memory that they used when recorded.
  virtual void replay() = 0;
};

/// Recorder of a device's graphs. Their temporary tensors share one pool of memory, so that graphs must be replayed on
/// the same stream, and an output must be read before the next replay.
class DeviceGraphs {
 public:
  virtual ~DeviceGraphs() = default;
  /// Runs `work` on the stream of recordings, after all work queued on the current stream and before all that follows.
  /// Libraries then have their workspaces for that stream, which cannot be made during a recording.
  virtual void warm_up(const std::function<void()>& work) = 0;
  /// Records the operations that `work` queues; they are not executed. Throws c10::Error if one cannot be recorded, as
  /// a copy to the host, or if there is too little memory.
  virtual std::unique_ptr<DeviceGraph> record(const std::function<void()>& work) = 0;
};

/// A recorder, or a note of one line why there is none.
struct DeviceGraphsOrNote {
  std::shared_ptr<DeviceGraphs> graphs;
  std::string note;
};

/// Returns a recorder of CUDA graphs for a device, from libsfumato_cuda_graphs.so (own_library). There is none for the
/// CPU. The environment variable SFUMATO_CUDA_GRAPHS=0 turns graphs off, for comparisons; throws std::invalid_argument
/// for a value other than 0 and 1.
DeviceGraphsOrNote cuda_graphs(c10::Device device);

}  // namespace sfumato
