#pragma once

#include <memory>
#include <utility>

#include "core/device_graph.h"

namespace sfumato {

/// A recorder for the host. A recording keeps the work and runs it at each replay; It counts its calls.
class HostGraphs : public DeviceGraphs {
 public:
  struct Graph : DeviceGraph {
    Graph(std::function<void()> recorded, int& counter) : work(std::move(recorded)), replays(counter) {}
    void replay() override {
      ++replays;
      work();
    }
    std::function<void()> work;
    int& replays;
  };

  void warm_up(const std::function<void()>& work) override {
    ++warm_ups;
    work();
  }
  std::unique_ptr<DeviceGraph> record(const std::function<void()>& work) override {
    ++records;
    work();
    TORCH_CHECK(!fails, "cannot be recorded");
    return std::make_unique<Graph>(work, replays);
  }

  int warm_ups = 0, records = 0, replays = 0;
  bool fails = false;
};

}  // namespace sfumato
