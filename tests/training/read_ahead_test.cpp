#include "training/loading/read_ahead.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace sfumato {
namespace {

/// Batches that hold their own number; number 7 cannot be made.
class Numbers : public Loader {
 public:
  Batch batch(std::int64_t number) override {
    made.push_back(number);
    if (number == 7) throw std::runtime_error("no batch 7");
    return {{"number", torch::full({1}, number)}};
  }
  std::vector<std::int64_t> made;
};

std::int64_t number_of(const Batch& batch) {
  return batch.at("number").item<std::int64_t>();
}

TEST(ReadAhead, EachBatchIsMadeOnceAndInOrder) {
  Numbers numbers;
  ReadAhead ahead(numbers);
  for (std::int64_t number = 0; number < 4; ++number) {
    EXPECT_EQ(number_of(ahead.take(number)), number);
    ahead.start(number + 1);
    ahead.wait();
  }
  EXPECT_EQ(numbers.made, (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
}

TEST(ReadAhead, AnotherBatchThanTheOneAheadIsMade) {
  Numbers numbers;
  ReadAhead ahead(numbers);
  ahead.start(1);
  EXPECT_EQ(number_of(ahead.take(5)), 5);
  EXPECT_EQ(number_of(ahead.take(6)), 6);
}

TEST(ReadAhead, AFailureIsThrownWhereTheBatchIsTaken) {
  Numbers numbers;
  ReadAhead ahead(numbers);
  ahead.start(7);
  ahead.wait();
  EXPECT_THROW(ahead.take(7), std::runtime_error);
  EXPECT_EQ(number_of(ahead.take(8)), 8);
}

}  // namespace
}  // namespace sfumato
