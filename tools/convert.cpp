// convert: converts a checkpoint to a folder or a file, of another dtype
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "command_line/command_line.h"
#include "core/error_text.h"
#include "core/files.h"
#include "core/interrupt.h"
#include "core/placement.h"
#include "core/shipped_folders.h"
#include "systems/glide/folder.h"
#include "systems/stable_diffusion/pipeline_files.h"

namespace {

using namespace sfumato;
namespace fs = std::filesystem;

constexpr int kFailure = 1, kMistake = 2;

/// Option names of stable-diffusion.cpp.
const std::vector<OtherName> kOtherNames = {
    {"--model", "INPUT, without a name"}, {"-m", "INPUT, without a name"}, {"--output", "OUTPUT, without a name"},
    {"-o", "OUTPUT, without a name"},     {"--type", "--dtype"},           {"--outtype", "--dtype"},
};

struct Options {
  std::string input, output, dtype = "keep", max_shard_size = "0", prediction;
  std::string upsampler, tokenizer;  // of GLIDE
  bool force = false;
};

void warn(const std::string& what) {
  std::cerr << "convert: warning: " << what << '\n';
}

bool is_single_file(const fs::path& output) {
  return output.extension() == ".safetensors";
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("input", options.input,
                 "A diffusers folder, or a file (.safetensors, .ckpt) in the original layout; of GLIDE its base.pt or "
                 "base-inpaint.pt")
      ->required();
  app.add_option("output", options.output, "A folder, or a name that ends in .safetensors for a single file")
      ->required();
  app.add_option("--dtype", options.dtype, "float32, float16, bfloat16, or keep as it is")->capture_default_str();
  app.add_option("--max-shard-size", options.max_shard_size, "Of a folder: cut files above this size, such as 2GB");
  app.add_option("--prediction", options.prediction,
                 "What the model predicts, where the input does not say it: epsilon, v_prediction or sample")
      ->check(CLI::IsMember({"epsilon", "v_prediction", "sample"}));
  app.add_option("--upsampler", options.upsampler, "Of GLIDE: upsample.pt or upsample-inpaint.pt");
  app.add_option("--tokenizer", options.tokenizer,
                 "Of GLIDE: the folder with encoder.json and vocab.bpe, or of a GPT2Tokenizer");
  app.add_flag("--force", options.force, "Overwrite what is there");
}

ConversionOptions conversion_of(const Options& options) {
  ConversionOptions conversion{.dtype = std::nullopt,
                               .max_shard_size = parse_byte_size("--max-shard-size", options.max_shard_size),
                               .stop_requested = interrupted,
                               .tokenizers = shipped_folders("tokenizer", SFUMATO_SOURCE_DIR),
                               .warn = warn};
  if (options.dtype != "keep") conversion.dtype = parse_dtype(options.dtype);
  if (is_single_file(options.output) && conversion.max_shard_size > 0)
    throw std::invalid_argument("--max-shard-size " + options.max_shard_size + ": a single file is not cut");
  return conversion;
}

/// Removes a slash at the end: the folder is written beside its name, which must not include the slash.
fs::path without_slash(const std::string& path) {
  const auto normal = fs::path(path).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

/// Refuses the extension of a format that is not supported; a folder of that name would be mistaken for a file.
void check_name(const std::string& output) {
  if (output.empty()) throw std::invalid_argument("output '': expected a folder, or a name that ends in .safetensors");
  for (const auto* other : {".ckpt", ".pt", ".pth", ".bin", ".gguf", ".onnx"})
    if (fs::path(output).extension() == other)
      throw std::invalid_argument("output '" + output + "': expected a folder, or a name that ends in .safetensors");
}

/// Refuses to overwrite files without --force, and the input in any case, because it is read while writing.
void check_output(const Options& options) {
  check_name(options.output);
  const fs::path output = options.output;
  if (!fs::exists(output)) return;
  if (fs::exists(options.input) && fs::equivalent(options.input, output))
    throw std::invalid_argument("output '" + options.output + "' is the input");
  if (!options.force)
    throw std::invalid_argument("output '" + options.output + "' exists already (--force overwrites)");
  const bool replaces_pipeline = fs::exists(output / "model_index.json");
  if (fs::is_directory(output) && !replaces_pipeline && !fs::is_empty(output))
    throw std::invalid_argument("output '" + options.output + "' is a folder of something else: not overwritten");
  if (fs::is_directory(output) == is_single_file(output))
    throw std::invalid_argument("output '" + options.output + "' is no " +
                                (is_single_file(output) ? "file" : "folder"));
}

/// True for a network of GLIDE in OpenAI's release format.
bool is_glide(const std::string& input) {
  return fs::is_regular_file(input) && is_glide_original(*open_tensors(input));
}

bool write_glide(const Options& options, const ConversionOptions& conversion) {
  if (is_single_file(options.output))
    throw std::invalid_argument("output '" + options.output + "': expected a folder for a model of GLIDE");
  if (!options.prediction.empty())
    throw std::invalid_argument("--prediction " + options.prediction + ": expected none for a model of GLIDE");
  if (options.tokenizer.empty())
    throw std::invalid_argument("no --tokenizer: expected the folder with GLIDE's encoder.json and vocab.bpe");
  const auto files = read_glide_files(options.input, options.upsampler, options.tokenizer);
  watch_interrupts();
  return write_glide_folder(files, without_slash(options.output),
                            {.dtype = conversion.dtype,
                             .max_shard_size = conversion.max_shard_size,
                             .stop_requested = conversion.stop_requested});
}

void check_no_glide(const Options& options) {
  const std::map<std::string, std::string> given = {{"--upsampler", options.upsampler},
                                                    {"--tokenizer", options.tokenizer}};
  for (const auto& [name, value] : given)
    if (!value.empty())
      throw std::invalid_argument(name + " '" + value + "': input '" + options.input +
                                  "' is no network of GLIDE, which alone has one");
}

bool write_stable_diffusion(const Options& options, const ConversionOptions& conversion) {
  check_no_glide(options);
  auto files = read_pipeline_files(options.input, conversion.tokenizers);
  if (!options.prediction.empty()) files.scheduler["prediction_type"] = options.prediction;
  for (const auto& note : files.notes) warn(note);
  watch_interrupts();
  return is_single_file(options.output) ? write_single_file(files, options.output, conversion)
                                        : write_pipeline_folder(files, without_slash(options.output), conversion);
}

int convert(const Options& options) {
  const auto conversion = conversion_of(options);
  check_output(options);
  const bool written =
      is_glide(options.input) ? write_glide(options, conversion) : write_stable_diffusion(options, conversion);
  if (!written) return interrupted_exit_code();
  std::cout << options.output << std::endl;
  return 0;
}

int complain(const std::string& message, int code) {
  std::cerr << "convert: " << message << '\n';
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Turns a checkpoint into a diffusers folder or a single file, of another dtype or in shards.",
               "convert");
  add_options(app, options);
  try {
    return parse_command_line(app, argc, argv, kOtherNames) ? convert(options) : 0;
  } catch (const std::system_error& error) {
    return complain(error_text(error), kFailure);
  } catch (const std::exception& error) {
    return complain(error_text(error), kMistake);
  }
}
