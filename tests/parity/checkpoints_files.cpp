#include <gtest/gtest.h>

#include <cstdlib>

#include "checkpoints/load.h"
#include "checkpoints/safetensors.h"
#include "checkpoints/tensor_file.h"
#include "checkpoints/weight_files.h"
#include "core/files.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

fs::path golden() {
  const char* folder = std::getenv("SFUMATO_PARITY_DIR");
  TORCH_CHECK(folder != nullptr, "SFUMATO_PARITY_DIR is not set");
  return folder;
}

std::map<std::string, torch::Tensor> tensors_of(const SafetensorsFile& file) {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& name : file.names()) tensors[name] = file.tensor(name);
  return tensors;
}

/// Reads a file that Python wrote and writes it again: the bytes must be the same.
void expect_same_bytes(const fs::path& path) {
  const SafetensorsFile file(path);
  const auto copy = golden() / "copy" / path.filename();
  write_safetensors(copy, tensors_of(file), file.metadata());
  EXPECT_TRUE(read_file(copy) == read_file(path)) << path;
}

TEST(SafetensorsParity, WritesTheBytesThatPythonWrites) {
  expect_same_bytes(golden() / "one.safetensors");
  expect_same_bytes(golden() / "kinds.safetensors");
}

TEST(SafetensorsParity, PythonReadsEveryDtypeBack) {
  const auto copy = golden() / "from_cpp.safetensors";
  write_safetensors(copy, tensors_of(SafetensorsFile(golden() / "kinds.safetensors")));
  const auto script = std::string(SFUMATO_SOURCE_DIR) + "/tests/parity/checkpoints_reference.py";
  const auto command = "'" + read_file(golden() / "python") + "' '" + script + "' check '" + copy.string() + "'";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

TEST(SafetensorsParity, ReadsTheValuesThatPythonWrote) {
  const SafetensorsFile file(golden() / "kinds.safetensors");
  EXPECT_EQ(file.names().size(), 18U);
  for (const auto& name : file.names()) {
    if (name == "empty" || name == "scalar" || name.starts_with("quote")) continue;
    const auto last = file.dtype(name) == torch::kBool ? 1.0 : 2.0;
    EXPECT_TRUE(torch::equal(file.tensor(name).to(torch::kFloat64),
                             torch::tensor({1.0, 0.0, last}, torch::kFloat64).view({1, 3})))
        << name;
  }
  EXPECT_EQ(file.tensor("scalar").item<double>(), 2.5);
  EXPECT_TRUE(
      torch::equal(file.tensor("quote \" back \\ tab \t ü 猫"), torch::arange(6, torch::kFloat32).view({2, 3})));
}

TEST(PickleParity, ReadsTheValuesThatTorchSaved) {
  const auto saved = open_tensors(golden() / "saved.ckpt");
  const SafetensorsFile expected(golden() / "saved.safetensors");
  EXPECT_EQ(saved->names().size(), expected.names().size());
  for (const auto& name : expected.names()) {
    EXPECT_EQ(saved->dtype(name), expected.dtype(name)) << name;
    EXPECT_EQ(saved->shape(name), expected.shape(name)) << name;
    EXPECT_TRUE(torch::equal(saved->tensor(name), expected.tensor(name))) << name;
  }
}

TEST(PickleParity, RefusesAFileThatWouldRunACommandInPython) {
  try {
    open_tensors(golden() / "hostile.pt");
    FAIL() << "it was read";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find(".system\", which no weights need"), std::string::npos) << error.what();
  }
  EXPECT_FALSE(fs::exists(golden() / "ran"));
}

TEST(WeightFilesParity, ReadsAShardedDiffusersFolder) {
  const WeightFiles shards(golden() / "sharded");
  const SafetensorsFile whole(golden() / "sharded_whole.safetensors");
  EXPECT_EQ(shards.names().size(), whole.names().size());
  for (const auto& name : whole.names())
    EXPECT_TRUE(torch::equal(shards.file_of(name).tensor(name), whole.tensor(name))) << name;
}

}  // namespace
}  // namespace sfumato
