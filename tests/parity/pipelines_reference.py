"""Small random folders of StableDiffusionPipeline and its kin, and what diffusers makes with them.

    python pipelines_reference.py OUT_DIR

Writes OUT_DIR/clip, t5, older, distilled, xl, refiner and those with other schedulers (folders as save_pretrained
writes them), init.png, cases.json (requests) and for each case NAME.safetensors with `latents.I` after every step I and
`images` in [0, 1].
"""

import io
import json
import shutil

import numpy as np
import sentencepiece
import torch
from diffusers import (AutoencoderKL, DDIMScheduler, DDPMScheduler, EDMDPMSolverMultistepScheduler, EDMEulerScheduler,
                       EulerDiscreteScheduler, IPNDMScheduler, LMSDiscreteScheduler, PNDMScheduler, SASolverScheduler,
                       StableDiffusionImg2ImgPipeline, StableDiffusionInstructPix2PixPipeline,
                       StableDiffusionPipeline, StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline,
                       UNet2DConditionModel)
from PIL import Image
from recording import as_tensor, begin, generators, recorded
from safetensors.torch import save_file
from transformers import (CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer, T5Config,
                          T5EncoderModel, T5Tokenizer)

PROMPT, OTHER = "a cat on a sofa", "three red apples above a house"
MAX_LENGTH = 24
XL = (StableDiffusionXLPipeline, StableDiffusionXLImg2ImgPipeline)
KINDS = {"edit": StableDiffusionInstructPix2PixPipeline, "refiner": StableDiffusionXLImg2ImgPipeline,
         **dict.fromkeys(("xl", "edm", "edm_euler"), StableDiffusionXLPipeline)}

