#include "core/replayed_function.h"

#include <utility>

#include "core/error_text.h"

namespace sfumato {
namespace {

// Each keeps an output and inputs; temporary tensors are in a pool that all share.
constexpr std::size_t kMostRecordings = 8;

/// Shapes, strides and dtypes of tensors, by which recordings are found.
std::vector<std::int64_t> layout_of(const ReplayedFunction::Tensors& tensors) {
  std::vector<std::int64_t> layout;
  for (const auto& tensor : tensors) {
    layout.push_back(tensor.defined() ? tensor.dim() : -1);
    if (!tensor.defined()) continue;
    layout.push_back(static_cast<std::int64_t>(tensor.scalar_type()));
    layout.insert(layout.end(), tensor.sizes().begin(), tensor.sizes().end());
    layout.insert(layout.end(), tensor.strides().begin(), tensor.strides().end());
  }
  return layout;
}

std::vector<const void*> addresses_of(const ReplayedFunction::Tensors& tensors) {
  std::vector<const void*> addresses;
  for (const auto& tensor : tensors) addresses.push_back(tensor.const_data_ptr());
  return addresses;
}

}  // namespace

ReplayedFunction::ReplayedFunction(Function function, Tensors weights, DeviceGraphsOrNote graphs)
    : function_(std::move(function)), weights_(std::move(weights)), graphs_(std::move(graphs)) {}

bool ReplayedFunction::replays() const {
  return graphs_.graphs != nullptr && !at::GradMode::is_enabled();
}

void ReplayedFunction::discard_if_weights_moved() {
  auto addresses = addresses_of(weights_);
  if (addresses == addresses_) return;
  recordings_.clear();
  addresses_ = std::move(addresses);
}

/// Copies the inputs that differ from those of the last call.
void ReplayedFunction::set_inputs(Recording& recording, const Tensors& inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) continue;
    const auto version = inputs[i].unsafeGetTensorImpl()->version_counter().current_version();
    if (recording.sources[i].is_same(inputs[i]) && recording.versions[i] == version) continue;
    recording.inputs[i].copy_(inputs[i], /*non_blocking=*/true);
    recording.sources[i] = inputs[i];
    recording.versions[i] = version;
  }
}

/// Returns false if the recording failed.
bool ReplayedFunction::record(Recording& recording, const Tensors& inputs) {
  for (const auto& input : inputs)
    recording.inputs.push_back(input.defined() ? torch::empty_like(input) : torch::Tensor());
  recording.sources.resize(inputs.size());
  recording.versions.resize(inputs.size());
  try {
    recording.graph = graphs_.graphs->record([&] { recording.output = function_(recording.inputs); });
    return true;
  } catch (const c10::Error& error) {
    graphs_ = {.graphs = nullptr, .note = "CUDA graphs: not used from here on, " + error_text(error)};
    failed_ = true;
    return false;
  }
}

torch::Tensor ReplayedFunction::operator()(const Tensors& inputs) {
  const std::lock_guard lock(mutex_);
  if (!replays()) return function_(inputs);
  discard_if_weights_moved();
  if (recordings_.size() >= kMostRecordings && !recordings_.contains(layout_of(inputs))) recordings_.clear();
  auto& recording = recordings_[layout_of(inputs)];
  if (!std::exchange(recording.warm, true)) {
    torch::Tensor output;
    graphs_.graphs->warm_up([&] { output = function_(inputs); });
    return output;
  }
  if (recording.graph == nullptr && !record(recording, inputs)) {
    recordings_.clear();
    return function_(inputs);
  }
  set_inputs(recording, inputs);
  recording.graph->replay();
  return recording.output.clone();
}

void ReplayedFunction::clear() {
  const std::lock_guard lock(mutex_);
  recordings_.clear();
}

std::string ReplayedFunction::note() const {
  const std::lock_guard lock(mutex_);
  return graphs_.note;
}

std::string ReplayedFunction::warning() const {
  const std::lock_guard lock(mutex_);
  return failed_ ? graphs_.note : "";
}

}  // namespace sfumato
