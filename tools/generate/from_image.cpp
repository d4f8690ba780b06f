#include "generate/from_image.h"

#include <iostream>
#include <stdexcept>

#include "engine/foreign_record.h"
#include "engine/metadata.h"

namespace sfumato {
namespace {

/// Returns the program that generates the images of a request.
std::string program_for(const Request& request) {
  if (!request.inpaint.mask.empty()) return "inpaint";
  return request.image.empty() ? "txt2img" : "img2img";
}

void set_request(const Request& request, RequestArguments& asked) {
  asked.request = request;
  asked.seed = std::to_string(request.seed);
  if (request.subseed_strength > 0) asked.subseed = std::to_string(request.subseed);
}

void start_from_own(const GenerateProgram& program, const std::string& path, GenerateOptions& options,
                    RequestArguments& asked) {
  const auto record = read_record(path);
  if (const auto maker = program_for(record.request); maker != program.name)
    throw std::invalid_argument("'" + path + "' was made by " + maker + ": make it again with that program");
  set_request(record.request, asked);
  options.model = record.model;
  options.vae = record.vae;
  options.prediction = record.prediction;
  options.adapters = record.adapters;
  options.dtype = record.dtype;
  options.tf32 = record.tf32;
  options.vae_tiling = record.vae_tiling;
  // The recorded device may be missing here; identical pixels are then impossible, and the closest result will do.
  if (record.device == "cpu") options.device = record.device;
}

void start_from_foreign(const GenerateProgram& program, const std::string& path, GenerateOptions& options,
                        RequestArguments& asked) {
  const auto record = read_foreign_record(read_image_texts(path));
  if (!record)
    throw std::runtime_error("'" + path + "' holds no request: expected a record of Sfumato or of another program");
  auto request = record->request;
  if (program.takes_image) request.hires = {};
  set_request(request, asked);
  options.model = record->model;
  std::cerr << program.name << ": '" << path << "' was made by " << record->program
            << "; its settings are taken over as far as they exist here\n";
  if (record->model.empty())
    std::cerr << program.name << ": not taken over: the model, which the image does not name\n";
  for (const auto& note : record->notes) std::cerr << program.name << ": not taken over: " << note << '\n';
}

}  // namespace

void start_from_image(const GenerateProgram& program, const std::string& path, GenerateOptions& options,
                      RequestArguments& asked) {
  if (has_record(path))
    start_from_own(program, path, options, asked);
  else
    start_from_foreign(program, path, options, asked);
}

}  // namespace sfumato