# SDXL's and SD's kinds of options vary elsewhere (tests/parity/models_*): here the parts are to fit together.
CASES = [
    dict(name="ddim", model="clip", steps=6, guidance_scale=7.5, seed=11, batch_count=2),
    dict(name="negative", model="clip", steps=4, guidance_scale=4.0, seed=3, negative_prompt="a dog"),
    dict(name="odd_size", model="clip", steps=5, guidance_scale=3.0, seed=5, height=56, width=72),
    dict(name="unguided", model="clip", steps=5, guidance_scale=1.0, seed=7),
    dict(name="eta", model="clip", steps=5, guidance_scale=2.0, seed=8, eta=0.6, batch_count=2),
    dict(name="rescale", model="clip", steps=5, guidance_scale=7.5, seed=9, guidance_rescale=0.7),
    dict(name="ddpm", model="t5", steps=8, guidance_scale=5.0, seed=21, batch_count=2),
    dict(name="ddpm_unguided", model="t5", steps=6, guidance_scale=1.0, seed=22, height=40, width=88),
    dict(name="ddim_of_ddpm_folder", model="t5", steps=6, guidance_scale=3.0, seed=23, sampler="ddim"),
    dict(name="older_folder", model="older", steps=6, guidance_scale=5.0, seed=24),
    dict(name="img2img", model="clip", steps=10, guidance_scale=5.0, seed=31, batch_count=2, strength=0.65),
    dict(name="img2img_whole", model="t5", steps=5, guidance_scale=1.0, seed=32, strength=1.0),
    dict(name="clip_skip", model="clip", steps=4, guidance_scale=4.0, seed=12, clip_skip=2),
    dict(name="distilled", model="distilled", steps=4, guidance_scale=8.0, seed=13, batch_count=2),
    dict(name="xl", model="xl", steps=5, guidance_scale=5.0, seed=41, batch_count=2),
    dict(name="xl_empty_negative", model="xl", steps=4, guidance_scale=5.0, seed=42, negative_prompt=""),
    dict(name="xl_sizes", model="xl", steps=4, guidance_scale=3.0, seed=43, height=56, width=72, clip_skip=2,
         original_width=300, original_height=200, crop_left=7, crop_top=30),
    dict(name="xl_unguided", model="xl", steps=4, guidance_scale=1.0, seed=44),
    dict(name="xl_img2img", model="xl", steps=8, guidance_scale=5.0, seed=45, batch_count=2, strength=0.5),
    dict(name="refiner", model="refiner", steps=8, guidance_scale=5.0, seed=46, strength=0.4, negative_prompt="a dog"),
    # What AUTOMATIC1111's web UI does, put together of diffusers' pipelines: steps of int(steps / strength), seeds anew.
    dict(name="hires_latent", model="clip", steps=5, guidance_scale=3.0, seed=34, batch_count=2, height=48, width=64,
         hires=dict(scale=1.5, steps=4, strength=0.5, upscaler="latent")),
    dict(name="hires_bicubic", model="t5", steps=4, guidance_scale=1.0, seed=35, height=48, width=64,
         hires=dict(width=100, height=72, steps=3, strength=0.6, upscaler="latent-bicubic-antialiased")),
    dict(name="hires_lanczos", model="clip", steps=5, guidance_scale=2.0, seed=36, height=64, width=48, eta=0.4,
         hires=dict(scale=1.5, strength=0.5, upscaler="lanczos")),
    dict(name="edit", model="edit", steps=6, guidance_scale=7.5, seed=51, batch_count=2, image_guidance_scale=1.5),
    dict(name="edit_closely", model="edit", steps=5, guidance_scale=3.0, seed=52, image_guidance_scale=2.5,
         negative_prompt="a dog", eta=0.4),
    dict(name="edit_unguided", model="edit", steps=4, guidance_scale=1.0, seed=53, image_guidance_scale=1.5),
    # padding_mode "circular" in every convolution of UNet and VAE.
    dict(name="tiling", model="clip", steps=4, guidance_scale=3.0, seed=51, height=48, width=64, tiling=True),
    dict(name="tiling_img2img", model="xl", steps=6, guidance_scale=3.0, seed=52, strength=0.5, tiling=True),
    dict(name="subseed", model="clip", steps=4, guidance_scale=3.0, seed=53, batch_count=2, subseed=90,
         subseed_strength=0.3, eta=0.5),
    dict(name="edm", model="edm", steps=6, guidance_scale=3.0, seed=61, batch_count=2),
    dict(name="edm_img2img", model="edm", steps=8, guidance_scale=3.0, seed=62, batch_count=2, strength=0.5),
    dict(name="edm_euler", model="edm_euler", steps=6, guidance_scale=3.0, seed=63),
    dict(name="edm_euler_img2img", model="edm_euler", steps=8, guidance_scale=3.0, seed=64, strength=0.4),
    dict(name="sa_solver", model="sa_solver", steps=8, guidance_scale=5.0, seed=65, batch_count=2),
    dict(name="sa_solver_img2img", model="sa_solver", steps=10, guidance_scale=3.0, seed=66, strength=0.65),
    dict(name="ipndm", model="ipndm", steps=6, guidance_scale=3.0, seed=67, batch_count=2),
    # From within the schedule, as these classes begin there.
    dict(name="pndm_img2img", model="pndm", steps=10, guidance_scale=3.0, seed=68, strength=0.5,
         multistep_start="diffusers"),
    dict(name="lms_img2img", model="lms", steps=10, guidance_scale=3.0, seed=69, strength=0.5,
         multistep_start="diffusers"),
    dict(name="img2img_eta", model="clip", steps=10, guidance_scale=2.0, seed=33, strength=0.3, eta=1.0),
]


