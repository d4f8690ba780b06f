#pragma once

namespace sfumato {

/// Guard during whose lifetime convolutions on this thread pad with the opposite edge of their input (torch's
/// padding_mode "circular"), so that copies of an image tile without a seam. Like torch::NoGradGuard, it changes no
/// network: another thread can run the same one with zero padding.
class CircularPadding {
 public:
  explicit CircularPadding(bool enabled = true);
  ~CircularPadding();
  CircularPadding(const CircularPadding&) = delete;
  CircularPadding& operator=(const CircularPadding&) = delete;

  static bool is_enabled();

 private:
  bool before_;
};

}  // namespace sfumato
