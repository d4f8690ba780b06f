#include "training/loading/read_ahead.h"

#include <ATen/Parallel.h>

#include <utility>

namespace sfumato {

ReadAhead::~ReadAhead() {
  wait();
}

Batch ReadAhead::take(std::int64_t number) {
  if (!next_.valid()) return loader_.batch(number);
  auto batch = std::exchange(next_, {}).get();
  return number == number_ ? std::move(batch) : loader_.batch(number);
}

void ReadAhead::start(std::int64_t number) {
  wait();
  number_ = number;
  next_ = std::async(std::launch::async, [this, number] {
    at::set_num_threads(1);  // of this thread: a batch is small, and starting a pool for it takes longer
    return loader_.batch(number);
  });
}

void ReadAhead::wait() const {
  if (next_.valid()) next_.wait();
}

}  // namespace sfumato
