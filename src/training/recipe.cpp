#include "training/recipe.h"

#include <limits>
#include <stdexcept>

#include "core/number_text.h"

namespace sfumato {
namespace {

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

Json object_at(const Json& json, const std::string& key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? Json::object() : *found;
}

/// Refuses a number outside [low, high].
void expect_within(double value, double low, double high, const std::string& where, const std::string& key) {
  if (value >= low && value <= high) return;
  const bool open = high == kNoLimit;
  throw std::invalid_argument(where + ": '" + key + "' is " + number_text(value) + ", expected " + number_text(low) +
                              (open ? " or more" : " to " + number_text(high)));
}

void expect(bool holds, const std::string& where, const std::string& what, const Json& json) {
  if (!holds) throw std::invalid_argument(where + ": " + what + " in " + json.dump());
}

EmphasisRecipe parse_emphasis(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"words", "repeats"}, where);
  EmphasisRecipe emphasis;
  emphasis.words = value_or(json, "words", emphasis.words);
  emphasis.repeats = value_or(json, "repeats", emphasis.repeats);
  expect(emphasis.repeats >= 1 && emphasis.repeats <= 1000, where, "'repeats' must be 1 to 1000", json);
  return emphasis;
}

DataRecipe parse_data(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"pack", "image_size", "crop_size", "caption_dropout", "emphasis"}, where);
  DataRecipe data;
  data.pack = value_or(json, "pack", data.pack);
  data.image_size = value_or(json, "image_size", data.image_size);
  data.crop_size = value_or(json, "crop_size", data.crop_size);
  data.caption_dropout = value_or(json, "caption_dropout", data.caption_dropout);
  data.emphasis = parse_emphasis(object_at(json, "emphasis"), where + ": emphasis");
  expect(!data.pack.empty(), where, "'pack' must name a packed training file", json);
  expect(data.image_size > 0, where, "'image_size' must be positive", json);
  expect(data.crop_size >= 0 && data.crop_size <= data.image_size, where, "'crop_size' must be 0 to image_size", json);
  expect(data.caption_dropout >= 0 && data.caption_dropout <= 1, where, "'caption_dropout' must be 0 to 1", json);
  return data;
}

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

LossRecipe parse_loss(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"l2_weight", "l1_weight", "kl_weight", "min_snr_gamma", "timestep_shift"}, where);
  LossRecipe loss;
  loss.l2_weight = value_or(json, "l2_weight", loss.l2_weight);
  loss.l1_weight = value_or(json, "l1_weight", loss.l1_weight);
  loss.kl_weight = value_or(json, "kl_weight", loss.kl_weight);
  loss.min_snr_gamma = value_or(json, "min_snr_gamma", loss.min_snr_gamma);
  loss.timestep_shift = value_or(json, "timestep_shift", loss.timestep_shift);
  expect(loss.timestep_shift > 0, where, "'timestep_shift' must be positive", json);
  expect_within(loss.l2_weight, 0, kNoLimit, where, "l2_weight");
  expect_within(loss.l1_weight, 0, kNoLimit, where, "l1_weight");
  expect_within(loss.kl_weight, 0, kNoLimit, where, "kl_weight");
  expect_within(loss.min_snr_gamma, 0, kNoLimit, where, "min_snr_gamma");
  return loss;
}

SampleRecipe parse_sample(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"count", "steps", "guidance_scale"}, where);
  SampleRecipe sample;
  sample.count = value_or(json, "count", sample.count);
  sample.steps = value_or(json, "steps", sample.steps);
  sample.guidance_scale = value_or(json, "guidance_scale", sample.guidance_scale);
  expect(sample.count > 0 && sample.steps > 0, where, "'count' and 'steps' must be positive", json);
  return sample;
}

void parse_schedule(const Json& json, const std::string& where, Recipe& recipe) {
  refuse_unknown_keys(json, {"warmup_steps", "final_lr"}, where);
  recipe.warmup_steps = value_or(json, "warmup_steps", recipe.warmup_steps);
  recipe.final_lr = value_or(json, "final_lr", recipe.final_lr);
  expect_within(static_cast<double>(recipe.warmup_steps), 0, kNoLimit, where, "warmup_steps");
  expect_within(recipe.final_lr, 0, kNoLimit, where, "final_lr");
}

void parse_intervals(const Json& json, const std::string& where, Recipe& recipe) {
  recipe.log_every = value_or(json, "log_every", recipe.log_every);
  recipe.sample_every = value_or(json, "sample_every", recipe.sample_every);
  recipe.checkpoint_every = value_or(json, "checkpoint_every", recipe.checkpoint_every);
  expect_within(static_cast<double>(recipe.log_every), 1, kNoLimit, where, "log_every");
  expect_within(static_cast<double>(recipe.sample_every), 1, kNoLimit, where, "sample_every");
  expect_within(static_cast<double>(recipe.checkpoint_every), 1, kNoLimit, where, "checkpoint_every");
}

