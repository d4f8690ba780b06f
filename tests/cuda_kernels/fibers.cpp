#include "fibers.h"

#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "emulation.h"

// ThreadSanitizer's functions, null without it. This file is compiled without sanitizers: the fibers share the
// scheduler's own state without an order that ThreadSanitizer could see.
extern "C" {
[[gnu::weak]] void* __tsan_create_fiber(unsigned flags);
[[gnu::weak]] void* __tsan_get_current_fiber();
[[gnu::weak]] void __tsan_switch_to_fiber(void* fiber, unsigned flags);
[[gnu::weak]] void __tsan_acquire(void* place);
[[gnu::weak]] void __tsan_release(void* place);
}

namespace sfumato::cuda::emulation {
namespace {

using Watch = void*;

Watch watch_fiber() {
  return __tsan_create_fiber == nullptr ? nullptr : __tsan_create_fiber(0);
}
Watch watch_this() {
  return __tsan_get_current_fiber == nullptr ? nullptr : __tsan_get_current_fiber();
}
void announce_switch(Watch to) {
  constexpr unsigned kOrdersNothing = 1;
  if (__tsan_switch_to_fiber != nullptr) __tsan_switch_to_fiber(to, kOrdersNothing);
}
void publish(char* place) {
  if (__tsan_release != nullptr) __tsan_release(place);
}
void observe(char* place) {
  if (__tsan_acquire != nullptr) __tsan_acquire(place);
}

struct Fiber {
  static constexpr std::size_t kStack = std::size_t{1} << 18;
  std::unique_ptr<char[]> stack{new char[kStack]};
  ucontext_t context{};
  Watch watch = watch_fiber();
  bool ended = true;
};

struct Scheduler {
  std::vector<std::unique_ptr<Fiber>> fibers;
  const std::function<void(unsigned)>* body = nullptr;
  unsigned current = 0;
  ucontext_t context{};
  Watch watch = nullptr;
  bool progressed = false;
  char begin = 0, end = 0;
};
Scheduler scheduler;

void leave_fiber() {
  Fiber& fiber = *scheduler.fibers[scheduler.current];
  announce_switch(scheduler.watch);
  swapcontext(&fiber.context, &scheduler.context);
}

void enter_fiber(unsigned index) {
  scheduler.current = index;
  threadIdx = {.x = index};
  announce_switch(scheduler.fibers[index]->watch);
  swapcontext(&scheduler.context, &scheduler.fibers[index]->context);
}

void run_body() {
  observe(&scheduler.begin);
  (*scheduler.body)(scheduler.current);
  publish(&scheduler.end);
  scheduler.fibers[scheduler.current]->ended = true;
  scheduler.progressed = true;
  leave_fiber();
}

void prepare(Fiber& fiber) {
  fiber.ended = false;
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.get();
  fiber.context.uc_stack.ss_size = Fiber::kStack;
  makecontext(&fiber.context, run_body, 0);
}

/// Lets each fiber run until it waits; true if one is left.
bool run_round(unsigned count) {
  bool left = false;
  for (unsigned index = 0; index < count; ++index) {
    if (scheduler.fibers[index]->ended) continue;
    enter_fiber(index);
    left = left || !scheduler.fibers[index]->ended;
  }
  return left;
}

}  // namespace

void fail(const char* message) {
  std::fprintf(stderr, "CUDA emulation: %s\n", message);
  std::_Exit(1);
}

void run_fibers(unsigned count, const std::function<void(unsigned)>& body) {
  while (scheduler.fibers.size() < count) scheduler.fibers.push_back(std::make_unique<Fiber>());
  scheduler.body = &body;
  scheduler.watch = watch_this();
  for (unsigned index = 0; index < count; ++index) prepare(*scheduler.fibers[index]);
  publish(&scheduler.begin);
  do {
    scheduler.progressed = false;
    if (!run_round(count)) break;
  } while (scheduler.progressed || (fail("threads wait for others that have ended or wait elsewhere"), false));
  observe(&scheduler.end);
}

void Rendezvous::wait(bool orders) {
  const auto phase = phase_;
  if (orders) publish(&places_[phase % 2]);
  if (++waiting_ == count_) {
    waiting_ = 0;
    ++phase_;
    scheduler.progressed = true;
  }
  while (phase_ == phase) leave_fiber();
  if (orders) observe(&places_[phase % 2]);
}

}  // namespace sfumato::cuda::emulation
