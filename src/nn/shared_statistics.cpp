#include "nn/shared_statistics.h"

namespace sfumato {
namespace {

thread_local SharedStatistics* shared_statistics = nullptr;

}  // namespace

SharedStatistics::SharedStatistics(const std::function<void()>& whole) : before_(shared_statistics) {
  shared_statistics = this;
  try {
    whole();
  } catch (...) {  // the destructor does not run
    shared_statistics = before_;
    throw;
  }
  records_ = false;
}

SharedStatistics::~SharedStatistics() {
  shared_statistics = before_;
}

SharedStatistics* SharedStatistics::current() {
  return shared_statistics;
}

}  // namespace sfumato
