#include <gtest/gtest.h>

#include "checkpoints/files.h"
#include "checkpoints/load.h"
#include "checkpoints/pickle_file.h"
#include "checkpoints/safetensors.h"
#include "checkpoints/torch_save.h"
#include "core/files.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;
using namespace pickled;

std::string floats(int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += bytes_of(static_cast<float>(i));
  return bytes;
}

/// A tensor [2, 3] of the numbers 0 to 5 in storage 0.
std::string six() {
  return tensor(storage("0", number(6)), number(0), tuple(number(2) + number(3)), tuple(number(3) + number(1)));
}

/// Writes a file of this pickle with six numbers in storage 0.
fs::path file_with(const std::string& pickle) {
  const auto path = fresh_folder() / "x.pt";
  write_torch_save(path, pickle, {{"0", floats(6)}});
  return path;
}

/// Error for such a file, after the path.
std::string refusal_of(const std::string& pickle) {
  const auto path = file_with(pickle);
  const auto message = error_of([&] { PickleFile file(path); });
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  const auto start = "'" + path.string() + "': ";
  return message.starts_with(start) ? message.substr(start.size()) : message;
}

std::string refusal_of_tensor(const std::string& tensor) {
  return refusal_of(program(text("w") + tensor));
}

TEST(PickleFile, ReadsATensorOfADictionary) {
  const PickleFile file(file_with(program(text("w") + six() + text("name") + text("a cat"))));
  EXPECT_EQ(file.names(), std::vector<std::string>{"w"});
  EXPECT_EQ(file.shape("w"), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(file.dtype("w"), torch::kFloat32);
  EXPECT_TRUE(torch::equal(file.tensor("w"), torch::arange(6, torch::kFloat32).view({2, 3})));
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"name", "a cat"}}));
  EXPECT_THROW(file.tensor("v"), std::out_of_range);
}

TEST(PickleFile, ReadsPartsOfAStorageThatTensorsShare) {
  const auto two = tuple(number(2)), one = tuple(number(1));
  const auto second_column =
      tensor(storage("0", number(6)), number(1), tuple(number(2) + number(1)), tuple(number(3) + number(1)));
  const auto last = tensor(storage("0", number(6)), number(4), two, one);
  const PickleFile file(file_with(program(text("column") + second_column + text("last") + last)));
  EXPECT_TRUE(torch::equal(file.tensor("column"), torch::tensor({{1.0F}, {4.0F}})));
  EXPECT_TRUE(file.tensor("column").is_contiguous());
  EXPECT_TRUE(torch::equal(file.tensor("last"), torch::tensor({4.0F, 5.0F})));
}

TEST(PickleFile, TakesTheStateDictWhereThereIsOne) {
  const auto inner = "}(" + text("a.weight") + six() + "u";
  const PickleFile file(
      file_with(program(text("epoch") + number(3) + text("other") + six() + text("state_dict") + inner)));
  EXPECT_EQ(file.names(), std::vector<std::string>{"a.weight"});
}

TEST(PickleFile, NamesWhatLiesInDictionariesByBothKeys) {
  const auto inner = "}(" + text("*") + six() + "u";
  const PickleFile file(file_with(program(text("string_to_param") + inner)));
  EXPECT_EQ(file.names(), std::vector<std::string>{"string_to_param.*"});
}

TEST(PickleFile, FillsAModuleAsSafetensorsDo) {
  const auto path = file_with(program(text("weight") + six()));
  torch::nn::Linear linear(torch::nn::LinearOptions(3, 2).bias(false));
  load_weights(*linear, path, {});
  EXPECT_TRUE(torch::equal(linear->weight, torch::arange(6, torch::kFloat32).view({2, 3})));
  const auto folder = path.parent_path();
  fs::rename(path, folder / "pytorch_model.bin");
  linear->weight.detach().set_data(torch::zeros({2, 3}));
  load_weights(*linear, folder, {});
  EXPECT_EQ(linear->weight[1][2].item<float>(), 5);
}

