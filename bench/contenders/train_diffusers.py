"""train_diffusers.py RECIPE THREADS DTYPE OPTIMIZER LAYOUT: a minimal training loop with diffusers on the CPU.

The networks, batch size, noise schedule, optimizer and moving average of a text-to-image recipe, on random latents and
token ids of its shapes. DTYPE is float32 or bfloat16 (autocast), OPTIMIZER fused or foreach (of torch.optim.AdamW),
LAYOUT contiguous or channels_last. Answers "steps N" with the seconds of N updates, "parameters" with their number, and
"memory" with the peak in MiB.
"""

import json
import sys
import time
from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from transformers import T5Config, T5EncoderModel

from timing import print_peak_memory

recipe = json.loads(Path(sys.argv[1]).read_text())
threads, bfloat16, optimizer_name, layout = int(sys.argv[2]), sys.argv[3] == "bfloat16", sys.argv[4], sys.argv[5]
tokenizer = json.loads((Path(recipe["tokenizer"]) / "tokenizer_config.json").read_text())

torch.set_num_threads(threads)
torch.manual_seed(0)
unet = UNet2DConditionModel(**recipe["unet"]).train()
text_encoder = T5EncoderModel(T5Config(**recipe["text_encoder"], dropout_rate=0.0)).train()
if layout == "channels_last":
    unet.to(memory_format=torch.channels_last)
parameters = [*unet.parameters(), *text_encoder.parameters()]
averages = [parameter.detach().clone() for parameter in parameters]
noise_schedule = DDIMScheduler.from_config({key: value for key, value in recipe["scheduler"].items() if key[0] != "_"})
settings = recipe["optimizer"]
optimizer = torch.optim.AdamW(parameters, lr=settings["lr"], betas=settings["betas"],
                              weight_decay=settings["weight_decay"], **{optimizer_name: True})


def batch():
    """Latents [N, C, h, w] and token ids [N, L]."""
    side, rows = recipe["unet"]["sample_size"], recipe["batch_size"]
    latents = torch.randn(rows, recipe["unet"]["in_channels"], side, side)
    if layout == "channels_last":
        latents = latents.contiguous(memory_format=torch.channels_last)
    return latents, torch.randint(recipe["text_encoder"]["vocab_size"], (rows, tokenizer["model_max_length"]))


def update():
    latents, ids = batch()
    noise = torch.randn_like(latents)
    timesteps = torch.randint(noise_schedule.config.num_train_timesteps, (latents.shape[0],))
    noisy = noise_schedule.add_noise(latents, noise, timesteps)
    target = noise_schedule.get_velocity(latents, noise, timesteps)
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        prediction = unet(noisy, timesteps, text_encoder(ids)[0]).sample
        loss = torch.nn.functional.mse_loss(prediction.float(), target)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, recipe["clip_grad_norm"], foreach=True)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    with torch.no_grad():
        torch._foreach_lerp_(averages, parameters, 1 - recipe["ema_decay"])
    return loss.item()


for line in sys.stdin:
    word, _, number = line.strip().partition(" ")
    if word == "memory":
        print_peak_memory()
    elif word == "parameters":
        print(sum(parameter.numel() for parameter in parameters), flush=True)
    else:
        start = time.perf_counter()
        for _ in range(int(number)):
            update()
        print(time.perf_counter() - start, flush=True)
