#include "checkpoints/safetensors.h"

#include <gtest/gtest.h>

#include "checkpoints/files.h"
#include "core/files.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

/// Error for a file of these bytes, after the path.
std::string fault(const std::string& bytes) {
  const auto path = fresh_folder() / "file.safetensors";
  put(path, bytes);
  const auto message = error_of([&] { SafetensorsFile file(path); });
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  const auto start = "'" + path.string() + "' is not a valid safetensors file: ";
  return message.starts_with(start) ? message.substr(start.size()) : message;
}

std::string fault(const std::string& header, std::size_t data_size) {
  return fault(file_of(header, data_size));
}

TEST(SafetensorsFile, ReadsWhatTheFormatsDescriptionShows) {
  // The layout of github.com/huggingface/safetensors#format: a length, JSON, the bytes.
  const auto path = fresh_folder() / "file.safetensors";
  put(path, file_of(R"({"__metadata__":{"k":"v"},"b":{"dtype":"U8","shape":[2,2],"data_offsets":[0,4]},)"
                    R"("a":{"dtype":"I8","shape":[],"data_offsets":[4,5]}}   )",
                    5));
  const SafetensorsFile file(path);
  EXPECT_EQ(file.names(), (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"k", "v"}}));
  EXPECT_TRUE(torch::equal(file.tensor("b"), torch::tensor({0, 1, 2, 3}, torch::kUInt8).view({2, 2})));
  EXPECT_EQ(file.tensor("a").item<int>(), 4);
  EXPECT_EQ(file.shape("b"), (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(file.dtype("a"), torch::kInt8);
  EXPECT_TRUE(file.contains("a"));
  EXPECT_FALSE(file.contains("c"));
  EXPECT_THROW(file.tensor("c"), std::out_of_range);
}

TEST(SafetensorsFile, TensorsOutliveIt) {
  const auto path = fresh_folder() / "file.safetensors";
  const auto written = torch::arange(10'000, torch::kFloat32);
  write_safetensors(path, {{"x", written}});
  torch::Tensor read;
  {
    SafetensorsFile file(path);
    read = file.tensor("x");
    file.release("x");
    fs::remove(path);
  }
  EXPECT_TRUE(torch::equal(read, written));
}

TEST(SafetensorsFile, ReadsBytesThatAreNotAligned) {
  const auto path = fresh_folder() / "file.safetensors";
  put(path, file_of(R"({"x":{"dtype":"I32","shape":[2],"data_offsets":[1,9]},)"
                    R"("y":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}})",
                    9));
  const SafetensorsFile file(path);
  EXPECT_TRUE(torch::equal(file.tensor("x"), torch::tensor({0x04030201, 0x08070605}, torch::kInt32)));
}

TEST(SafetensorsFile, TakesEveryNonZeroByteForTrue) {
  const auto path = fresh_folder() / "file.safetensors";
  put(path, file_of(R"({"y":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}})", 3));
  EXPECT_TRUE(torch::equal(SafetensorsFile(path).tensor("y"), torch::tensor({false, true, true})));
}

TEST(SafetensorsFile, RefusesFilesThatAreNone) {
  const auto folder = fresh_folder();
  const auto read = [](const fs::path& path) { return error_of([&] { SafetensorsFile file(path); }); };
  EXPECT_EQ(read(folder / "no"), "cannot read '" + (folder / "no").string() + "': No such file or directory");
  EXPECT_EQ(read(folder), "cannot read '" + folder.string() + "': Is a directory");
  EXPECT_EQ(read("/dev/null"), "cannot read '/dev/null': not a regular file");
}

TEST(SafetensorsFile, RefusesLengthsThatLie) {
  EXPECT_EQ(fault(""), "it has 0 bytes, the length of the header alone takes 8");
  EXPECT_EQ(fault("1234567"), "it has 7 bytes, the length of the header alone takes 8");
  EXPECT_EQ(fault(std::string(8, '\0')), "the header does not start with '{'");
  EXPECT_EQ(fault(std::string(8, '\xff')), "the header's length is 18446744073709551615, the limit 100000000");
  EXPECT_EQ(fault(file_of("{}", 0).substr(0, 9)), "the header's length is 2, but only 1 bytes follow");
}

TEST(SafetensorsFile, RefusesHeadersThatAreNoObjects) {
  EXPECT_EQ(fault("[]", 0), "the header does not start with '{'");
  EXPECT_EQ(fault(" {}", 0), "the header does not start with '{'");
  EXPECT_EQ(fault("{", 0), "the header is not valid JSON at byte 2 of it");
  EXPECT_EQ(fault("{} x", 0), "the header is not valid JSON at byte 4 of it");
  EXPECT_EQ(fault("{\"\xff\":1}", 0), "the header is not valid JSON at byte 3 of it");
  EXPECT_EQ(fault(R"({"a":[[[[)", 0), "\"a\": expected an object, got an array");
  EXPECT_EQ(fault(R"({"a":1})", 0), "\"a\": expected an object, got a number");
  EXPECT_EQ(fault(R"({"__metadata__":{"a":1}})", 0), "__metadata__ of \"a\": expected a string, got a number");
  EXPECT_EQ(fault(R"({"__metadata__":{"a":{}}})", 0), "__metadata__ of \"a\": expected a string, got an object");
}

TEST(SafetensorsFile, RefusesKeysThatComeTwice) {
  const std::string empty = R"({"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  EXPECT_EQ(fault(R"({"a":)" + empty + R"(,"a":)" + empty + "}", 0), "duplicate key \"a\"");
  EXPECT_EQ(fault(R"({"__metadata__":{},"__metadata__":{}})", 0), "duplicate key \"__metadata__\"");
  EXPECT_EQ(fault(R"({"__metadata__":{"k":"","k":""}})", 0), "duplicate key \"k\" in __metadata__");
  EXPECT_EQ(fault(R"({"a":{"dtype":"F32","dtype":"F16"}})", 0), "tensor \"a\": duplicate key \"dtype\"");
}

TEST(SafetensorsFile, RefusesIncompleteOrUnknownEntries) {
  EXPECT_EQ(fault(R"({"a":{}})", 0), "tensor \"a\": has no dtype");
  EXPECT_EQ(fault(R"({"a":{"dtype":"F32","shape":[1]}})", 4), "tensor \"a\": has no data_offsets");
  EXPECT_EQ(fault(R"({"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}})", 1),
            "tensor \"a\": dtype \"F4\" is not supported");
  EXPECT_EQ(fault(R"({"a":{"dtype":5}})", 0), "tensor \"a\": unexpected a number in dtype");
  EXPECT_EQ(fault(R"({"a":{"size":5}})", 0),
            "tensor \"a\": unknown key \"size\"; expected dtype, shape and data_offsets");
  EXPECT_EQ(fault(R"({"a":{"shape":[-1]}})", 0), "tensor \"a\": unexpected the number -1 in shape");
  EXPECT_EQ(fault(R"({"a":{"shape":[1.5]}})", 0), "tensor \"a\": unexpected the number 1.5 in shape");
  EXPECT_EQ(fault(R"({"a":{"shape":[[1]]}})", 0), "tensor \"a\": unexpected an array in shape");
  EXPECT_EQ(fault(R"({"a":{"data_offsets":[0]}})", 0), "tensor \"a\": data_offsets has 1 numbers, expected 2");
  EXPECT_EQ(fault(R"({"a\n":null})", 0), "\"a\\n\": expected an object, got null");
}

