// bench_networks FOLDER THREADS: takes unet/ and vae/ of a diffusers folder of Stable Diffusion 1 in float32
// and does what standard input asks for, a word a line: load_unet, load_vae, unet (a guided step of 512x512), vae (a
// decode to 512x512), vae_1024 (to 1024x1024, in tiles) or memory. Answers with a line each: wall and processor
// seconds, or the peak of resident memory in MiB so far.

#include <sys/resource.h>

#include <chrono>
#include <ctime>
#include <functional>
#include <iostream>
#include <map>
#include <string>

#include "checkpoints/load.h"
#include "core/memory_pool.h"
#include "models/autoencoder_kl.h"
#include "models/unet_2d_condition_model.h"

namespace sfumato {
namespace {

void print_seconds(const std::function<void()>& run) {
  const auto wall = std::chrono::steady_clock::now();
  const auto processor = std::clock();
  run();
  std::cout << std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count() << ' '
            << static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC << std::endl;
}

void print_peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::cout << static_cast<double>(usage.ru_maxrss) / 1024 << std::endl;
}

void serve(const std::filesystem::path& folder) {
  const torch::NoGradGuard no_grad;
  std::shared_ptr<UNet2DConditionModelImpl> unet;
  std::shared_ptr<AutoencoderKLImpl> vae;
  const std::map<std::string, std::function<void()>> answers = {
      {"load_unet",
       [&] { print_seconds([&] { unet = from_pretrained<UNet2DConditionModelImpl>(folder / "unet", {}); }); }},
      {"load_vae", [&] { print_seconds([&] { vae = from_pretrained<AutoencoderKLImpl>(folder / "vae", {}); }); }},
      {"unet",
       [&] {
         const auto x = torch::randn({2, 4, 64, 64}), states = torch::randn({2, 77, 768});
         print_seconds([&] { unet->forward(x, 500, states); });
       }},
      {"vae",
       [&] {
         const auto z = torch::randn({1, 4, 64, 64});
         print_seconds([&] { vae->decode(z); });
       }},
      {"vae_1024",
       [&] {
         const auto z = torch::randn({1, 4, 128, 128});
         print_seconds([&] { vae->decode(z, VaeTiling()); });
       }},
      {"memory", print_peak_memory}};
  for (std::string word; std::getline(std::cin, word);) answers.at(word)();
}

}  // namespace
}  // namespace sfumato

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "bench_networks FOLDER THREADS\n";
    return 2;
  }
  torch::set_num_threads(std::stoi(argv[2]));
  sfumato::pool_cpu_memory();
  sfumato::serve(argv[1]);
  return 0;
}