TEST(PickleFile, TensorsOutliveIt) {
  const auto path = file_with(program(text("w") + six()));
  torch::Tensor read;
  {
    PickleFile file(path);
    read = file.tensor("w");
    file.release("w");
    fs::remove(path);
  }
  EXPECT_EQ(read.sum().item<float>(), 15);
}

TEST(PickleFile, RunsNothingThatAFileAsksFor) {
  const auto mark = fresh_folder() / "was here";
  const auto call = global("os", "system") + tuple(text("touch '" + mark.string() + "'")) + "R";
  EXPECT_EQ(refusal_of(program(text("w") + six() + text("x") + call)),
            "it names \"os.system\", which no weights need and which may run any code");
  EXPECT_FALSE(fs::exists(mark));
}

TEST(PickleFile, NamesEveryOtherFunctionThatAFileAsksFor) {
  for (const auto& [module, name] :
       {std::pair("builtins", "eval"), std::pair("posix", "system"), std::pair("torch", "load"),
        std::pair("torch._utils", "_rebuild_tensor_v3"), std::pair("torch.nn.modules.linear", "Linear")}) {
    const auto message = refusal_of(program(text("x") + global(module, name)));
    EXPECT_NE(message.find("it names \"" + std::string(module) + "." + name + "\""), std::string::npos) << message;
  }
  // Protocol 4 takes the names from the stack.
  EXPECT_NE(refusal_of(program(text("x") + text("os") + text("system") + "\x93")).find("\"os.system\""),
            std::string::npos);
  // A class that may be named may still not be called.
  EXPECT_NE(
      refusal_of(program(text("x") + global("torch", "FloatStorage") + ")R")).find("calls \"torch.FloatStorage\""),
      std::string::npos);
}

TEST(PickleFile, RefusesOpcodesThatMakeObjects) {
  // INST, OBJ, NEWOBJ_EX, EXT1, PERSID
  for (const std::string code : {"i", "o", "\x92", "\x82", "P"})
    EXPECT_NE(refusal_of("\x80\x02(" + code).find("is not one that weights need"), std::string::npos) << code;
}

/// NEWOBJ builds objects of two classes without a call, but not of a function or of another class that may be named.
TEST(PickleFile, MakesObjectsOfKnownClassesAlone) {
  const PickleFile file(
      file_with(program(text("w") + six() + text("x") + global("collections", "OrderedDict") + ")\x81")));
  EXPECT_EQ(file.names(), std::vector<std::string>{"w"});
  for (const auto& [module, name] : {std::pair("torch", "FloatStorage"), std::pair("numpy", "ndarray"),
                                     std::pair("torch._utils", "_rebuild_tensor_v2")})
    EXPECT_NE(refusal_of(program(text("x") + global(module, name) + ")\x81"))
                  .find("it makes a \"" + std::string(module) + "." + name + "\""),
              std::string::npos);
  EXPECT_NE(refusal_of(program(text("x") + global("subprocess", "Popen") + ")\x81")).find("it names"),
            std::string::npos);
}

/// Values that training tools store beside the weights, as weights_only and AUTOMATIC1111's safe unpickler allow them.
TEST(PickleFile, LeavesAsideWhatRunsNoCode) {
  const auto call = [](const std::string& module, const std::string& name, const std::string& arguments) {
    return global(module, name) + tuple(arguments) + "R";
  };
  const auto array = call("numpy.core.multiarray", "_reconstruct",
                          global("numpy", "ndarray") + tuple(number(0)) + call("_codecs", "encode", text("b"))) +
                     tuple(number(1) + tuple(number(3))) + "b";
  const std::string values[] = {call("__builtin__", "set", "]"),
                                call("builtins", "set", "]"),
                                call("collections", "Counter", "}"),
                                array,
                                global("torch", "float16"),
                                call("torch", "device", text("cuda")),
                                call("torch", "Size", tuple(number(2) + number(3))),
                                global("numpy", "ndarray"),
                                std::string("\x8f(K\x01\x90"),
                                std::string("(K\x01\x91")};
  for (const auto& value : values) {
    const PickleFile file(file_with(program(text("aside") + value + text("w") + six())));
    EXPECT_EQ(file.names(), std::vector<std::string>{"w"});
  }
}