void parse_networks(const Json& json, const std::string& where, Recipe& recipe) {
  recipe.vae = object_at(json, "vae");
  recipe.unet = object_at(json, "unet");
  recipe.text_encoder = object_at(json, "text_encoder");
  recipe.scheduler = object_at(json, "scheduler");
  recipe.tokenizer = value_or(json, "tokenizer", recipe.tokenizer);
  recipe.classifier = object_at(json, "classifier");
  if (recipe.kind == "classifier") {
    expect(recipe.classifier.is_object(), where, "'classifier' must be a config", recipe.classifier);
    return;
  }
  if (recipe.kind == "vae") {
    recipe.freeze_encoder = value_or(json, "freeze_encoder", recipe.freeze_encoder);
    expect(recipe.vae.is_object(), where, "'vae' must be the AutoencoderKL's config", recipe.vae);
    return;
  }
  expect(recipe.vae.is_string(), where, "'vae' must be the folder of a trained AutoencoderKL", recipe.vae);
  expect(recipe.unet.is_object(), where, "'unet' must be a config", recipe.unet);
  expect(recipe.text_encoder.is_object(), where, "'text_encoder' must be a config", recipe.text_encoder);
  expect(recipe.scheduler.is_object(), where, "'scheduler' must be a config", recipe.scheduler);
}

std::vector<std::string> known_keys(const std::string& kind) {
  std::vector<std::string> keys{"kind",
                                "seed",
                                "steps",
                                "batch_size",
                                "data",
                                "optimizer",
                                "schedule",
                                "clip_grad_norm",
                                "ema_decay",
                                "precision",
                                "loss",
                                "sample",
                                "log_every",
                                "sample_every",
                                "checkpoint_every",
                                "gradient_accumulation_steps"};
  keys.push_back(kind == "classifier" ? "classifier" : "vae");
  if (kind == "vae") keys.push_back("freeze_encoder");
  if (kind == "text_to_image") keys.insert(keys.end(), {"unet", "text_encoder", "scheduler", "tokenizer"});
  return keys;
}

}  // namespace

Recipe parse_recipe(const Json& json, const std::string& where) {
  Recipe recipe;
  expect(json.is_object(), where, "expected an object", json);
  recipe.kind = value_or(json, "kind", recipe.kind);
  refuse_unknown_keys(json, known_keys(recipe.kind), where);
  if (recipe.kind != "vae" && recipe.kind != "text_to_image" && recipe.kind != "classifier") {
    throw std::invalid_argument(where + ": 'kind' is '" + recipe.kind +
                                "'; expected 'vae', 'text_to_image' or 'classifier'");
  }
  recipe.seed = value_or(json, "seed", recipe.seed);
  recipe.steps = value_or(json, "steps", recipe.steps);
  recipe.batch_size = value_or(json, "batch_size", recipe.batch_size);
  recipe.gradient_accumulation_steps =
      value_or(json, "gradient_accumulation_steps", recipe.gradient_accumulation_steps);
  expect_within(static_cast<double>(recipe.gradient_accumulation_steps), 1, kNoLimit, where,
                "gradient_accumulation_steps");
  expect_within(static_cast<double>(recipe.steps), 1, kNoLimit, where, "steps");
  expect_within(static_cast<double>(recipe.batch_size), 1, kNoLimit, where, "batch_size");
  recipe.data = parse_data(object_at(json, "data"), where + ": data");
  parse_networks(json, where, recipe);
  recipe.optimizer = parse_optimizer(object_at(json, "optimizer"), where + ": optimizer");
  parse_schedule(object_at(json, "schedule"), where + ": schedule", recipe);
  recipe.clip_grad_norm = value_or(json, "clip_grad_norm", recipe.clip_grad_norm);
  expect_within(recipe.clip_grad_norm, 0, kNoLimit, where, "clip_grad_norm");
  recipe.ema_decay = value_or(json, "ema_decay", recipe.ema_decay);
  expect_within(recipe.ema_decay, 0, 1, where, "ema_decay");
  recipe.precision = value_or(json, "precision", recipe.precision);
  const bool known = recipe.precision == "auto" || recipe.precision == "fp32" || recipe.precision == "bf16";
  expect(known, where, "'precision' must be auto, fp32 or bf16", Json{{"precision", recipe.precision}});
  recipe.loss = parse_loss(object_at(json, "loss"), where + ": loss");
  recipe.sample = parse_sample(object_at(json, "sample"), where + ": sample");
  parse_intervals(json, where, recipe);
  return recipe;
}

void check_continues(const Json& recipe, const Json& begun, const std::string& where) {
  for (const auto* key : {"kind", "vae", "classifier", "unet", "text_encoder", "scheduler"}) {
    const auto own = recipe.value(key, Json()), first = begun.value(key, Json());
    const bool moved = own.is_string() && first.is_string() && std::string(key) == "vae";  // a folder: its place alone
    if (own != first && !moved)
      throw std::invalid_argument("'" + std::string(key) + "' is not what the run was begun with (" + where +
                                  "): expected the same, or a run of its own");
  }
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
