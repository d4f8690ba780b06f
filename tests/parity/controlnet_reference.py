"""Small random ControlNets, alone, as single files and in pipelines, and what diffusers makes with them.

    python controlnet_reference.py OUT_DIR

Writes OUT_DIR/network_NAME and file_NAME.safetensors with golden tensors, the pipelines clip and xl, their ControlNets,
pictures, cases.json (requests) and for each case NAME.safetensors with `latents.I` after every step I.
"""

import json

import numpy as np
import pipelines_reference as pipelines
import torch
from diffusers import (ControlNetModel, HeunDiscreteScheduler, KDPM2DiscreteScheduler,
                       StableDiffusionControlNetImg2ImgPipeline, StableDiffusionControlNetPipeline,
                       StableDiffusionPipeline, StableDiffusionXLControlNetImg2ImgPipeline,
                       StableDiffusionXLControlNetPipeline, StableDiffusionXLPipeline)
from PIL import Image
from recording import begin, generators, recorded
from safetensors.torch import save_file
from single_file_reference import rename, unet_key

XL = (StableDiffusionXLControlNetPipeline, StableDiffusionXLControlNetImg2ImgPipeline)
SAMPLERS = dict(heun=HeunDiscreteScheduler, dpm2=KDPM2DiscreteScheduler)


def unit(model, image="lines.png", **options):
    return dict(model=model, image=image, scale=1.0, start=0.0, end=1.0) | options


CASES = [
    dict(name="one", model="clip", steps=6, guidance_scale=5.0, seed=1, batch_count=2,
         controls=[unit("plain", scale=0.8)]),
    dict(name="two", model="clip", steps=6, guidance_scale=5.0, seed=2, controls=[
        unit("plain", scale=0.7, end=0.6), unit("bgr", "spots.png", scale=1.2, start=0.3)]),
    dict(name="part", model="clip", steps=5, guidance_scale=3.0, seed=3, controls=[unit("plain", start=0.2, end=0.6)]),
    dict(name="guess", model="clip", steps=5, guidance_scale=3.0, seed=4, batch_count=2, control_guess=True,
         controls=[unit("plain")]),
    dict(name="guess_two", model="clip", steps=4, guidance_scale=3.0, seed=5, control_guess=True,
         controls=[unit("plain", scale=0.9), unit("bgr", "spots.png", end=0.5)]),
    dict(name="guess_unguided", model="clip", steps=4, guidance_scale=1.0, seed=6, control_guess=True,
         controls=[unit("plain")]),
    dict(name="odd_size", model="clip", steps=5, guidance_scale=4.0, seed=7, height=56, width=72,
         controls=[unit("plain", "spots.png")]),
    dict(name="pooled", model="clip", steps=4, guidance_scale=4.0, seed=8,
         controls=[unit("pooled", "spots.png")]),
    dict(name="img2img", model="clip", steps=8, guidance_scale=4.0, seed=9, strength=0.65, batch_count=2,
         controls=[unit("plain", "spots.png", scale=0.8), unit("bgr", start=0.2, end=0.8)]),
    # Two evaluations a step: a range may begin and end within one.
    dict(name="heun", model="clip", steps=5, guidance_scale=3.0, seed=15, sampler="heun",
         controls=[unit("plain", start=0.2, end=0.6)]),
    dict(name="dpm2_img2img", model="clip", steps=8, guidance_scale=3.0, seed=16, strength=0.65, sampler="dpm2",
         controls=[unit("plain", "spots.png", end=0.35)]),
    dict(name="xl_one", model="xl", steps=5, guidance_scale=5.0, seed=11, batch_count=2,
         controls=[unit("xl_full", scale=0.8)]),
    dict(name="xl_two", model="xl", steps=5, guidance_scale=5.0, seed=12, height=56, width=72, controls=[
        unit("xl_full", "spots.png", end=0.6), unit("xl_small", scale=0.7, start=0.2)]),
    dict(name="xl_guess", model="xl", steps=4, guidance_scale=3.0, seed=13, control_guess=True,
         controls=[unit("xl_full", scale=0.9)]),
    dict(name="xl_img2img", model="xl", steps=8, guidance_scale=4.0, seed=14, strength=0.5,
         controls=[unit("xl_full"), unit("xl_small", "spots.png", scale=0.5)]),
]


