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
    EXPECT_EQ(interrupted_exit_code(), 128 + signal);
    std::signal(signal, SIG_DFL);
  }
}

TEST(Interrupt, TheFirstOfTwoSignalsGivesTheExitCode) {
  watch_interrupts();
  std::raise(SIGTERM);
  std::raise(SIGINT);
  EXPECT_EQ(interrupted_exit_code(), 143);
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