TEST(SafetensorsFile, RefusesShapesThatOverflow) {
  const auto shape = [](const std::string& text) {
    return fault(R"({"a":{"dtype":"F32","shape":[)" + text + R"(],"data_offsets":[0,0]}})", 0);
  };
  EXPECT_EQ(shape("9223372036854775808"), "tensor \"a\": size 9223372036854775808 in shape overflows");
  EXPECT_EQ(shape("4294967296,4294967296"), "tensor \"a\": the product of its shape overflows");
  EXPECT_EQ(shape("4611686018427387904"), "tensor \"a\": the product of its shape overflows");
  EXPECT_EQ(shape("0,4294967296,4294967296"), "tensor \"a\": the product of its shape overflows");
  EXPECT_EQ(shape("36893488147419103232"), "tensor \"a\": unexpected the number 36893488147419103232 in shape");
  std::string ones = "1";
  for (int i = 0; i < 64; ++i) ones += ",1";
  EXPECT_EQ(shape(ones), "tensor \"a\": shape has more than 64 numbers");
}

TEST(SafetensorsFile, RefusesOffsetsThatLie) {
  const auto offsets = [](const std::string& text, std::size_t size) {
    return fault(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[)" + text + "]}}", size);
  };
  EXPECT_EQ(offsets("4,0", 4), "tensor \"a\": data_offsets [4, 0) run backwards");
  EXPECT_EQ(offsets("0,4", 3), "tensor \"a\": data_offsets [0, 4) run past the end of the data (3 bytes)");
  EXPECT_EQ(offsets("0,3", 3),
            "tensor \"a\": data_offsets [0, 3) disagree with shape and dtype, which require 4 bytes");
  EXPECT_EQ(offsets("1,5", 5), "tensor \"a\": data_offsets [1, 5) leave a gap after byte 0");
  EXPECT_EQ(offsets("0,4", 5), "the tensors end at byte 4 of the data, which has 5 bytes");
  EXPECT_EQ(fault("{}", 1), "the tensors end at byte 0 of the data, which has 1 bytes");
  EXPECT_EQ(offsets("18446744073709551612,18446744073709551615", 4),
            "tensor \"a\": data_offsets [18446744073709551612, 18446744073709551615) run past the end of the data (4 "
            "bytes)");
}

