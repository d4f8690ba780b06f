"""Inpainting by diffusers with small random models, and what it does to masks.

    python inpaint_reference.py OUT_DIR

Writes OUT_DIR/sd4, sd9, xl4 and xl9 (folders; the number is that of the UNet's input channels), single_file.safetensors
(xl9 in the original layout), init.png, mask.png, cases.json (requests) and for each case NAME.safetensors with
`latents.I` after every step I and `images` in [0, 1]; masks.safetensors and regions.json hold what VaeImageProcessor
makes of the mask and of pictures.
"""

import json

import numpy as np
import torch
from diffusers import (DDIMScheduler, DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler,
                       EulerDiscreteScheduler, HeunDiscreteScheduler, KDPM2DiscreteScheduler, PNDMScheduler,
                       StableDiffusionInpaintPipeline, StableDiffusionPipeline, StableDiffusionXLInpaintPipeline)
from diffusers.image_processor import VaeImageProcessor
from PIL import Image, ImageDraw, ImageFilter
from pipelines_reference import PROMPT, build, clip, init_image
from recording import as_tensor, begin, generators, recorded
from safetensors.torch import save_file
from single_file_reference import SCHEDULE, tokenizer, write_file, xl_networks

MASK_BLUR = 2
SAMPLERS = dict(ddim=DDIMScheduler, euler=EulerDiscreteScheduler, euler_a=EulerAncestralDiscreteScheduler,
                pndm=PNDMScheduler, heun=HeunDiscreteScheduler, dpm2=KDPM2DiscreteScheduler)
SAMPLERS["dpm++2m"] = DPMSolverMultistepScheduler

CASES = [
    dict(name="sd4", model="sd4", steps=6, guidance_scale=5.0, seed=41, batch_count=2, strength=1.0),
    dict(name="sd4_part", model="sd4", steps=10, guidance_scale=3.0, seed=42, batch_count=2, strength=0.65, eta=0.6),
    dict(name="sd4_unguided", model="sd4", steps=5, guidance_scale=1.0, seed=43, strength=1.0),
    dict(name="sd4_euler_a", model="sd4", steps=8, guidance_scale=2.0, seed=44, strength=0.75, sampler="euler_a"),
    dict(name="sd4_pndm", model="sd4", steps=8, guidance_scale=2.0, seed=45, strength=1.0, sampler="pndm"),
    dict(name="sd4_dpm", model="sd4", steps=8, guidance_scale=2.0, seed=46, strength=0.5, sampler="dpm++2m"),
    # Two evaluations a step, and the known part is put back after each.
    dict(name="sd4_heun", model="sd4", steps=5, guidance_scale=2.0, seed=48, batch_count=2, strength=1.0,
         sampler="heun"),
    dict(name="sd4_heun_part", model="sd4", steps=8, guidance_scale=2.0, seed=49, strength=0.65, sampler="heun"),
    dict(name="sd4_dpm2", model="sd4", steps=6, guidance_scale=2.0, seed=50, strength=0.7, sampler="dpm2"),
    dict(name="sd4_only_masked", model="sd4", steps=6, guidance_scale=3.0, seed=47, strength=0.8, width=64, height=48,
         only_masked=True),
    dict(name="sd9", model="sd9", steps=6, guidance_scale=5.0, seed=51, batch_count=2, strength=1.0),
    dict(name="sd9_part", model="sd9", steps=10, guidance_scale=3.0, seed=52, batch_count=2, strength=0.5, eta=0.5),
    dict(name="xl4", model="xl4", steps=6, guidance_scale=4.0, seed=61, batch_count=2, strength=0.7),
    dict(name="xl9", model="xl9", steps=5, guidance_scale=4.0, seed=62, batch_count=2, strength=1.0),
]


def draw_mask(size):
    """Grey at its edges, and touching a border."""
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).ellipse((20, 8, 52, 36), fill=255)
    ImageDraw.Draw(mask).rectangle((45, 24, 71, 34), fill=200)
    return mask.filter(ImageFilter.BoxBlur(1))


def build_plain(folder, in_channels):
    build(folder, clip, in_channels)
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    StableDiffusionInpaintPipeline(**pipeline.components, requires_safety_checker=False).save_pretrained(folder)


