#pragma once

#include <future>

#include "training/loading/loader.h"

namespace sfumato {

/// Makes the next batch of a loader on another thread while the networks compute the current one. On a CUDA device the
/// host would otherwise leave the device idle while it draws noise and copies images.
class ReadAhead {
 public:
  explicit ReadAhead(Loader& loader) : loader_(loader) {}
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// Returns batch `number`, made before if `start` has named it. Throws what the loader threw.
  Batch take(std::int64_t number);
  /// Begins to make batch `number`. The loader must not be used until `take` or `wait` returns.
  void start(std::int64_t number);
  /// Waits for the batch that is being made.
  void wait() const;

 private:
  Loader& loader_;
  std::future<Batch> next_;
  std::int64_t number_ = -1;
};

}  // namespace sfumato