def clip_tokenizer(folder):
    """Byte-level BPE with a handful of merges."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]
    merges = ["c a", "ca t</w>", "o n</w>", "s o", "so f", "sof a</w>", "r e", "re d</w>"]
    tokens = letters + [letter + "</w>" for letter in letters] + ["".join(merge.split()) for merge in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=MAX_LENGTH), len(tokens)


def t5_tokenizer(folder):
    folder.mkdir(parents=True, exist_ok=True)
    sentences = [f"{count} {color} {thing} {where} a {other}" for count in ("a", "two", "three")
                 for color in ("red", "blue", "green") for thing in ("cat", "sofa", "dogs", "apples", "house")
                 for where in ("on", "above", "left of") for other in ("table", "chair", "tree")]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(sentences), model_writer=model, vocab_size=60,
                                             model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
                                             hard_vocab_limit=False, minloglevel=2)
    (folder / "spiece.model").write_bytes(model.getvalue())
    return T5Tokenizer.from_pretrained(folder, extra_ids=0, model_max_length=MAX_LENGTH)


def clip(folder):
    tokenizer, size = clip_tokenizer(folder / "tokenizer")
    config = CLIPTextConfig(vocab_size=size, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                            num_attention_heads=4, max_position_embeddings=MAX_LENGTH, bos_token_id=size - 2,
                            eos_token_id=size - 1, pad_token_id=size - 1)
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
                              set_alpha_to_one=False, steps_offset=1)
    return CLIPTextModel(config), tokenizer, scheduler


def t5(folder):
    tokenizer = t5_tokenizer(folder / "tokenizer")
    config = T5Config(vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
                      feed_forward_proj="gated-gelu")
    scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2", clip_sample=False, prediction_type="v_prediction",
                              timestep_spacing="trailing")
    return T5EncoderModel(config), tokenizer, scheduler


def told(pipeline, prompt):
    """What the UNet is told of a prompt, as its keyword arguments."""
    encoded = pipeline.encode_prompt(prompt, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False)
    if not isinstance(pipeline, XL):
        return dict(encoder_hidden_states=encoded[0])
    ids = torch.tensor([[64.0, 64, 0, 0, 6] if pipeline.text_encoder is None else [64.0, 64, 0, 0, 64, 64]])
    return dict(encoder_hidden_states=encoded[0], added_cond_kwargs=dict(text_embeds=encoded[2], time_ids=ids))


@torch.no_grad()
def sharpen(pipeline, most=20):
    """Makes the random network's output of unit deviation and its prompt matter, and its picture of half. After `most`
    rounds it leaves the prompt at that: where the norms swallow the scale, only rounding would grow.
    """
    unet, vae = pipeline.unet, pipeline.vae
    x = torch.randn(1, unet.config.in_channels, 16, 16, generator=torch.Generator().manual_seed(1))
    predict = lambda prompt: unet(x, 500, **told(pipeline, prompt)).sample
    for _ in range(most):
        if (predict(PROMPT) - predict(OTHER)).std() >= 0.3 * predict(PROMPT).std():
            break
        for name, parameter in unet.named_parameters():
            if "attn2.to_v" in name or "attn2.to_out" in name:
                parameter *= 1.5
    unet.conv_out.weight /= predict(PROMPT).std()
    picture = vae.decode(x[:, :4] / vae.config.scaling_factor).sample
    vae.decoder.conv_out.weight *= 0.5 / picture.std()


def networks(**options):
    options = dict(in_channels=4, cross_attention_dim=32) | options
    unet = UNet2DConditionModel(sample_size=16, out_channels=4, block_out_channels=(16, 32, 32),
                                down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
                                up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
                                layers_per_block=1, attention_head_dim=4, norm_num_groups=8, **options)
    vae = AutoencoderKL(block_out_channels=(8, 16, 16), down_block_types=("DownEncoderBlock2D",) * 3,
                        up_block_types=("UpDecoderBlock2D",) * 3, latent_channels=4, norm_num_groups=4, sample_size=64,
                        scaling_factor=0.7)
    return unet.eval(), vae.eval()


def distilled(folder):
    """A UNet that is told the guidance scale (Latent Consistency Models)."""
    return clip(folder)


def build_xl(folder, is_refiner):
    """Stable Diffusion XL, or its refiner, which has the second text encoder alone."""
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(1)
    tokenizer, size = clip_tokenizer(folder / "tokenizer")
    shared = dict(vocab_size=size, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
                  max_position_embeddings=MAX_LENGTH, bos_token_id=size - 2, eos_token_id=size - 1)
    first = None if is_refiner else CLIPTextModel(CLIPTextConfig(**shared)).eval()
    second = CLIPTextModelWithProjection(CLIPTextConfig(projection_dim=24, hidden_act="gelu", **shared)).eval()
    tokenizer_2, _ = clip_tokenizer(folder / "tokenizer_2")
    tokenizer_2.pad_token = "!"  # as the released ones: each pads with its own token
    unet, vae = networks(cross_attention_dim=32 if is_refiner else 64, use_linear_projection=True,
                         transformer_layers_per_block=(1, 2, 1), addition_embed_type="text_time",
                         addition_time_embed_dim=8,
                         projection_class_embeddings_input_dim=24 + 8 * (5 if is_refiner else 6))
    scheduler = EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                                       timestep_spacing="leading", steps_offset=1)
    kind, options = (StableDiffusionXLImg2ImgPipeline, dict(requires_aesthetics_score=True)) if is_refiner else (
        StableDiffusionXLPipeline, {})
    pipeline = kind(vae=vae, text_encoder=first, text_encoder_2=second, tokenizer=None if is_refiner else tokenizer,
                    tokenizer_2=tokenizer_2, unet=unet, scheduler=scheduler,
                    force_zeros_for_empty_prompt=not is_refiner, add_watermarker=False, **options)
    sharpen(pipeline)
    pipeline.save_pretrained(folder)


def build(folder, parts, in_channels=4):
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(0)
    text_encoder, tokenizer, scheduler = parts(folder)
    unet, vae = networks(in_channels=in_channels, time_cond_proj_dim=12 if parts is distilled else None)
    kind = StableDiffusionInstructPix2PixPipeline if in_channels == 8 else StableDiffusionPipeline
    pipeline = StableDiffusionPipeline(vae=vae.eval(), text_encoder=text_encoder.eval(), tokenizer=tokenizer,
                                       unet=unet.eval(), scheduler=scheduler, safety_checker=None,
                                       feature_extractor=None, requires_safety_checker=False)
    sharpen(pipeline)
    kind(**pipeline.components, requires_safety_checker=False).save_pretrained(folder)
    if (folder / "tokenizer" / "spiece.model").exists():
        (folder / "tokenizer" / "tokenizer.json").unlink()  # the folder holds what a trained model's does


def older(folder, clip_folder):
    """As folders were written once: the pipeline sets steps_offset to 1 and clip_sample to False, whatever they say."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(clip_folder, folder)
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "steps_offset": 0, "clip_sample": True}))


