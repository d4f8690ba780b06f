#include "systems/unconditional/record.h"

#include <filesystem>

#include "core/number_text.h"

namespace sfumato {
namespace {

std::string sample_parameters(const SampleRecord& record, const Unconditional& model, const Chain& chain) {
  auto text = "Steps: " + std::to_string(chain.steps.size()) + ", Sampler: " + chain.sampler.label;
  text += ", Seed: " + std::to_string(record.seed);
  if (record.label) text += ", Class: " + number_text(*record.label);
  text += ", Size: " + std::to_string(model.width()) + "x" + std::to_string(model.height());
  text += ", Model: " + std::filesystem::path(record.model).filename().string();
  if (chain.sampler.name == "ddim" && chain.options.eta > 0) text += ", Eta DDIM: " + number_text(chain.options.eta);
  return text + ", Version: sfumato";
}

nlohmann::ordered_json sample_json(const SampleRecord& record, const Chain& chain) {
  nlohmann::ordered_json json = {{"sampler", chain.sampler.name}, {"seed", record.seed}};
  if (record.label) json["class"] = *record.label;
  if (record.count > 1) json["count"] = record.count;
  if (!record.classes.empty()) json["class"] = record.classes;
  if (record.interpolate) json["interpolate"] = *record.interpolate;
  if (!record.compare_steps.empty()) {
    json["compare_steps"] = record.compare_steps;
    json["skip_type"] = record.chain.skip_type;
  } else if (record.chain.respacing.empty()) {
    json["steps"] = record.chain.steps > 0 ? record.chain.steps : static_cast<std::int64_t>(chain.steps.size());
    json["skip_type"] = record.chain.skip_type;
  } else {
    json["respacing"] = record.chain.respacing;
  }
  if (chain.sampler.name == "ddim") json["eta"] = chain.options.eta;
  if (chain.sampler.name == "ddpm") json["variance"] = chain.options.variance_type;
  return json;
}

}  // namespace

TextChunks to_text_chunks(const SampleRecord& record, const Unconditional& model, const Chain& chain) {
  auto chunks = program_text_chunks("sample", {{"sample", sample_json(record, chain)},
                                               {"model", record.model},
                                               {"device", record.device},
                                               {"dtype", record.dtype}});
  chunks.insert(chunks.begin(), {"parameters", sample_parameters(record, model, chain)});
  return chunks;
}

TextChunks program_text_chunks(const std::string& program, const nlohmann::ordered_json& options) {
  nlohmann::ordered_json json = {{"program", program}};
  json.update(options);
  return {{"sfumato", json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)}};
}

}  // namespace sfumato
