#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/device_graph.h"

namespace sfumato {

/// A function of tensors whose operations depend only on its inputs' shapes, such as a network's forward pass. Small
/// networks leave a device waiting for the host, which queues hundreds of operations; this class records them as a
/// DeviceGraph at the second call with inputs of the same shapes, and replays it from then on. The result is the same.
///
/// May be called by several threads, one after the other. Calls the function itself where gradients are enabled, and
/// from the first recording that failed.
class ReplayedFunction {
 public:
  /// Undefined tensors are absent inputs.
  using Tensors = std::vector<torch::Tensor>;
  using Function = std::function<torch::Tensor(const Tensors& inputs)>;

  /// `weights` are the tensors that the function reads besides its inputs. Recordings contain their addresses, and are
  /// discarded when one of them has moved (LoRA files replaced). Without a recorder the function itself is called.
  ReplayedFunction(Function function, Tensors weights, DeviceGraphsOrNote graphs);

  torch::Tensor operator()(const Tensors& inputs);

  /// Frees the recordings with their memory.
  void clear();
  /// Returns one line that names the library of the recorder, or why there is none.
  std::string note() const;
  /// Returns the note if a recording failed, else "".
  std::string warning() const;

 private:
  struct Recording {
    bool warm = false;
    Tensors sources = {};  // inputs of the last call, and their versions
    std::vector<std::uint32_t> versions = {};
    Tensors inputs = {};  // the graph's own inputs and output
    torch::Tensor output = {};
    std::unique_ptr<DeviceGraph> graph = {};  // after `output`: freed first
  };

  bool replays() const;
  void discard_if_weights_moved();
  bool record(Recording& recording, const Tensors& inputs);
  static void set_inputs(Recording& recording, const Tensors& inputs);

  Function function_;
  Tensors weights_;
  std::vector<const void*> addresses_;
  DeviceGraphsOrNote graphs_;
  bool failed_ = false;
  std::map<std::vector<std::int64_t>, Recording> recordings_;
  mutable std::mutex mutex_;
};

}  // namespace sfumato