def with_scheduler(folder, source, scheduler, **vae):
    """A copy of a folder with another scheduler and other keys of the VAE's config."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    scheduler.save_pretrained(folder / "scheduler")
    index, config = folder / "model_index.json", folder / "vae" / "config.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "scheduler": ["diffusers", type(scheduler).__name__]}))
    config.write_text(json.dumps({**json.loads(config.read_text()), **vae}))


def init_image(path):
    """Neither side divides by the VAE's factor of 4."""
    y, x = np.mgrid[0:50, 0:71]
    pixels = np.stack([x * 3.5, y * 5, 127 + 120 * np.sin(x * y / 90)], -1)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return Image.open(path)


def enlarged(pipeline, latents, hires, size):
    """For the second pass: latents or pictures, which the image-to-image pipeline tells apart by their channels."""
    if not hires["upscaler"].startswith("latent"):
        picture = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample
        pictures = pipeline.image_processor.postprocess(picture, output_type="pil")
        return [picture.resize((size[1], size[0]), Image.LANCZOS) for picture in pictures]
    height, width = (side // pipeline.vae_scale_factor for side in size)
    kind = dict(mode="bicubic", antialias=True) if "bicubic" in hires["upscaler"] else dict(mode="bilinear")
    # In the picture's ratio, so that it covers the size, and cut to it.
    scale = max(height / latents.shape[2], width / latents.shape[3])
    outer = int(latents.shape[2] * scale), int(latents.shape[3] * scale)
    latents = torch.nn.functional.interpolate(latents, outer, **kind)
    top, left = (outer[0] - height) // 2, (outer[1] - width) // 2
    return latents[:, :, top:top + height, left:left + width]


@torch.no_grad()
def run_hires(pipeline, case):
    hires = case["hires"]
    size = hires.get("height", int(case["height"] * hires.get("scale", 0))), hires.get(
        "width", int(case["width"] * hires.get("scale", 0)))
    count, first = case.get("batch_count", 1), {key: value for key, value in case.items() if key != "hires"}
    result = run(pipeline, first, None)
    del result["images"]
    last = result[f"latents.{len(result) - 1}"]
    steps = hires.get("steps", case["steps"])
    second = dict(first, steps=int(steps / hires["strength"]), strength=hires["strength"])
    assert int(second["steps"] * second["strength"]) == steps
    after = run(pipeline, second, enlarged(pipeline, last, hires, size))
    done = len(result)
    return result | {f"latents.{done + int(key[8:])}" if key.startswith("latents") else key: value
                     for key, value in after.items()}


@torch.no_grad()
def skipped(pipeline, text, skip):
    """encode_prompt's with `skip` layers left out, after its norm."""
    ids = pipeline.tokenizer(text, padding="max_length", truncation=True, return_tensors="pt").input_ids
    states = pipeline.text_encoder(ids, output_hidden_states=True).hidden_states
    return pipeline.text_encoder.final_layer_norm(states[-(skip + 1)])


def texts(pipeline, case, count, is_xl):
    negative = case.get("negative_prompt")
    skip = case.get("clip_skip", 1) - 1 or None  # diffusers counts the layers left out
    if is_xl:
        sizes = {} if "original_width" not in case else dict(
            original_size=(case["original_height"], case["original_width"]),
            crops_coords_top_left=(case["crop_top"], case["crop_left"]))
        return sizes | dict(prompt=[PROMPT] * count, clip_skip=skip,
                            negative_prompt=None if negative is None else [negative] * count)
    if skip:
        # diffusers leaves layers out for the prompt alone (and looks for the norm where transformers 5 has none); here,
        # as in AUTOMATIC1111's web UI, it is done for the negative one too.
        return dict(prompt_embeds=skipped(pipeline, PROMPT, skip),
                    negative_prompt_embeds=skipped(pipeline, negative or "", skip))
    return dict(prompt=[PROMPT] * count, negative_prompt=[negative or ""] * count)


def varied(case, shape):
    """The noise of a seed turned by a part of the angle towards that of each subseed, column by column of a channel."""
    normal = lambda seed: torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()
    latents = []
    for k in range(case.get("batch_count", 1)):
        low, high = normal(case["seed"]), normal(case["subseed"] + k)
        angle = torch.acos(torch.nn.functional.cosine_similarity(low, high, dim=1)).unsqueeze(1)
        part = case["subseed_strength"]
        latents.append((torch.sin((1 - part) * angle) * low + torch.sin(part * angle) * high) / torch.sin(angle))
    return torch.stack(latents).float()


def make_circular(network):
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.padding_mode = "circular"


def run(pipeline, case, image):
    if case.get("tiling"):
        make_circular(pipeline.unet)
        make_circular(pipeline.vae)
    if "hires" in case:
        return run_hires(pipeline, case)
    is_xl = isinstance(pipeline, XL)
    if case.get("strength") and not isinstance(pipeline, StableDiffusionXLImg2ImgPipeline):
        kind, options = (StableDiffusionXLImg2ImgPipeline, dict(add_watermarker=False)) if is_xl else (
            StableDiffusionImg2ImgPipeline, dict(requires_safety_checker=False))
        pipeline = kind(**pipeline.components, **options)
    if case.get("sampler") == "ddim":
        # "leading" is not what this folder says: the scheduler's own settings are kept.
        pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    count = case.get("batch_count", 1)
    edits = isinstance(pipeline, StableDiffusionInstructPix2PixPipeline)
    options = dict(image=image, strength=case["strength"]) if "strength" in case else dict(
        image=image, image_guidance_scale=case["image_guidance_scale"]) if edits else dict(
        height=case.get("height"), width=case.get("width"), guidance_rescale=case.get("guidance_rescale", 0.0))
    options |= texts(pipeline, case, count, is_xl)
    seeds = generators(case)
    if "subseed" in case:
        seeds = [torch.Generator().manual_seed(case["seed"]) for _ in range(count)]
        options["latents"] = varied(case, (4, 16, 16))
        for seed, latents in zip(seeds, options["latents"]):
            torch.randn(latents.shape, generator=seed)  # the first draw is in the latents already
    pictures, result = recorded(pipeline, num_inference_steps=case["steps"], guidance_scale=case["guidance_scale"],
                                eta=case.get("eta", 0.0), output_type="np", generator=seeds, **options)
    return result | {"images": as_tensor(pictures)}


def main():
    out = begin()
    image = init_image(out / "init.png")
    for name, parts in (("clip", clip), ("t5", t5), ("distilled", distilled)):
        build(out / name, parts)
    build(out / "edit", clip, in_channels=8)
    for name in ("xl", "refiner"):
        build_xl(out / name, is_refiner=name == "refiner")
    older(out / "older", out / "clip")
    # As Playground 2.5: its latents are scaled channel by channel.
    with_scheduler(out / "edm", out / "xl", EDMDPMSolverMultistepScheduler(), scaling_factor=0.5,
                   latents_mean=[-1.6, 1.1, -0.3, 0.4], latents_std=[8.4, 5.9, 5.3, 5.7])
    with_scheduler(out / "edm_euler", out / "xl", EDMEulerScheduler(sigma_schedule="exponential", sigma_data=1.0,
                                                                    prediction_type="v_prediction"))
    betas = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
    with_scheduler(out / "sa_solver", out / "clip", SASolverScheduler(**betas))
    with_scheduler(out / "pndm", out / "clip", PNDMScheduler(skip_prk_steps=True, **betas))
    with_scheduler(out / "lms", out / "clip", LMSDiscreteScheduler(**betas))
    with_scheduler(out / "ipndm", out / "clip", IPNDMScheduler())
    for case in CASES:
        pipeline = KINDS.get(case["model"], StableDiffusionPipeline).from_pretrained(out / case["model"])
        save_file(run(pipeline, case, image), out / f"{case['name']}.safetensors")
    requests = [{**case, "prompt": PROMPT, **({"image": "init.png"} if "strength" in case or case["model"] == "edit" else {})} for case in CASES]
    (out / "cases.json").write_text(json.dumps(requests, indent=2))


if __name__ == "__main__":
    main()
