#include "core/interrupt.h"

#include <gtest/gtest.h>

#include <csignal>

namespace sfumato {
namespace {

TEST(Interrupt, TheFirstSignalOnlySetsTheFlag) {
  for (const int signal : {SIGINT, SIGTERM}) {
    watch_interrupts();
    EXPECT_FALSE(interrupted());
    std::raise(signal);
    EXPECT_TRUE(interrupted());
    std::signal(signal, SIG_DFL);
  }
}

TEST(InterruptDeathTest, TheSecondEndsTheProcess) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto twice = [] {
    watch_interrupts();
    std::raise(SIGINT);
    std::raise(SIGINT);
  };
  EXPECT_EXIT(twice(), testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace sfumato
