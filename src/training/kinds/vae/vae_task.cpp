#include "training/kinds/vae/vae_task.h"

#include <algorithm>
#include <cmath>

#include "training/grid.h"
#include "training/network_parameters.h"

namespace sfumato {
namespace {

/// Makes the initial posterior narrow (standard deviation 0.05): with a wider one, the sampled noise hides the image
/// for the first thousand steps.
constexpr double kInitialLogVariance = -6.0;
constexpr std::int64_t kHeldOutLookedAt = 64;
constexpr std::int64_t kEvaluationBatch = 16;

void narrow_posterior(AutoencoderKLImpl& vae) {
  const torch::NoGradGuard no_grad;
  const auto parameters = vae.named_parameters();
  const std::string last = parameters.contains("quant_conv.weight") ? "quant_conv" : "encoder.conv_out";
  const auto channels = vae.config().latent_channels;
  parameters[last + ".weight"].narrow(0, channels, channels).zero_();
  parameters[last + ".bias"].narrow(0, channels, channels).fill_(kInitialLogVariance);
}

torch::Tensor channels_last(const torch::Tensor& x) {
  return x.contiguous(torch::MemoryFormat::ChannelsLast);
}

}  // namespace

VaeTask::VaeTask(const VaeRecipe& recipe, torch::Device device)
    : recipe_(recipe),
      device_(device),
      pack_(recipe.data.packs, recipe.data.image_size),
      objective_(recipe, device),
      loader_(recipe, objective_.vae->config(), pack_, device) {
  initialize(*objective_.vae, generator_for(recipe.seed, Stream::kInitialisation, 0));
  narrow_posterior(*objective_.vae);
  objective_.place();
}

std::unique_ptr<Objective> VaeTask::new_objective() const {
  return placed_objective<VaeObjective>(recipe_, device_);
}

void VaeTask::init_from(const std::filesystem::path& folder) {
  copy_weights(*objective_.vae, folder, AutoencoderKLImpl::rename_key);
}

torch::Tensor VaeTask::held_out_images(std::int64_t first, std::int64_t count) {
  // If nothing is held out, the last images are used.
  const auto start = pack_.size() - std::max(pack_.held_out(), std::min(pack_.size(), kHeldOutLookedAt));
  return channels_last(pack_.images(torch::arange(start + first, start + first + count), device_));
}

Json VaeTask::evaluate(std::int64_t step) {
  const torch::NoGradGuard no_grad;
  auto& vae = *objective_.vae;
  const auto count = std::min({kHeldOutLookedAt, std::max<std::int64_t>(pack_.held_out(), 1), pack_.size()});
  double squares = 0;
  std::vector<torch::Tensor> means;
  for (std::int64_t first = 0; first < count; first += kEvaluationBatch) {
    const auto x = held_out_images(first, std::min(kEvaluationBatch, count - first));
    const auto mean = vae.encode(x).mode();
    const auto error = (vae.decode(mean).clamp(-1, 1) - x) / 2;
    squares += error.square().mean().item<double>() * static_cast<double>(x.size(0));
    means.push_back(mean.flatten());
  }
  const double mean_square = squares / static_cast<double>(count);
  return {{"held_out_psnr", -10.0 * std::log10(mean_square)}, {"latent_std", torch::cat(means).std().item<double>()}};
}

torch::Tensor VaeTask::sample_grid() {
  const torch::NoGradGuard no_grad;
  auto& vae = *objective_.vae;
  constexpr std::int64_t kColumns = 8;
  const auto count = std::min({recipe_.sample_count, kHeldOutLookedAt, pack_.size()});
  const auto x = held_out_images(0, count);
  const auto rebuilt = vae.decode(vae.encode(x).mode());
  std::vector<torch::Tensor> rows;
  for (std::int64_t first = 0; first < count; first += kColumns) {
    const auto length = std::min(kColumns, count - first);
    for (const auto& part : {x, rebuilt}) {
      rows.push_back(
          torch::constant_pad_nd(part.narrow(0, first, length), {0, 0, 0, 0, 0, 0, 0, kColumns - length}, -1));
    }
  }
  return make_grid(torch::cat(rows), kColumns);
}

}  // namespace sfumato
