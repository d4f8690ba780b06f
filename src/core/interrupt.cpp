#include "core/interrupt.h"

#include <atomic>
#include <csignal>

namespace sfumato {
namespace {

// Global, because a signal handler can access nothing else.
std::atomic<bool> signal_arrived{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a handler may touch lock-free atomics only");

void note_signal(int) {
  signal_arrived.store(true, std::memory_order_relaxed);
}

}  // namespace

void watch_interrupts() {
  signal_arrived.store(false, std::memory_order_relaxed);
  struct sigaction action {};
  action.sa_handler = note_signal;
  // RESETHAND gives the second signal its default action; RESTART keeps file and socket calls from failing midway.
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() {
  return signal_arrived.load(std::memory_order_relaxed);
}

}  // namespace sfumato