TEST(SafetensorsFile, RefusesOffsetsThatOverlap) {
  EXPECT_EQ(fault(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                  R"("b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
                  6),
            "tensor \"b\": data_offsets [2, 6) overlap those of another tensor, which end at 4");
}

TEST(SafetensorsFile, LoadsOrThrowsWhateverIsCutOffOrFlipped) {
  const auto path = fresh_folder() / "file.safetensors";
  write_safetensors(path, {{"w", torch::randn({3, 2})}, {"h", torch::ones({4}, torch::kFloat16)}}, {{"k", "v"}});
  const auto whole = read_file(path);
  const auto survives = [&](const std::string& bytes) {
    put(path, bytes);
    try {
      const SafetensorsFile file(path);
      for (const auto& name : file.names()) file.tensor(name).to(torch::kFloat64).sum();
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  };
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(survives(whole.substr(0, size))) << "cut to " << size;
  std::size_t loaded = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto bytes = whole;
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
      loaded += survives(bytes);
    }
  }
  EXPECT_GE(loaded, 8U * (3 * 2 * 4 + 4 * 2)) << "a flip within the data cannot be seen";
}

TEST(WriteSafetensors, ReadsBackEveryDtype) {
  const auto path = fresh_folder() / "file.safetensors";
  std::map<std::string, torch::Tensor> written;
  for (const auto dtype : {torch::kBool, torch::kUInt8, torch::kInt8, at::kFloat8_e5m2, at::kFloat8_e4m3fn,
                           torch::kInt16, at::kUInt16, torch::kFloat16, torch::kBFloat16, torch::kInt32, at::kUInt32,
                           torch::kFloat32, torch::kFloat64, torch::kInt64, at::kUInt64})
    written[c10::toString(dtype)] = torch::tensor({1, 0, 1}).to(dtype);
  written["scalar"] = torch::tensor(2.5);
  written["empty"] = torch::empty({0, 3});
  written["transposed"] = torch::arange(6).view({2, 3}).t();
  write_safetensors(path, written, {{"format", "pt"}});
  const SafetensorsFile file(path);
  EXPECT_EQ(file.names().size(), written.size());
  for (const auto& [name, tensor] : written) {
    EXPECT_EQ(file.dtype(name), tensor.scalar_type()) << name;
    EXPECT_EQ(file.tensor(name).sizes(), tensor.sizes()) << name;
    EXPECT_TRUE(torch::equal(file.tensor(name).to(torch::kFloat64), tensor.to(torch::kFloat64))) << name;
  }
}

TEST(WriteSafetensors, StartsTheDataOnAMultipleOfEight) {
  const auto path = fresh_folder() / "file.safetensors";
  for (const std::string name : {"a", "ab", "abc", "abcdefgh"}) {
    write_safetensors(path, {{name, torch::ones({1})}});
    EXPECT_EQ((read_file(path).size() - sizeof(float)) % 8, 0U) << name;
  }
}

TEST(WriteSafetensors, RefusesWhatTheFormatCannotHold) {
  const auto path = fresh_folder() / "file.safetensors";
  EXPECT_THROW(write_safetensors(path, {{"x", torch::zeros({1}, torch::kComplexDouble)}}), std::invalid_argument);
  EXPECT_THROW(write_safetensors(path, {{"x", torch::Tensor()}}), std::invalid_argument);
  EXPECT_THROW(write_safetensors(path, {{"__metadata__", torch::zeros({1})}}), std::invalid_argument);
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace sfumato
