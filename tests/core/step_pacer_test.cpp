#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <gtest/gtest.h>

#include "core/cuda.h"

namespace sfumato {
namespace {

using Journal = std::vector<std::string>;

/// Backend of a device (LibTorch reserves PrivateUse1 for external ones) that records the calls on its events, of
/// which the first is 1.
class JournalBackend final : public c10::impl::DeviceGuardImplInterface {
 public:
  explicit JournalBackend(Journal& journal) : journal_(journal) {}

  c10::DeviceType type() const override { return c10::kPrivateUse1; }
  c10::Device exchangeDevice(c10::Device) const override { return getDevice(); }
  c10::Device getDevice() const override { return {c10::kPrivateUse1, 0}; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device) const override { return c10::Stream(c10::Stream::DEFAULT, getDevice()); }
  c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }

  void record(void** event, const c10::Stream&, const c10::DeviceIndex, const c10::EventFlag) const override {
    if (*event == nullptr) *event = reinterpret_cast<void*>(++events_);
    write("record", *event);
  }
  void synchronizeEvent(void* event) const override { write("wait for", event); }
  void destroyEvent(void* event, const c10::DeviceIndex) const noexcept override { write("destroy", event); }

 private:
  void write(const std::string& what, void* event) const {
    journal_.push_back(what + " " + std::to_string(reinterpret_cast<std::uintptr_t>(event)));
  }

  Journal& journal_;
  mutable std::uintptr_t events_ = 0;
};

TEST(StepPacer, WaitsForTheStepBeforeTheNewestAndNeverForThat) {
  Journal journal;
  const JournalBackend backend(journal);
  const c10::impl::DeviceGuardImplRegistrar registration(c10::kPrivateUse1, &backend);
  {
    StepPacer pacer({c10::kPrivateUse1, 0});
    for (int step = 0; step < 3; ++step) pacer.step_queued();
  }
  EXPECT_EQ(journal, (Journal{"record 1", "record 2", "wait for 1", "destroy 1", "record 3", "wait for 2", "destroy 2",
                              "destroy 3"}));
}

TEST(StepPacer, DoesNothingOnTheCpu) {
  StepPacer pacer(torch::kCPU);
  pacer.step_queued();
  EXPECT_NO_THROW(pacer.step_queued());
}

}  // namespace
}  // namespace sfumato
