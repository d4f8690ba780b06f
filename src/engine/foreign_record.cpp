#include "engine/foreign_record.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <stdexcept>

#include "core/json_text.h"
#include "core/number_text.h"
#include "core/shortened.h"
#include "diffusion/samplers.h"
#include "diffusion/sigma_schedules.h"
#include "engine/foreign_programs.h"

namespace sfumato {
namespace {

/// Converts a name to lower case, with _ for every character other than letters, digits and +.
std::string plain_name(const std::string& name) {
  std::string plain;
  for (const unsigned char c : name)
    plain += std::isalnum(c) != 0 || c == '+' ? static_cast<char>(std::tolower(c)) : '_';
  return plain;
}

/// Returns k-diffusion's names and those derived from them; labels are looked up in the tables.
const std::map<std::string, std::string>& sampler_names() {
  static const std::map<std::string, std::string> names = {{"euler_ancestral", "euler_a"},
                                                           {"dpm_2", "dpm2"},
                                                           {"dpm_2_ancestral", "dpm2_a"},
                                                           {"kdpm_2", "dpm2"},
                                                           {"kdpm_2_a", "dpm2_a"},
                                                           {"dpmpp_2m", "dpm++2m"},
                                                           {"dpmpp_2m_sde", "dpm++2m_sde"},
                                                           {"dpmpp_2m_sde_gpu", "dpm++2m_sde"},
                                                           {"dpmpp_3m", "dpm++3m"},
                                                           {"dpmpp_3m_sde", "dpm++3m_sde"},
                                                           {"dpmpp_3m_sde_gpu", "dpm++3m_sde"},
                                                           {"dpmpp_2s_ancestral", "dpm++2s_a"},
                                                           {"dpmpp_sde", "dpm++sde"},
                                                           {"dpmpp_sde_gpu", "dpm++sde"},
                                                           {"uni_pc", "unipc"},
                                                           {"plms", "pndm"}};
  return names;
}

const std::map<std::string, std::string>& schedule_names() {
  static const std::map<std::string, std::string> names = {
      {"normal", "discrete"}, {"native", "discrete"}, {"uniform", "discrete"}, {"automatic", "discrete"}};
  return names;
}

template <class Table>
std::string find_name(const std::string& plain, const Table& table, const std::map<std::string, std::string>& others) {
  if (const auto other = others.find(plain); other != others.end()) return other->second;
  for (const auto& row : table)
    if (plain_name(row.name) == plain || plain_name(row.label) == plain) return row.name;
  return "";
}

Json parsed(const std::string& text, const std::string& what) {
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    throw std::runtime_error(what + " is damaged: " + without_library_marks(error.what()));
  }
}

std::string find_text(const TextChunks& texts, const std::string& keyword) {
  for (const auto& [key, text] : texts)
    if (key == keyword) return text;
  return "";
}

std::optional<ForeignRecord> read_any(const TextChunks& texts) {
  const auto parameters = find_text(texts, "parameters");
  if (const auto text = find_text(texts, "invokeai_metadata"); !text.empty())
    return read_invokeai(parsed(text, "InvokeAI's metadata"));
  if (find_text(texts, "Software") == "NovelAI")
    return read_novelai(parsed(find_text(texts, "Comment"), "NovelAI's comment"), find_text(texts, "Description"));
  if (parameters.starts_with("{")) return read_fooocus(parsed(parameters, "Fooocus' metadata"));
  if (parameters.find("Steps: ") != std::string::npos) return read_a1111(parameters);
  if (const auto text = find_text(texts, "prompt"); text.starts_with("{"))
    return read_comfyui(parsed(text, "ComfyUI's graph"));
  return std::nullopt;
}

}  // namespace

std::optional<ForeignRecord> read_foreign_record(const TextChunks& texts) {
  try {
    return read_any(texts);
  } catch (const Json::exception& error) {
    throw std::runtime_error(std::string("another program's record is damaged: ") +
                             without_library_marks(error.what()));
  }
}

void set_foreign_sampler(const std::string& name, ForeignRecord& record) {
  auto plain = plain_name(name);
  if (plain.starts_with("k_")) plain = plain.substr(2);
  for (const auto& [ending, schedule] : std::map<std::string, std::string>{
           {"_karras", "karras"}, {"_k", "karras"}, {"_exponential", "exponential"}, {"_sgm_uniform", "sgm_uniform"}}) {
    if (!plain.ends_with(ending)) continue;
    plain.resize(plain.size() - ending.size());
    record.request.schedule = schedule;
  }
  record.request.sampler = find_name(plain, samplers(), sampler_names());
  if (record.request.sampler.empty()) {
    record.notes.push_back("sampler '" + name + "': there is none of that name; the model's own is taken");
    record.request.schedule.clear();
    return;
  }
  const auto& sampler = find_sampler(record.request.sampler);
  if (std::find(sampler.noise.begin(), sampler.noise.end(), "brownian") != sampler.noise.end())
    record.request.noise = "brownian";
}

void set_foreign_schedule(const std::string& name, ForeignRecord& record) {
  const auto found = find_name(plain_name(name), sigma_schedules(), schedule_names());
  if (found.empty()) {
    record.notes.push_back("schedule '" + name + "': there is none of that name; the model's own is taken");
    return;
  }
  if (record.request.sampler.empty()) return;
  if (found != "discrete" && !goes_by_sigma(find_sampler(record.request.sampler).grid))
    record.notes.push_back("schedule '" + name + "': the sampler " + record.request.sampler + " has its own timesteps");
  else
    record.request.schedule = found;
}

void add_foreign_lora(const std::string& file, double text_encoders, double unet, ForeignRecord& record) {
  auto name = file;
  std::replace(name.begin(), name.end(), '\\', '/');
  const std::filesystem::path path(name);
  name = path.extension() == ".safetensors" ? path.stem().string() : path.filename().string();
  auto tag = " <lora:" + name + ":" + number_text(text_encoders);
  if (unet != text_encoders) tag += ":" + number_text(unet);
  record.request.prompt += tag + ">";
}

void note_other_keys(const Json& settings, const std::vector<std::string>& known, ForeignRecord& record) {
  for (const auto& [key, value] : settings.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const bool empty = value.is_null() || value == false || value == 0 || value == "" ||
                       ((value.is_array() || value.is_object()) && value.empty());
    if (empty) continue;
    constexpr std::size_t kMost = 80;
    record.notes.push_back(key + " " + shortened(value.dump(-1, ' ', false, Json::error_handler_t::replace), kMost));
  }
}

}  // namespace sfumato