def noise(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def randomize(network, seed, gain=1.0):
    """No layer at zero, no bias and no norm without effect; the picture counts as much as the latents."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        values = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 1:
            parameter.copy_(0.1 * values + (1.0 if "norm" in name and name.endswith("weight") else 0.0))
        else:
            hint = 1.6 if "controlnet_cond_embedding" in name else 1.0  # silu halves what goes through it
            parameter.copy_(values * hint / parameter[0].numel() ** 0.5)
    for name, parameter in network.named_parameters():
        if name.startswith(("controlnet_down_blocks", "controlnet_mid_block")):
            parameter *= gain
    return network.eval()


SD1 = dict(block_out_channels=(32, 64, 64), down_block_types=("CrossAttnDownBlock2D",) * 2 + ("DownBlock2D",),
           norm_num_groups=8, cross_attention_dim=24, attention_head_dim=4, layers_per_block=2)
NETWORKS = {
    "sd1": SD1,
    "sd2": dict(block_out_channels=(32, 64), down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                norm_num_groups=8, cross_attention_dim=24, attention_head_dim=(2, 4), layers_per_block=1,
                use_linear_projection=True, num_class_embeds=7, only_cross_attention=(True, False),
                controlnet_conditioning_channel_order="bgr", conditioning_embedding_out_channels=(8, 12, 20),
                in_channels=5, mid_block_scale_factor=1.5, upcast_attention=True),
    "sdxl": dict(block_out_channels=(32, 64), down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                 norm_num_groups=8, cross_attention_dim=24, attention_head_dim=(2, 4), layers_per_block=2,
                 transformer_layers_per_block=(1, 3), use_linear_projection=True, addition_embed_type="text_time",
                 addition_time_embed_dim=16, projection_class_embeddings_input_dim=16 * 6 + 20),
    "small": dict(block_out_channels=(16, 32), down_block_types=("DownBlock2D",) * 2, norm_num_groups=8,
                  mid_block_type="UNetMidBlock2D", layers_per_block=1, conditioning_embedding_out_channels=(8, 16)),
    "pooled": dict(SD1, global_pool_conditions=True, conditioning_channels=1),
}


@torch.no_grad()
def golden(network, width):
    """Inputs of odd size and the residuals, plain at scale 0.7 and in guess mode."""
    config = network.config
    factor = 2 ** (len(config.conditioning_embedding_out_channels) - 1)
    inputs = {"sample": noise(2, config.in_channels, 9, 14, seed=2), "timestep": torch.tensor([501, 3]),
              "encoder_hidden_states": noise(2, 7, width, seed=3),
              "controlnet_cond": noise(2, config.conditioning_channels, 9 * factor, 14 * factor, seed=4).sigmoid()}
    labels = {"class_labels": torch.tensor([6, 2])} if config.num_class_embeds else {}
    added = {}
    if config.addition_embed_type:
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        added = {"text_embeds": noise(2, pooled, seed=5),
                 "time_ids": torch.tensor([[1024.0, 768, 0, 8, 1024, 768], [512, 512, 64, 0, 1024, 1024]])}
    tensors = {**inputs, **labels, **added}
    for name, guess in (("plain", False), ("guess", True)):
        down, mid = network(**inputs, **labels, added_cond_kwargs=added or None, conditioning_scale=0.7,
                            guess_mode=guess, return_dict=False)
        tensors |= {f"{name}.{i}": value for i, value in enumerate(down)} | {f"{name}.mid": mid}
    return {key: value.contiguous().clone() for key, value in tensors.items()}


def networks(out):
    for name, config in NETWORKS.items():
        network = randomize(ControlNetModel(**config), seed=1)
        network.save_pretrained(out / f"network_{name}")
        width = config.get("cross_attention_dim", 1280)
        save_file(golden(network, width), out / f"network_{name}" / "golden.safetensors")


FILES = {
    "sd1": ("control_model.", dict(block_out_channels=(32, 64, 64, 64), cross_attention_dim=48)),
    "sd2": ("", dict(block_out_channels=(64, 64, 128, 128), cross_attention_dim=40, use_linear_projection=True,
                     attention_head_dim=(1, 1, 2, 2))),
    # As diffusers' folders have it and others pass on alone, without their config.
    "sdxl": (None, dict(block_out_channels=(64, 128, 128), cross_attention_dim=56, use_linear_projection=True,
                        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                        attention_head_dim=(1, 2, 2), transformer_layers_per_block=(1, 2, 3),
                        addition_embed_type="text_time", addition_time_embed_dim=256,
                        projection_class_embeddings_input_dim=20 + 6 * 256)),
    "sdxl_small": (None, dict(block_out_channels=(32, 64, 64), down_block_types=("DownBlock2D",) * 3,
                              mid_block_type="UNetMidBlock2D", addition_embed_type="text_time",
                              addition_time_embed_dim=256, projection_class_embeddings_input_dim=20 + 6 * 256)),
}


def original_key(name):
    if match := rename(name, [(r"^controlnet_down_blocks\.(\d+)\.", r"zero_convs.\1.0."),
                              (r"^controlnet_mid_block\.", "middle_block_out.0."),
                              (r"^controlnet_cond_embedding\.conv_in", "input_hint_block.0"),
                              (r"^controlnet_cond_embedding\.conv_out", "input_hint_block.14")]):
        if match != name:
            return match
    if name.startswith("controlnet_cond_embedding.blocks."):
        _, _, index, kind = name.split(".")
        return f"input_hint_block.{2 * int(index) + 2}.{kind}"
    return unet_key(name, 2, ())


def files(out):
    for name, (prefix, config) in FILES.items():
        network = randomize(ControlNetModel(**config), seed=2)
        network.save_pretrained(out / f"file_{name}")
        weights = {name if prefix is None else prefix + original_key(name): value.contiguous()
                   for name, value in network.state_dict().items()}
        path = out / f"file_{name}.safetensors"
        save_file(weights, path)
        read = ControlNetModel.from_single_file(str(path), config=str(out / f"file_{name}"), local_files_only=True)
        for key, value in network.state_dict().items():
            assert torch.equal(value, read.state_dict()[key]), (name, key)
        save_file(golden(read.eval(), config.get("cross_attention_dim", 1280)), out / f"file_{name}-golden.safetensors")


def controlnet_of(unet, seed, **options):
    network = ControlNetModel.from_unet(unet, load_weights_from_unet=False)
    config = {**network.config, "conditioning_embedding_out_channels": (8, 16, 24), **options}
    # A factor of 4 from pixels to latents, as the VAE's.
    return randomize(ControlNetModel(**{key: value for key, value in config.items() if key[0] != "_"}), seed, gain=0.4)


def controlnets(out):
    unet = StableDiffusionPipeline.from_pretrained(out / "clip").unet
    xl = StableDiffusionXLPipeline.from_pretrained(out / "xl").unet
    for name, network in (
            ("plain", controlnet_of(unet, 1)),
            ("bgr", controlnet_of(unet, 2, controlnet_conditioning_channel_order="bgr")),
            ("pooled", controlnet_of(unet, 3, global_pool_conditions=True)), ("xl_full", controlnet_of(xl, 4)),
            ("xl_small", controlnet_of(xl, 5, down_block_types=("DownBlock2D",) * 3, mid_block_type="UNetMidBlock2D"))):
        network.save_pretrained(out / name)


def pictures(out):
    """Neither has the size of what is made."""
    y, x = np.mgrid[0:90, 0:75]
    lines = np.where((x + y) % 17 < 3, 255, 0)
    spots = np.stack([127 + 127 * np.sin(x / 9), 127 + 127 * np.cos(y / 5), 60 + x], -1)
    Image.fromarray(np.stack([lines] * 3, -1).astype(np.uint8)).save(out / "lines.png")
    Image.fromarray(spots.clip(0, 255).astype(np.uint8)).save(out / "spots.png")


def pipeline_of(out, case):
    networks = [ControlNetModel.from_pretrained(out / control["model"]) for control in case["controls"]]
    is_xl, again = case["model"] == "xl", "strength" in case
    base = (StableDiffusionXLPipeline if is_xl else StableDiffusionPipeline).from_pretrained(out / case["model"])
    kinds = {(False, False): StableDiffusionControlNetPipeline, (False, True): StableDiffusionControlNetImg2ImgPipeline,
             (True, False): XL[0], (True, True): XL[1]}
    options = dict(add_watermarker=False) if is_xl else dict(requires_safety_checker=False)
    pipeline = kinds[is_xl, again](**base.components, controlnet=networks if len(networks) > 1 else networks[0],
                                   **options)
    if "sampler" in case:
        pipeline.scheduler = SAMPLERS[case["sampler"]].from_config(pipeline.scheduler.config)
    return pipeline


def run(out, case):
    pipeline = pipeline_of(out, case)
    count = case.get("batch_count", 1)
    one_or_list = lambda values: values if len(values) > 1 else values[0]
    each = lambda key: one_or_list([control[key] for control in case["controls"]])
    shown = one_or_list([Image.open(out / control["image"]) for control in case["controls"]])

    if "strength" in case:
        image = Image.open(out / "init.png")
        options = dict(image=image, control_image=shown, strength=case["strength"], height=48, width=68)
    else:
        options = dict(image=shown, height=case.get("height", 64), width=case.get("width", 64))
    negative = None if isinstance(pipeline, XL) else [""] * count
    return recorded(pipeline, prompt=[pipelines.PROMPT] * count, negative_prompt=negative,
                    num_inference_steps=case["steps"], guidance_scale=case["guidance_scale"], output_type="latent",
                    generator=generators(case), controlnet_conditioning_scale=each("scale"),
                    control_guidance_start=each("start"), control_guidance_end=each("end"),
                    guess_mode=case.get("control_guess", False), **options)[1]


def main():
    out = begin()
    networks(out)
    files(out)
    pictures(out)
    pipelines.init_image(out / "init.png")
    pipelines.build(out / "clip", pipelines.clip)
    pipelines.build_xl(out / "xl", is_refiner=False)
    controlnets(out)
    for case in CASES:
        save_file(run(out, case), out / f"{case['name']}.safetensors")
    requests = [{**case, "prompt": pipelines.PROMPT, **({"image": "init.png"} if "strength" in case else {})}
                for case in CASES]
    (out / "cases.json").write_text(json.dumps(requests, indent=2))


if __name__ == "__main__":
    main()
