#pragma once

#include "core/random.h"
#include "nn/init.h"
#include "systems/unconditional/model.h"

namespace sfumato {

struct SmallModel {
  std::string pipeline_class = "DDPMPipeline";
  ScheduleConfig schedule = {};
  bool learned_variance = false;
  std::int64_t classes = 0;
};

/// Returns an untrained model of 8x8 pixels with one block.
inline Unconditional small_unconditional(const SmallModel& small = {}) {
  at::set_num_threads(1);  // more threads would only slow such small networks down
  UNet2DModelConfig config;
  config.sample_size = {8};
  config.out_channels = small.learned_variance ? 6 : 3;
  config.block_out_channels = {8};
  config.down_block_types = {"DownBlock2D"};
  config.up_block_types = {"UpBlock2D"};
  config.layers_per_block = 1;
  config.norm_num_groups = 4;
  config.num_class_embeds = small.classes;
  auto unet = std::make_shared<UNet2DModelImpl>(config);
  initialize(*unet, seeded_generator(1));
  unet->eval();
  return {.unet = std::move(unet),
          .first_stage = FirstStage(3, torch::kCPU),
          .schedule = Schedule(small.schedule),
          .placement = {},
          .pipeline_class = small.pipeline_class};
}

inline ScheduleConfig ddpm_schedule() {
  ScheduleConfig config;
  config.class_name = "DDPMScheduler";
  return config;
}

}  // namespace sfumato
