#pragma once

#include <functional>

/// Threads of a CUDA block as fibers of one thread of the host: a switch costs a fraction of a microsecond, and a
/// deadlock is found at once. ThreadSanitizer regards each as a thread. Switches order nothing for it: only a
/// Rendezvous that orders, and the begin and end of run_fibers.
namespace sfumato::cuda::emulation {

/// Runs body(0) ... body(count - 1), each as a fiber. Ends the program if all that are left wait.
void run_fibers(unsigned count, const std::function<void(unsigned)>& body);

/// Ends the program with a message.
[[noreturn]] void fail(const char* message);

/// Point at which `count` fibers wait for each other, again and again.
class Rendezvous {
 public:
  explicit Rendezvous(unsigned count) : count_(count) {}

  /// Returns when all have called it. If `orders`, what a fiber did before it happens before all that the others do
  /// after it.
  void wait(bool orders);

 private:
  unsigned count_, waiting_ = 0, phase_ = 0;
  // Places by which ThreadSanitizer orders; a phase's is not used by the next one, which some fibers reach early.
  char places_[2] = {};
};

}  // namespace sfumato::cuda::emulation