/// The first trainers of textual inversion saved such files.
TEST(PickleFile, NamesTheParametersOfAParameterDict) {
  const auto parameter = global("torch._utils", "_rebuild_parameter") +
                         tuple(six() + "\x88" + global("collections", "OrderedDict") + ")R") + "R";
  const auto parameters = "}" + text("*") + parameter + "s";
  const auto attributes = "}(" + text("training") + "\x88" + text("_parameters") + parameters + text("_buffers") + "}u";
  const auto dict = global("torch.nn.modules.container", "ParameterDict") + ")\x81" + attributes + "b";
  const PickleFile file(file_with(program(text("string_to_param") + dict)));
  EXPECT_EQ(file.names(), std::vector<std::string>{"string_to_param.*"});
  EXPECT_TRUE(torch::equal(file.tensor("string_to_param.*"), torch::arange(6, torch::kFloat32).view({2, 3})));
}

/// Each copy of many parameters would cost a few bytes of the file.
TEST(PickleFile, RefusesAModuleOfManyParameters) {
  std::string parameters = "}(";
  for (int i = 0; i < 17; ++i) parameters += text(std::to_string(i)) + six();
  const auto dict =
      global("torch.nn.modules.container", "ParameterDict") + ")\x81}" + text("_parameters") + parameters + "usb";
  EXPECT_NE(refusal_of(program(text("x") + dict)).find("a module of 17 parameters"), std::string::npos);
}

/// torch.save's format before PyTorch 1.6: five pickles and the storages, each preceded by its size.
std::string stream_with(const std::string& object, std::int64_t count = 6, const std::string& little_endian = "\x88") {
  const auto magic = std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.");
  const auto version = std::string("\x80\x02M\xe9\x03.");
  const auto machine = program(text("protocol_version") + number(1001) + text("little_endian") + little_endian);
  const auto keys = "\x80\x02](" + text("0") + "e.";
  return magic + version + machine + object + keys + bytes_of(count) + floats(6);
}

/// A persistent id whose view of the storage is None.
std::string six_of_a_stream(const std::string& view = "N") {
  const auto held =
      tuple(text("storage") + global("torch", "FloatStorage") + text("0") + text("cpu") + number(6) + view) + "Q";
  return tensor(held, number(0), tuple(number(2) + number(3)), tuple(number(3) + number(1)));
}

TEST(PickleFile, ReadsTheFormatBeforePyTorch16) {
  const auto path = fresh_folder() / "x.bin";
  put(path, stream_with(program(text("w") + six_of_a_stream())));
  const auto file = open_tensors(path);
  EXPECT_EQ(file->names(), std::vector<std::string>{"w"});
  EXPECT_TRUE(torch::equal(file->tensor("w"), torch::arange(6, torch::kFloat32).view({2, 3})));
  file->release("w");
  EXPECT_EQ(file->tensor("w").sum().item<float>(), 15);
}

TEST(PickleFile, RefusesDamagedAndHostileFilesOfThatFormat) {
  const auto path = fresh_folder() / "x.bin";
  const auto refusal = [&](const std::string& bytes) {
    put(path, bytes);
    const auto message = error_of([&] { open_tensors(path); });
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  };
  const auto whole = program(text("w") + six_of_a_stream());
  EXPECT_NE(refusal(stream_with(whole, 7)).find("storage \"0\" runs past the end"), std::string::npos);
  EXPECT_NE(refusal(stream_with(whole, -1)).find("storage \"0\" runs past the end"), std::string::npos);
  EXPECT_NE(refusal(stream_with(whole, 5)).find("is to hold 6 numbers, but the record has 5"), std::string::npos);
  EXPECT_NE(refusal(stream_with(whole, 6, "\x89")).find("not little-endian"), std::string::npos);
  EXPECT_NE(refusal(whole).find("a pickle, but not one of torch.save"), std::string::npos);
  EXPECT_NE(refusal(stream_with(program(text("w") + six_of_a_stream(tuple(text("view")))))).find("a wrong argument 5"),
            std::string::npos);
  const auto mark = fresh_folder() / "was here";
  const auto call = global("os", "system") + tuple(text("touch '" + mark.string() + "'")) + "R";
  EXPECT_NE(refusal(stream_with(program(text("x") + call))).find("names \"os.system\""), std::string::npos);
  EXPECT_FALSE(fs::exists(mark));
  const auto stream = stream_with(whole);
  for (std::size_t size = 1; size < stream.size(); ++size)
    EXPECT_NE(refusal(stream.substr(0, size)), "nothing was thrown") << size;
}

