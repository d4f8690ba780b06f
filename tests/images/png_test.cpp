#include "images/png.h"

#include <fstream>

#include "images/pixels.h"
#include "images/read.h"
#include "images/temporary_folder.h"
#include "images/write.h"

namespace sfumato {
namespace {

using namespace std::string_view_literals;
using Png = TemporaryFolder;

torch::Tensor gradient() {
  return from_bytes((torch::arange(4 * 5 * 3) * 4).to(torch::kUInt8).view({4, 5, 3}));
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST_F(Png, PixelsComeBackAsWritten) {
  write_png(folder_ / "a.png", gradient());
  EXPECT_TRUE(torch::equal(to_bytes(read_image(folder_ / "a.png")), to_bytes(gradient())));
}

TEST_F(Png, Latin1TextIsATextChunk) {
  write_png(folder_ / "a.png", gradient(), {{"parameters", "caf\u00e9\nSteps: 1"}});
  EXPECT_NE(bytes_of(folder_ / "a.png").find("tEXtparameters\0caf\xE9\nSteps: 1"sv), std::string::npos);
  EXPECT_EQ(read_image_texts(folder_ / "a.png"), (TextChunks{{"parameters", "caf\u00e9\nSteps: 1"}}));
}

TEST_F(Png, OtherTextIsAnInternationalTextChunk) {
  write_png(folder_ / "a.png", gradient(), {{"parameters", "\u732b on a sofa"}, {"sfumato", "{}"}});
  EXPECT_NE(bytes_of(folder_ / "a.png").find("iTXtparameters"), std::string::npos);
  EXPECT_EQ(read_image_texts(folder_ / "a.png"), (TextChunks{{"parameters", "\u732b on a sofa"}, {"sfumato", "{}"}}));
}

TEST_F(Png, AnEmptyTextComesBackEmpty) {
  write_png(folder_ / "a.png", gradient(), {{"parameters", ""}});
  EXPECT_EQ(read_image_texts(folder_ / "a.png"), (TextChunks{{"parameters", ""}}));
}

TEST_F(Png, TextsOfAFileThatIsNoPngAreRefused) {
  std::ofstream(folder_ / "a.png") << "not a picture";
  EXPECT_THROW(read_image_texts(folder_ / "a.png"), std::runtime_error);
}

TEST_F(Png, TextsOfATruncatedPngAreRefused) {
  const auto whole = encode_png(gradient(), {{"parameters", "a cat"}});
  std::ofstream(folder_ / "a.png") << whole.substr(0, 50);
  EXPECT_THROW(read_image_texts(folder_ / "a.png"), std::runtime_error);
}

}  // namespace
}  // namespace sfumato
