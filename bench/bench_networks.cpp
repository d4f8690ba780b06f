// bench_networks FOLDER THREADS [DEVICE DTYPE]: takes unet/ and vae/ of a diffusers folder of Stable Diffusion 1 or XL
// (cpu and float32 if unnamed) and does what standard input asks for, a line at a time: load_unet, load_vae,
// "unet ROWS SIDE RUNS" (evaluations of so many rows of latents SIDE x SIDE; 2 64 1 if unnamed, a guided step of
// 512x512), "vae ROWS SIDE RUNS" (decodes; 1 64 1), vae_1024 (a decode to 1024x1024, in tiles), "error FILE" or memory.
// Answers with a line each: wall and processor seconds of a run; the relative error of the output for the inputs of
// FILE, which contenders/answers.py wrote; or the peak so far in MiB: of resident memory and, on CUDA, of the device's.

#include <sys/resource.h>

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <chrono>
#include <ctime>
#include <functional>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>

#include "checkpoints/load.h"
#include "checkpoints/safetensors.h"
#include "core/memory_pool.h"
#include "core/placement.h"
#include "models/autoencoder_kl.h"
#include "models/replayed_unet.h"
#include "models/unet_2d_condition_model.h"
#include "nn/layers.h"
#include "nn/packing.h"

namespace sfumato {
namespace {

/// Wall and processor seconds of a run, on average over `runs` that are queued together.
void print_seconds(torch::Device device, std::int64_t runs, const std::function<void()>& run) {
  const auto finish = [&] {
    if (device.is_cuda()) c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
  };
  finish();
  const auto wall = std::chrono::steady_clock::now();
  const auto processor = std::clock();
  for (std::int64_t i = 0; i < runs; ++i) run();
  finish();
  const auto count = static_cast<double>(runs);
  std::cout << std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count() / count << ' '
            << static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC / count << std::endl;
}

void print_peak_memory(torch::Device device) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::cout << static_cast<double>(usage.ru_maxrss) / 1024;
  if (device.is_cuda()) {
    const auto stats = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
    std::cout << ' ' << static_cast<double>(stats.allocated_bytes[0].peak) / (1 << 20);
  }
  std::cout << std::endl;
}

/// The networks of a folder, and the answers to the lines of standard input.
class Networks {
 public:
  Networks(std::filesystem::path folder, const Placement& placement)
      : folder_(std::move(folder)), placement_(placement) {}

  void answer(const std::string& line) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    const auto number = [&](std::int64_t otherwise) {
      std::int64_t value = 0;
      return words >> value ? value : otherwise;
    };
    if (word == "load_unet") return load_unet();
    if (word == "load_vae") return load(vae_, "vae");
    if (word == "memory") return print_peak_memory(placement_.device);
    if (word == "error") return print_error(line.substr(line.find(' ') + 1));
    const auto rows = number(word == "unet" ? 2 : 1), side = number(word == "vae_1024" ? 128 : 64), runs = number(1);
    if (word == "unet") return step(rows, side, runs);
    if (word == "vae") return decode(rows, side, runs, {});
    if (word == "vae_1024") return decode(rows, side, runs, VaeTiling());
    throw std::invalid_argument("no answer to '" + line + "'");
  }

 private:
  template <class Network>
  void load(std::shared_ptr<Network>& network, const char* name) const {
    print_seconds(placement_.device, 1, [&] {
      network = from_pretrained<Network>(folder_ / name, placement_);
      make_channels_last(*network);
      if (packs_weights(placement_)) pack_weights(*network);
    });
  }
  void load_unet() {
    load(unet_, "unet");
    replayed_ = replayed(unet_, placement_.device);
    if (replayed_) std::cerr << replayed_->note() << std::endl;
  }
  torch::Tensor random(at::IntArrayRef sizes) const {
    return torch::randn(sizes).to(placement_.device, placement_.dtype);
  }
  void print_error(const std::filesystem::path& path) const {
    const SafetensorsFile file(path);
    const auto input = [&](const char* name) { return file.tensor(name).to(placement_.device, placement_.dtype); };
    const bool of_unet = file.contains("input.2");
    const auto output = of_unet
                            ? unet_->forward(input("input.0"), file.tensor("input.1").item<double>(), input("input.2"))
                            : vae_->decode(input("input.0"));
    const auto expected = file.tensor("output");
    const auto difference = output.to(torch::kCPU, torch::kFloat32) - expected;
    std::cout << (difference.norm() / expected.norm()).item<double>() << std::endl;
  }
  void step(std::int64_t rows, std::int64_t side, std::int64_t runs) const {
    const auto& config = unet_->config();
    UNet2DConditionInput input;
    input.sample = random({rows, config.in_channels, side, side});
    input.timestep = torch::full({}, 500).to(placement_.device);
    input.encoder_hidden_states = random({rows, 77, config.cross_attention_dim[0]});
    if (config.addition_embed_type == "text_time") {
      input.text_embeds =
          random({rows, config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim});
      input.time_ids = random({rows, 6});
    }
    input.text_keys_values = unet_->text_keys_values(input.encoder_hidden_states);  // once a prompt, as the programs do
    print_seconds(placement_.device, runs, [&] { replayed_ ? replayed_->forward(input) : unet_->forward(input); });
  }
  void decode(std::int64_t rows, std::int64_t side, std::int64_t runs, const std::optional<VaeTiling>& tiling) const {
    const auto z = random({rows, vae_->config().latent_channels, side, side});
    print_seconds(placement_.device, runs, [&] { tiling ? vae_->decode(z, *tiling) : vae_->decode(z); });
  }

  std::filesystem::path folder_;
  Placement placement_;
  std::shared_ptr<UNet2DConditionModelImpl> unet_;
  std::shared_ptr<ReplayedUNet> replayed_;  ///< null on the CPU
  std::shared_ptr<AutoencoderKLImpl> vae_;
};

}  // namespace
}  // namespace sfumato

int main(int argc, char** argv) {
  if (argc != 3 && argc != 5) {
    std::cerr << "bench_networks FOLDER THREADS [DEVICE DTYPE]\n";
    return 2;
  }
  const auto placement = argc == 5 ? sfumato::parse_placement(argv[3], argv[4]) : sfumato::Placement{};
  const torch::NoGradGuard no_grad;
  torch::set_num_threads(std::stoi(argv[2]));
  sfumato::pool_cpu_memory();
  sfumato::Networks networks(argv[1], placement);
  for (std::string line; std::getline(std::cin, line);) networks.answer(line);
  return 0;
}
