#include "core/replayed_function.h"

#include <gtest/gtest.h>

#include "core/cuda.h"
#include "core/own_library.h"
#include "host_graphs.h"
#include "placements.h"

namespace sfumato {
namespace {

class ReplayedFunctionOfTwo : public testing::Test {
 protected:
  /// (x + y) weight, or x weight without y.
  ReplayedFunction replayed() {
    return {[this](const ReplayedFunction::Tensors& inputs) {
              return (inputs[1].defined() ? inputs[0] + inputs[1] : inputs[0]) * weight_;
            },
            {weight_},
            {graphs_, "host graphs"}};
  }

  torch::NoGradGuard no_gradients_;
  torch::Tensor weight_ = torch::full({2}, 3.0);
  std::shared_ptr<HostGraphs> graphs_ = std::make_shared<HostGraphs>();
};

torch::Tensor values(float first, float second) {
  return torch::tensor({first, second});
}

TEST_F(ReplayedFunctionOfTwo, WarmsUpRecordsAndThenOnlyReplays) {
  auto function = replayed();
  for (int call = 0; call < 4; ++call)
    EXPECT_TRUE(function({values(1, call), values(1, 1)}).equal(values(6, 3 * call + 3))) << call;
  EXPECT_EQ(graphs_->warm_ups, 1);
  EXPECT_EQ(graphs_->records, 1);
  EXPECT_EQ(graphs_->replays, 3);
}

TEST_F(ReplayedFunctionOfTwo, AnOutputIsNotOverwrittenByTheNextCall) {
  auto function = replayed();
  function({values(0, 0), values(0, 0)});
  const auto second = function({values(1, 2), values(0, 0)});
  function({values(7, 7), values(0, 0)});
  EXPECT_TRUE(second.equal(values(3, 6)));
}

TEST_F(ReplayedFunctionOfTwo, ReadsAnInputThatWasChangedInPlace) {
  auto function = replayed();
  const auto x = values(1, 2), y = values(0, 0);
  for (int call = 0; call < 3; ++call) {
    EXPECT_TRUE(function({x, y}).equal(x * 3)) << call;
    x.add_(1);
  }
}

TEST_F(ReplayedFunctionOfTwo, OtherShapesDtypesAndAbsentInputsAreRecordedApart) {
  auto function = replayed();
  const ReplayedFunction::Tensors inputs[] = {{values(1, 2), values(1, 1)},
                                              {values(1, 2), torch::Tensor()},
                                              {torch::ones({3, 2}), values(1, 1)},
                                              {torch::ones({2, 3}).t(), values(1, 1)},
                                              {values(1, 2).to(torch::kFloat64), values(1, 1)}};
  for (int call = 0; call < 3; ++call)
    for (const auto& input : inputs)
      EXPECT_TRUE(function(input).equal((input[1].defined() ? input[0] + input[1] : input[0]) * weight_));
  EXPECT_EQ(graphs_->records, 5);
}

TEST_F(ReplayedFunctionOfTwo, RecordsAgainWhereAWeightHasMoved) {
  auto function = replayed();
  for (int call = 0; call < 2; ++call) function({values(1, 2), values(0, 0)});
  weight_.mul_(2);  // in place: the recording reads the new values
  EXPECT_TRUE(function({values(1, 2), values(0, 0)}).equal(values(6, 12)));
  EXPECT_EQ(graphs_->records, 1);
  weight_.set_data(torch::full({2}, 5.0));
  for (int call = 0; call < 2; ++call) EXPECT_TRUE(function({values(1, 2), values(0, 0)}).equal(values(5, 10)));
  EXPECT_EQ(graphs_->records, 2);
}

TEST_F(ReplayedFunctionOfTwo, CallsTheFunctionWithGradients) {
  auto function = replayed();
  const at::AutoGradMode gradients(true);
  const auto x = values(1, 2).requires_grad_();
  for (int call = 0; call < 3; ++call) EXPECT_TRUE(function({x, values(0, 0)}).requires_grad());
  EXPECT_EQ(graphs_->warm_ups, 0);
}

TEST_F(ReplayedFunctionOfTwo, AFailedRecordingIsNotedAndTheFunctionCalledFromThenOn) {
  auto function = replayed();
  graphs_->fails = true;
  EXPECT_EQ(function.note(), "host graphs");
  for (int call = 0; call < 4; ++call) EXPECT_TRUE(function({values(1, 2), values(0, 0)}).equal(values(3, 6)));
  EXPECT_EQ(function.warning(), "CUDA graphs: not used from here on, cannot be recorded");
  EXPECT_EQ(graphs_->records, 1);
}

TEST_F(ReplayedFunctionOfTwo, ClearedRecordingsAreMadeAgain) {
  auto function = replayed();
  for (int call = 0; call < 2; ++call) function({values(1, 2), values(0, 0)});
  function.clear();
  for (int call = 0; call < 2; ++call) EXPECT_TRUE(function({values(1, 2), values(0, 0)}).equal(values(3, 6)));
  EXPECT_EQ(graphs_->records, 2);
  EXPECT_EQ(function.warning(), "");
}

TEST(CudaGraphs, AreNotThereForTheCpu) {
  EXPECT_EQ(cuda_graphs(torch::kCPU).note, "CUDA graphs: not used, the device is cpu");
}

// In a separate process, since the CUDA half cannot be unloaded. Without a device the library loads, with all symbols,
// and its recorder throws.
TEST(CudaDeathTest, TheLibraryOfGraphsLoadsWithAllItsSymbolsResolved) {
  if (!std::filesystem::exists(cuda_library())) GTEST_SKIP() << "this LibTorch is built without CUDA";
  if (!std::filesystem::exists(own_library("libsfumato_cuda_graphs.so"))) GTEST_SKIP() << "the library is not built";
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        const auto graphs = cuda_graphs({torch::kCUDA, 0});
        std::fprintf(stderr, "%s\n", graphs.note.c_str());
        const bool expected =
            graphs.note.find(cuda_is_available() ? "libsfumato_cuda_graphs" : "driver") != std::string::npos;
        std::_Exit(expected ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

using ReplayedOnCuda = OnCuda;

/// tanh(x A^T) B^T and its row sums, enough operations for temporary tensors to be reused.
torch::Tensor small_network(const torch::Tensor& x, const torch::Tensor& a, const torch::Tensor& b) {
  const auto hidden = torch::tanh(torch::linear(x, a));
  return torch::linear(hidden, b) + hidden.sum(1, /*keepdim=*/true);
}

TEST_F(ReplayedOnCuda, GivesTheSameBitsAsTheFunction) {
  const torch::NoGradGuard no_gradients;
  const auto options = torch::device(device_).dtype(torch::kFloat32);
  const auto a = torch::randn({64, 32}, options), b = torch::randn({16, 64}, options);
  const auto graphs = cuda_graphs(device_);
  ASSERT_NE(graphs.graphs, nullptr) << graphs.note;
  ReplayedFunction function([&](const auto& inputs) { return small_network(inputs[0], a, b); }, {a, b}, graphs);
  for (const std::int64_t rows : {4, 9, 4, 9, 4, 9, 4, 9}) {
    const auto x = torch::randn({rows, 32}, options);
    EXPECT_TRUE(function({x}).equal(small_network(x, a, b))) << rows;
  }
  EXPECT_EQ(function.warning(), "");
}

TEST_F(ReplayedOnCuda, AFunctionThatWaitsForTheDeviceIsCalledInstead) {
  const torch::NoGradGuard no_gradients;
  const auto x = torch::ones({4}, torch::device(device_));
  ReplayedFunction function([](const auto& inputs) { return inputs[0] * inputs[0].sum().template item<float>(); }, {},
                            cuda_graphs(device_));
  for (int call = 0; call < 4; ++call) EXPECT_TRUE(function({x}).cpu().equal(torch::full({4}, 4.0F))) << call;
  EXPECT_NE(function.warning(), "");
  EXPECT_TRUE((x + x).cpu().equal(torch::full({4}, 2.0F)));  // the device goes on working
}

}  // namespace
}  // namespace sfumato