@torch.no_grad()
def build_xl(folder, in_channels):
    unet, vae, texts = xl_networks()
    if in_channels != 4:
        unet.conv_in = torch.nn.Conv2d(in_channels, unet.config.block_out_channels[0], 3, padding=1)
        unet.register_to_config(in_channels=in_channels)
    options = {"text_embeds": torch.zeros(1, 128), "time_ids": torch.full((1, 6), 64.0)}
    output = unet(torch.randn(1, in_channels, 8, 8), 500, torch.randn(1, 77, 192), added_cond_kwargs=options).sample
    unet.conv_out.weight /= output.std()
    unet.half().float()
    pipeline = StableDiffusionXLInpaintPipeline(
        unet=unet, vae=vae, text_encoder=texts[0], text_encoder_2=texts[1], tokenizer=tokenizer("clip"),
        tokenizer_2=tokenizer("open_clip"), add_watermarker=False, scheduler=EulerDiscreteScheduler(
            timestep_spacing="leading", **{key: value for key, value in SCHEDULE.items() if key != "set_alpha_to_one"}))
    pipeline.save_pretrained(folder)
    if in_channels == 9:
        write_file(folder.with_name("single_file.safetensors"), "sdxl", unet, vae, texts)


def load(folder, sampler):
    kind, options = (StableDiffusionXLInpaintPipeline, {}) if folder.name.startswith("xl") else (
        StableDiffusionInpaintPipeline, dict(safety_checker=None))
    pipeline = kind.from_pretrained(folder, **options)
    if sampler:
        config = {**pipeline.scheduler.config, **({"skip_prk_steps": True} if sampler == "pndm" else {})}
        pipeline.scheduler = SAMPLERS[sampler].from_config(config)
    return pipeline


def run(pipeline, case, image, mask):
    count = case.get("batch_count", 1)
    mask = VaeImageProcessor.blur(mask, MASK_BLUR)
    factor = pipeline.vae_scale_factor

    # As many copies as pictures: of a single one the first generator alone would draw.
    pictures = dict(image=[image] * count, mask_image=[mask] * count, output_type="np",
                    height=image.height - image.height % factor, width=image.width - image.width % factor)
    if case.get("only_masked"):
        pictures = dict(image=image, mask_image=mask, output_type="pil", padding_mask_crop=3, height=case["height"],
                        width=case["width"])
    images, result = recorded(pipeline, prompt=[PROMPT] * count, negative_prompt=[""] * count,
                              num_inference_steps=case["steps"], guidance_scale=case["guidance_scale"],
                              strength=case["strength"], eta=case.get("eta", 0.0), generator=generators(case),
                              **pictures)
    images = np.stack([np.asarray(picture) for picture in images])
    images = images.astype(np.float32) / 255 if images.dtype == np.uint8 else images
    return result | {"images": as_tensor(images)}


def request(case):
    values = {key: value for key, value in case.items() if key != "only_masked"}
    only_masked = case.get("only_masked", False)
    return {**values, "prompt": PROMPT, "image": "init.png", "negative_prompt": "", "inpaint": {
        "mask": "mask.png", "mask_blur": MASK_BLUR, "mask_padding": 3, "only_masked": only_masked,
        "paste": only_masked}}


def write_masks(out, image, mask):
    grey = lambda picture: torch.from_numpy(np.asarray(picture).astype(np.float32) / 255)[None, None]
    result = {f"blur.{radius}": grey(VaeImageProcessor.blur(mask, radius)) for radius in (0.3, 1, 2.5, 4, 17, 90)}
    processor = VaeImageProcessor(vae_scale_factor=1)
    for height, width in ((40, 64), (64, 40), (100, 40), (50, 71)):
        for mode in ("fill", "crop"):
            result[f"{mode}.{height}.{width}"] = processor.preprocess(image, height, width, resize_mode=mode)
    save_file({name: value.contiguous() for name, value in result.items()}, out / "masks.safetensors")
    asked = [(padding, height, width) for padding in (0, 5, 40) for height, width in ((64, 64), (32, 96), (96, 32))]
    regions = []
    for padding, height, width in asked:
        left, top, right, bottom = VaeImageProcessor.get_crop_region(mask, width, height, padding)
        regions.append(dict(padding=padding, height=height, width=width,
                            region=[top, left, bottom - top, right - left]))
    (out / "regions.json").write_text(json.dumps(regions))


def main():
    out = begin()
    image = init_image(out / "init.png")
    mask = draw_mask(image.size)
    mask.save(out / "mask.png")
    write_masks(out, image, mask)
    for channels in (4, 9):
        build_plain(out / f"sd{channels}", channels)
        build_xl(out / f"xl{channels}", channels)
    for case in CASES:
        pipeline = load(out / case["model"], case.get("sampler"))
        save_file(run(pipeline, case, image, mask), out / f"{case['name']}.safetensors")
    (out / "cases.json").write_text(json.dumps([request(case) for case in CASES], indent=2))


if __name__ == "__main__":
    main()
