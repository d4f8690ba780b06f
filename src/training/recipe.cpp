#include "training/recipe.h"

#include <stdexcept>

#include "training/recipe_values.h"

namespace sfumato {
namespace {

AdamWOptions parse_optimizer(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"lr", "betas", "weight_decay", "eps"}, where);
  AdamWOptions options;
  options.lr = value_or(json, "lr", options.lr);
  const auto betas = value_or(json, "betas", std::vector<double>{options.beta1, options.beta2});
  expect(betas.size() == 2, where, "'betas' must be two numbers", json);
  options.beta1 = betas[0];
  options.beta2 = betas[1];
  options.weight_decay = value_or(json, "weight_decay", options.weight_decay);
  options.eps = value_or(json, "eps", options.eps);
  expect(options.lr > 0, where, "'lr' must be positive", json);
  expect_within(options.eps, 0, kNoLimit, where, "eps");
  expect_within(options.weight_decay, 0, kNoLimit, where, "weight_decay");
  expect(betas[0] >= 0 && betas[0] < 1 && betas[1] >= 0 && betas[1] < 1, where, "'betas' must be 0 to below 1", json);
  return options;
}

void parse_schedule(const Json& json, const std::string& where, Recipe& recipe) {
  refuse_unknown_keys(json, {"warmup_steps", "final_lr"}, where);
  recipe.warmup_steps = value_or(json, "warmup_steps", recipe.warmup_steps);
  recipe.final_lr = value_or(json, "final_lr", recipe.final_lr);
  expect_within(static_cast<double>(recipe.warmup_steps), 0, kNoLimit, where, "warmup_steps");
  expect_within(recipe.final_lr, 0, 1, where, "final_lr");
}

void parse_intervals(const Json& json, const std::string& where, Recipe& recipe) {
  recipe.log_every = value_or(json, "log_every", recipe.log_every);
  recipe.sample_every = value_or(json, "sample_every", recipe.sample_every);
  recipe.checkpoint_every = value_or(json, "checkpoint_every", recipe.checkpoint_every);
  expect_within(static_cast<double>(recipe.log_every), 1, kNoLimit, where, "log_every");
  expect_within(static_cast<double>(recipe.sample_every), 1, kNoLimit, where, "sample_every");
  expect_within(static_cast<double>(recipe.checkpoint_every), 1, kNoLimit, where, "checkpoint_every");
}

/// Reads "pack": the path of a file or folder, or a list of them.
std::vector<std::filesystem::path> read_packs(const Json& json, const std::string& where) {
  const auto value = json.value("pack", Json());
  if (value.is_null()) return {};
  const auto list = value.is_array() ? value : Json::array({value});
  std::vector<std::filesystem::path> packs;
  for (const auto& pack : list) {
    expect(pack.is_string() && !pack.get<std::string>().empty(), where,
           "'pack' must be the path of a file or folder, or a list of them", json);
    packs.emplace_back(pack.get<std::string>());
  }
  expect(!packs.empty(), where, "'pack' must name packed training files", json);
  return packs;
}

void read_sizes(const Json& json, const std::string& where, Recipe& recipe) {
  recipe.seed = value_or(json, "seed", recipe.seed);
  recipe.steps = value_or(json, "steps", recipe.steps);
  recipe.batch_size = value_or(json, "batch_size", recipe.batch_size);
  recipe.gradient_accumulation_steps =
      value_or(json, "gradient_accumulation_steps", recipe.gradient_accumulation_steps);
  expect_within(static_cast<double>(recipe.gradient_accumulation_steps), 1, kNoLimit, where,
                "gradient_accumulation_steps");
  expect_within(static_cast<double>(recipe.steps), 1, kNoLimit, where, "steps");
  expect_within(static_cast<double>(recipe.batch_size), 1, kNoLimit, where, "batch_size");
}

}  // namespace

const std::vector<std::string>& common_recipe_keys() {
  static const std::vector<std::string> keys = {"seed",      "steps",     "batch_size",   "gradient_accumulation_steps",
                                                "optimizer", "schedule",  "ema_decay",    "clip_grad_norm",
                                                "precision", "log_every", "sample_every", "checkpoint_every"};
  return keys;
}

void read_common_recipe(const Json& json, const std::string& where, Recipe& recipe) {
  recipe.kind = value_or(json, "kind", recipe.kind);
  read_sizes(json, where, recipe);
  recipe.optimizer = parse_optimizer(object_at(json, "optimizer"), where + ": optimizer");
  parse_schedule(object_at(json, "schedule"), where + ": schedule", recipe);
  recipe.clip_grad_norm = value_or(json, "clip_grad_norm", recipe.clip_grad_norm);
  expect_within(recipe.clip_grad_norm, 0, kNoLimit, where, "clip_grad_norm");
  recipe.ema_decay = value_or(json, "ema_decay", recipe.ema_decay);
  expect_within(recipe.ema_decay, 0, 1, where, "ema_decay");
  recipe.precision = value_or(json, "precision", recipe.precision);
  const bool known = recipe.precision == "auto" || recipe.precision == "fp32" || recipe.precision == "bf16";
  expect(known, where, "'precision' must be auto, fp32 or bf16", Json{{"precision", recipe.precision}});
  parse_intervals(json, where, recipe);
}

Json pack_places(const PackRecipe& data) {
  Json places = Json::array();
  for (const auto& pack : data.packs) places.push_back(pack.string());
  return {{"pack", places.size() == 1 ? places[0] : places}};
}

Json fixed_data(const PackRecipe& data) {
  return {{"image_size", data.image_size}, {"folder", data.folder.empty() ? Json() : Json(data.folder)}};
}

void read_pack_recipe(const Json& json, const std::string& where, PackRecipe& data) {
  data.packs = read_packs(json, where);
  data.folder = value_or(json, "folder", data.folder);
  data.image_size = value_or(json, "image_size", data.image_size);
  expect(data.folder.empty() || data.packs.empty(), where, "'pack' and 'folder': expected one of them", json);
  expect(!data.folder.empty() || !data.packs.empty(), where, "'pack' must name packed training files", json);
  expect(data.image_size > 0, where, "'image_size' must be positive", json);
}

std::int64_t read_sample_count(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"count"}, where);
  const auto count = value_or(json, "count", std::int64_t{16});
  expect(count > 0, where, "'count' must be positive", json);
  return count;
}

void apply_setting(Json& recipe, const std::string& setting) {
  const auto equals = setting.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw std::invalid_argument("--set '" + setting + "': expected key=value, such as optimizer.lr=1e-4");
  }
  auto* place = &recipe;
  std::string path = setting.substr(0, equals);
  for (auto dot = path.find('.');; dot = path.find('.')) {
    if (!place->is_object() && !place->is_null()) {
      throw std::invalid_argument("--set '" + setting + "': '" + path + "' would lie inside " + place->dump());
    }
    place = &(*place)[path.substr(0, dot)];
    if (dot == std::string::npos) break;
    path.erase(0, dot + 1);
  }
  const auto text = setting.substr(equals + 1);
  const auto value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  *place = value.is_discarded() ? Json(text) : value;
}

}  // namespace sfumato
