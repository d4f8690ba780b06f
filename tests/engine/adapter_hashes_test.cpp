#include "engine/adapter_hashes.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "core/sha256.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

class AdapterFiles : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }

  fs::path folder_ = fs::temp_directory_path() / ("adapter-hashes-test-" + std::to_string(::getpid()));
};

std::string digits(const std::string& bytes) {
  return sha256(bytes).substr(0, 12);
}

TEST_F(AdapterFiles, ALoraIsHashedWithoutItsHeaderAndAnEmbeddingWhole) {
  const std::string header{"\2\0\0\0\0\0\0\0{}", 10};
  const auto lora = write("style.safetensors", header + "values"), archive = write("other.pt", header + "values");
  const auto embedding = write("word.safetensors", header + "vectors");
  const auto hashes = AdapterHasher().hashes_of({.loras = {{lora}, {archive}}, .embeddings = {embedding}});
  using Names = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(hashes.loras, (Names{{"style", digits("values")}, {"other", digits(header + "values")}}));
  EXPECT_EQ(hashes.embeddings, (Names{{"word", digits(header + "vectors")}}));
}

TEST_F(AdapterFiles, AFileIsReadAgainOnlyIfItHasChanged) {
  AdapterHasher hasher;
  const auto hash = [&] { return hasher.hashes_of({.embeddings = {folder_ / "word.pt"}}).embeddings.front().second; };
  const auto file = write("word.pt", "one");
  const auto time = fs::last_write_time(file);
  EXPECT_EQ(hash(), digits("one"));
  write("word.pt", "two");
  fs::last_write_time(file, time);
  EXPECT_EQ(hash(), digits("one"));  // size and time are the same: not read
  fs::last_write_time(file, time + std::chrono::seconds(1));
  EXPECT_EQ(hash(), digits("two"));
}

TEST_F(AdapterFiles, FoldersHaveNoHash) {
  EXPECT_TRUE(AdapterHasher().hashes_of({.loras = {{folder_}}, .embeddings = {folder_}}).loras.empty());
}

}  // namespace
}  // namespace sfumato
