#include "core/interrupt.h"

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>

namespace sfumato {
namespace {

// Global, because a signal handler can access nothing else.
std::atomic<int> first_signal{0};  // 0 for none
static_assert(std::atomic<int>::is_always_lock_free, "a handler may touch lock-free atomics only");

void note_signal(int number) {
  int none = 0;
  first_signal.compare_exchange_strong(none, number, std::memory_order_relaxed);
}

/// Makes handlers of this thread run on a stack of their own. oneDNN's float32 matrix product of more than 128 columns
/// (jit_avx512_common_gemm_f32) points the stack register at its workspace, so that a handler's frame on the ordinary
/// stack would overwrite the heap before it.
void use_signal_stack() {
  constexpr std::size_t kSize = std::size_t{64} << 10;  // five frames with the registers of AMX
  alignas(64) static std::array<std::byte, kSize> memory;
  stack_t stack{};
  stack.ss_sp = memory.data();
  stack.ss_size = memory.size();
  sigaltstack(&stack, nullptr);
}

}  // namespace

void watch_interrupts() {
  first_signal.store(0, std::memory_order_relaxed);
  use_signal_stack();
  struct sigaction action {};
  action.sa_handler = note_signal;
  // RESETHAND gives the second signal its default action; RESTART keeps file and socket calls from failing midway.
  action.sa_flags = static_cast<int>(SA_ONSTACK | SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() {
  return first_signal.load(std::memory_order_relaxed) != 0;
}

int interrupted_exit_code() {
  constexpr int kShellsOffset = 128;
  return kShellsOffset + first_signal.load(std::memory_order_relaxed);
}

}  // namespace sfumato