TEST(PickleFile, RefusesTensorsThatLeadOutOfTheirStorage) {
  const auto held = storage("0", number(6));
  const auto most = long_number(std::numeric_limits<std::int64_t>::max());
  const auto zero = number(0), one = number(1);
  const std::string cases[] = {
      tensor(held, one, tuple(number(6)), tuple(one)),                             // one element too far
      tensor(held, number(-1), tuple(number(2)), tuple(one)),                      // before the first element
      tensor(held, zero, tuple(number(2)), tuple(number(6))),                      // too large a stride
      tensor(held, number(5), tuple(number(2)), tuple(number(-1))),                // backwards
      tensor(held, zero, tuple(number(-6)), tuple(one)),                           // a negative size
      tensor(held, zero, tuple(most), tuple(most)),                                // overflows
      tensor(held, most, tuple(number(2)), tuple(one)),                            // overflows
      tensor(held, zero, tuple(most + most), tuple(zero + zero)),                  // 2^126 times one number
      tensor(held, zero, tuple(number(1 << 30) + number(8)), tuple(zero + zero)),  // 2^33 times one number
      tensor(held, zero, tuple(number(2) + number(3)), tuple(one)),                // one stride missing
  };
  for (const auto& bytes : cases)
    EXPECT_NE(
        refusal_of_tensor(bytes).find("\"w\": its offset, shape and strides lead out of its storage of 6 numbers"),
        std::string::npos)
        << refusal_of_tensor(bytes);
}

TEST(PickleFile, RefusesStoragesThatLie) {
  const auto shape = tuple(number(2)), strides = tuple(number(1));
  const auto of = [&](const std::string& storage) {
    return refusal_of_tensor(tensor(storage, number(0), shape, strides));
  };
  EXPECT_NE(of(storage("0", number(7))).find("is to hold 7 numbers, but the record has 6"), std::string::npos);
  EXPECT_NE(of(storage("0", number(6), "DoubleStorage")).find("but the record has 3"), std::string::npos);
  EXPECT_NE(of(storage("1", number(6))).find("there is no storage \"1\""), std::string::npos);
  EXPECT_NE(of(storage("../data.pkl", number(6))).find("there is no storage"), std::string::npos);
  EXPECT_NE(of(storage(std::string(1000, '0'), number(6))).find("a storage named"), std::string::npos);
  EXPECT_NE(of(storage("0", number(6), "ComplexFloatStorage")).find("names \"torch.ComplexFloatStorage\""),
            std::string::npos);
  EXPECT_NE(of(tuple(text("module") + number(1)) + "Q").find("a persistent id that is no storage's"),
            std::string::npos);
  EXPECT_NE(of(number(1)).find("with a wrong argument 0"), std::string::npos);
}

TEST(PickleFile, RefusesPicklesThatEndEarlyAtAnyByte) {
  const auto whole = program(text("w") + six());
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(refusal_of(whole.substr(0, size)), "it ends in the middle of the pickle") << size;
}

