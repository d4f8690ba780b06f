#include "systems/stable_diffusion/controlnet.h"

#include <optional>
#include <stdexcept>
#include <utility>

#include "checkpoints/weight_files.h"
#include "core/error_text.h"
#include "images/canny.h"
#include "images/pixels.h"
#include "images/read.h"
#include "models/controlnet_file.h"
#include "nn/layers.h"
#include "systems/stable_diffusion/conditioning.h"
#include "systems/stable_diffusion/job.h"

namespace sfumato {
namespace {

using std::filesystem::path;

[[noreturn]] void refuse_controlnet(const path& where, const std::string& why) {
  throw std::runtime_error("ControlNet '" + where.string() + "': " + why);
}

/// Reads a folder's config.json, or the one beside a file if it is a ControlNet's.
std::optional<Json> find_config(const path& where) {
  const bool is_folder = std::filesystem::is_directory(where);
  const auto config = (is_folder ? where : where.parent_path()) / "config.json";
  const auto wanted = std::string("expected a diffusers ControlNetModel folder");
  if (!std::filesystem::exists(config)) {
    if (is_folder) refuse_controlnet(where, "no config.json in it: " + wanted);
    return std::nullopt;
  }
  const auto json = read_json(config);
  const auto name = json.is_object() ? value_or<std::string>(json, "_class_name", "") : "";
  if (name == "ControlNetModel") return json;
  if (is_folder) refuse_controlnet(where, "its _class_name is '" + name + "': " + wanted);
  return std::nullopt;
}

/// Adds the UNet's weights to those of `network` with the same name and shape: all except those of the image and
/// the last convolutions.
void add_unet(ControlNetModelImpl& network, const UNet2DConditionModelImpl& unet) {
  const torch::NoGradGuard no_gradients;
  const auto weights = unet.named_parameters();
  for (const auto& item : network.named_parameters())
    if (const auto* weight = weights.find(item.key()); weight != nullptr && weight->sizes() == item.value().sizes())
      item.value().set_data(item.value() + weight->to(item.value().options()));
}

/// Returns the key names of a file in diffusers' layout.
KeyNames plain_names() {
  return [](const std::string& key) {
    return key == kControlNetDifference ? std::vector<std::string>() : std::vector<std::string>{key};
  };
}

std::shared_ptr<ControlNetModelImpl> read_network(const path& where, const StableDiffusion& model) {
  const auto config = find_config(where);
  const WeightFiles files(where);
  const bool is_difference = files.contains(kControlNetDifference);
  auto file = config ? ControlNetFile{.config = ControlNetModelConfig::from_json(*config), .names = plain_names()}
                     : read_controlnet_file(*open_tensors(where));
  auto network = std::make_shared<ControlNetModelImpl>(file.config);
  auto placement = model.placement;
  if (is_difference) placement.dtype = torch::kFloat32;  // rounded once, as a sum
  load_weights(*network, where, placement, file.names);
  if (is_difference) {
    add_unet(*network, *model.unet);
    network->to(model.placement.dtype);
  }
  network->eval();
  return network;
}

std::shared_ptr<ControlNetModelImpl> load_controlnet(const path& where, const StableDiffusion& model) {
  if (!std::filesystem::exists(where)) refuse_controlnet(where, "no such folder or file");
  try {
    auto network = read_network(where, model);
    make_channels_last(*network);
    return network;
  } catch (const std::exception& error) {
    const auto why = error_text(error);
    if (why.find(where.string()) != std::string::npos) throw;
    refuse_controlnet(where, why);
  }
}

std::string text_of(const OneOrMany& values) {
  return to_json_value(values).dump();
}

/// Checks that its residuals match the model's features and that its text input matches the model's text states.
void check_fits(const path& where, const ControlNetModelConfig& config, const StableDiffusion& model) {
  const auto& unet = model.unet->config();
  const auto require = [&](const std::string& key, const std::string& has, const std::string& expected) {
    if (has != expected) refuse_controlnet(where, "its " + key + " is " + has + ", expected the model's " + expected);
  };
  require("in_channels", std::to_string(config.unet.in_channels), std::to_string(unet.in_channels));
  require("block_out_channels", text_of(config.unet.block_out_channels), text_of(unet.block_out_channels));
  require("layers_per_block", text_of(config.unet.layers_per_block), text_of(unet.layers_per_block));
  const auto reads_text = [](const UNet2DConditionModelConfig& part) {
    for (const auto& type : part.down_block_types)
      if (attention_of(type) == BlockAttention::kCross) return true;
    return part.mid_block_type == "UNetMidBlock2DCrossAttn";
  };
  if (reads_text(config.unet) && reads_text(unet))
    require("cross_attention_dim", text_of(config.unet.cross_attention_dim), text_of(unet.cross_attention_dim));
  require("addition_embed_type", "'" + config.unet.addition_embed_type + "'", "'" + unet.addition_embed_type + "'");
  require("factor from pixels to latents", std::to_string(config.downscale_factor()),
          std::to_string(model.vae->config().downscale_factor()));
  if (config.conditioning_channels != 3)
    refuse_controlnet(where, "its conditioning_channels is " + std::to_string(config.conditioning_channels) +
                                 ", expected 3 (a picture's)");
  if (!config.unet.class_embed_type.empty() || config.unet.num_class_embeds != 0)
    refuse_controlnet(where, "class embeddings are not supported by this pipeline");
}

/// Returns the image as diffusers' prepare_image does, [1, 3, H, W] in [0, 1]. Edges are detected at the original size,
/// so that lines are one pixel wide.
torch::Tensor prepare_image(const ControlNet& control, const ControlUnit& unit, const Request& request) {
  auto image = resize_lanczos(control.image, request.height, request.width);
  if (unit.preprocess == "canny") image = canny_edges(image);
  return image * 0.5 + 0.5;
}

UNet2DConditionInput without_first_rows(const UNet2DConditionInput& input, std::int64_t count) {
  if (count == 0) return input;
  const auto rest = [&](const torch::Tensor& rows) { return rows.defined() ? rows.slice(0, count) : rows; };
  auto result = input;
  result.sample = rest(input.sample);
  result.encoder_hidden_states = rest(input.encoder_hidden_states);
  result.text_embeds = rest(input.text_embeds);
  result.time_ids = rest(input.time_ids);
  return result;
}

/// Returns the text's keys and values in a network's layers, the first of which is `layer`, without the first
/// `uncontrolled` rows of the condition.
std::vector<torch::Tensor> keys_values_of(const ControlNetModelImpl& network, const Condition& condition,
                                          std::size_t layer, std::int64_t uncontrolled) {
  std::vector<torch::Tensor> layers;
  if (condition.text_keys_values.empty()) return layers;
  const auto first = uncontrolled / condition.rows_for_text();
  for (std::size_t i = 0; i < network.text_layers(); ++i)
    layers.push_back(condition.text_keys_values.at(layer + i).slice(0, first));
  return layers;
}

void add(torch::Tensor& sum, const torch::Tensor& residual) {
  sum = sum.defined() ? sum + residual : residual;
}

/// Puts zeros for the first `count` rows before `residual`.
torch::Tensor after_zeros(const torch::Tensor& residual, std::int64_t count) {
  return torch::constant_pad_nd(residual, {0, 0, 0, 0, 0, 0, count, 0});
}

}  // namespace

std::vector<ControlNet> load_controlnets(const std::vector<ControlUnit>& units, const StableDiffusion& model) {
  std::vector<ControlNet> controlnets;
  for (const auto& unit : units) {
    validate(unit);
    auto image = read_image(unit.image);
    auto network = load_controlnet(unit.model, model);
    check_fits(unit.model, network->config(), model);
    controlnets.push_back({.network = std::move(network), .image = std::move(image)});
  }
  return controlnets;
}

bool controls_prompt_alone(const Job& job) {
  const auto& controlnets = job.attachments.controlnets;
  if (controlnets.empty()) return false;
  return job.request.control_guess || controlnets.front().network->config().global_pool_conditions;
}

Control::Control(const Job& job, std::size_t evaluations)
    : unet_text_layers_(job.model.unet->text_layers()),
      evaluations_(evaluations),
      guess_mode_(controls_prompt_alone(job)) {
  const auto& units = job.request.controls;
  const auto& controlnets = job.attachments.controlnets;
  if (units.size() != controlnets.size())
    throw std::invalid_argument("a request with " + std::to_string(units.size()) +
                                " controls: expected one for each of the " + std::to_string(controlnets.size()) +
                                " ControlNets that are loaded");
  for (std::size_t i = 0; i < units.size(); ++i) {
    const auto image = prepare_image(controlnets[i], units[i], job.request).to(job.model.placement.device);
    shown_.push_back({controlnets[i].network, controlnets[i].network->embed(image), units[i]});
  }
}

bool Control::takes_part(const ControlUnit& unit, std::size_t index) const {
  const auto i = static_cast<double>(index), n = static_cast<double>(evaluations_);
  return unit.scale != 0 && i / n >= unit.start && (i + 1) / n <= unit.end;
}

void Control::add_residuals(UNet2DConditionInput& input, const Evaluation& evaluation,
                            const Condition& condition) const {
  if (shown_.empty()) return;
  const auto uncontrolled = condition.uncontrolled.defined() ? condition.uncontrolled.sum().item<std::int64_t>() : 0;
  if (uncontrolled == input.sample.size(0)) return;
  auto controlled = without_first_rows(input, uncontrolled);
  controlled.timestep_cond = torch::Tensor();  // input of a distilled UNet only
  auto& down = input.down_block_additional_residuals;
  auto layer = unet_text_layers_;  // the first one of the network
  for (const auto& [network, embedding, unit] : shown_) {
    const auto first = std::exchange(layer, layer + network->text_layers());
    if (!takes_part(unit, evaluation.index)) continue;
    controlled.text_keys_values = keys_values_of(*network, condition, first, uncontrolled);
    const auto residuals =
        network->forward(controlled, embedding, {.conditioning_scale = unit.scale, .guess_mode = guess_mode_});
    down.resize(residuals.down_block_res_samples.size());
    for (std::size_t i = 0; i < down.size(); ++i) add(down[i], residuals.down_block_res_samples[i]);
    add(input.mid_block_additional_residual, residuals.mid_block_res_sample);
  }
  if (uncontrolled == 0 || down.empty()) return;
  for (auto& residual : down) residual = after_zeros(residual, uncontrolled);
  input.mid_block_additional_residual = after_zeros(input.mid_block_additional_residual, uncontrolled);
}

}  // namespace sfumato