TEST(PickleFile, RefusesAMachineThatIsUsedWrongly) {
  EXPECT_NE(refusal_of(".").find("empty stack"), std::string::npos);
  EXPECT_NE(refusal_of("t.").find("lacks a mark"), std::string::npos);
  EXPECT_NE(refusal_of("(Nb.").find("empty stack"), std::string::npos);
  EXPECT_NE(refusal_of("h\x07.").find("reads a memo entry that it has not stored"), std::string::npos);
  EXPECT_NE(refusal_of("}(Nu.").find("a key without a value"), std::string::npos);
  EXPECT_NE(refusal_of("NNa.").find("another value where it needs a list"), std::string::npos);
  EXPECT_NE(refusal_of("]NNs.").find("another value where it needs a dictionary"), std::string::npos);
  EXPECT_NE(refusal_of("N)R.").find("another value where it needs a function"), std::string::npos);
  EXPECT_NE(refusal_of("].").find("no dictionary of tensors"), std::string::npos);
  EXPECT_NE(refusal_of("}.").find("it holds no tensors"), std::string::npos);
}

TEST(PickleFile, ADictionaryThatHoldsItselfIsReadOnce) {
  // memo 0 is the dictionary: {"self": <itself>, "w": ...}
  const PickleFile file(file_with("\x80\x02}q" + std::string(1, '\0') + "(" + text("self") + "h" +
                                  std::string(1, '\0') + text("w") + six() + "u."));
  EXPECT_EQ(file.names(), std::vector<std::string>{"w"});
}

TEST(PickleFile, RefusesArchivesThatAreDamagedAtAnyPlace) {
  const auto path = file_with(program(text("w") + six()));
  const auto whole = read_file(path);
  for (std::size_t size = 0; size < whole.size(); size += 37) {
    put(path, whole.substr(0, size));
    EXPECT_NE(error_of([&] { PickleFile file(path); }), "nothing was thrown") << "cut after " << size << " bytes";
  }
  // False sizes and offsets in the central directory: refused, or read within the file.
  const auto directory = whole.find("PK\x01\x02");
  ASSERT_NE(directory, whole.npos);
  for (std::size_t at = directory; at < whole.size(); ++at) {
    auto damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x7f);
    put(path, damaged);
    try {
      PickleFile file(path);
      file.tensor("w").sum();
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
}

TEST(PickleFile, RefusesCompressedRecords) {
  const auto path = fresh_folder() / "x.pt";
  write_torch_save(path, program(text("w") + six()), {{"0", std::string(100'000, '\0')}}, /*compress=*/true);
  EXPECT_NE(error_of([&] { PickleFile file(path); }).find("record \"data/0\" is compressed"), std::string::npos);
}

TEST(OpenTensors, TellsFormatsByHowTheyBegin) {
  const auto pickle = file_with(program(text("w") + six()));
  EXPECT_EQ(open_tensors(pickle)->names(), std::vector<std::string>{"w"});
  const auto other = pickle.parent_path() / "looks.ckpt";
  write_safetensors(other, {{"v", torch::ones({1})}});
  EXPECT_EQ(open_tensors(other)->names(), std::vector<std::string>{"v"});
}

/// Files of another kind under a checkpoint's name, and the words of the error for each.
TEST(OpenTensors, NamesFilesOfAnotherKind) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "is empty"},
      {std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16), "is a PNG picture"},
      {"\xff\xd8\xff\xe0"
       "JFIF...",
       "is a JPEG picture"},
      {std::string("GGUF\3\0\0\0{", 9), "is a GGUF file"},
      {"<!DOCTYPE html>\n<html>", "is an HTML page"},
      {"\n <HTML lang=en>", "is an HTML page"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "is a Git LFS pointer"},
      {"{\"data\":{\"error\":1}}", "is a JSON text"},
      {"[1, 2]", "is a JSON text"},
      {"\x1f\x8b\x08 ...", "is a gzip archive"}};
  const auto path = fresh_folder() / "model.safetensors";
  for (const auto& [bytes, kind] : cases) {
    put(path, bytes);
    const auto message = error_of([&] { open_tensors(path); });
    EXPECT_TRUE(message.starts_with("'" + path.string() + "' " + kind)) << message;
    EXPECT_NE(message.find("expected a safetensors file or one of torch.save"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace sfumato
