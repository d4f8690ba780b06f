"""Guidance by CLIP written out in Python, with diffusers' and transformers' networks of random weights.

    python clip_guidance_reference.py OUT_DIR

Writes OUT_DIR/model (a StableDiffusionPipeline), OUT_DIR/images and OUT_DIR/noised (CLIPModels), for each case
NAME.safetensors with `latents.I` after every step I of DDIM, and processed.safetensors, a picture as transformers'
CLIPImageProcessor prepares it. A CLIP without noise has the loss of diffusers' community pipeline
clip_guided_stable_diffusion, with eps held fixed; a noised one is equation 4 of GLIDE's paper.
"""

import json
import shutil

import torch
from pipelines_reference import PROMPT, build, clip
from recording import begin
from safetensors.torch import load_file, save_file
from text_reference import add_time_embedding
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

NEGATIVE, STEPS = "a red dog", 6
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
CASES = [
    dict(name="images", clip="images", scale=2000.0, guidance_scale=5.0, seed=1),
    dict(name="wide", clip="images", scale=2000.0, guidance_scale=1.0, seed=2, width=88),
    dict(name="noised", clip="noised", scale=500.0, guidance_scale=4.0, seed=3),
]


def write_clip(folder, pipeline, is_noised):
    """Returns the model and, of a noised one, the timesteps that it reads."""
    text = pipeline.text_encoder.config
    side = pipeline.unet.config.sample_size
    vision = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                  num_channels=4 if is_noised else 3, image_size=side if is_noised else 32, patch_size=4 if is_noised else 8)
    torch.manual_seed(5)
    sizes = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
             "max_position_embeddings", "bos_token_id", "eos_token_id")
    model = CLIPModel(CLIPConfig(text_config={key: getattr(text, key) for key in sizes}, vision_config=vision, projection_dim=16))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3 if parameter.dim() < 2 else parameter[0].numel() ** -0.5)
    torch.nn.init.constant_(model.logit_scale, 1.5)
    model.eval().save_pretrained(folder)
    shutil.copytree(folder.parent / "model" / "tokenizer", folder, dirs_exist_ok=True)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    if not is_noised:
        return model, None
    timesteps = torch.zeros(1)
    embedding = add_time_embedding(model, timesteps)
    settings = json.loads((folder / "config.json").read_text())
    settings["vision_config"]["time_embedding"] = True
    (folder / "config.json").write_text(json.dumps(settings))
    added = {f"vision_model.time_embedding.{key}": value for key, value in embedding.state_dict().items()}
    save_file(load_file(folder / "model.safetensors") | added, folder / "model.safetensors", {"format": "pt"})
    pipeline.scheduler.save_config(folder)
    return model, timesteps


def unit(features):
    features = getattr(features, "pooler_output", features)
    return features / features.norm(dim=-1, keepdim=True)


def prepared(image):
    """Differentiable CLIPImageProcessor: the shorter side to 32, the centre, normalised."""
    image = (image / 2 + 0.5).clamp(0, 1)
    height, width = image.shape[2:]
    size = (32 * height // min(height, width), 32 * width // min(height, width))
    image = torch.nn.functional.interpolate(image, size=size, mode="bicubic", antialias=True, align_corners=False)
    top, left = (size[0] - 32) // 2, (size[1] - 32) // 2
    image = image[:, :, top : top + 32, left : left + 32]
    return (image - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


def gradient(pipeline, model, timesteps, text, x, x0, t, alpha):
    with torch.enable_grad():
        x = x.clone().requires_grad_()
        if timesteps is None:
            estimate = x0 + (x - x.detach()) / alpha
            image = unit(model.get_image_features(pixel_values=prepared(
                pipeline.vae.decode(estimate / pipeline.vae.config.scaling_factor).sample)))
            loss = (image - text).norm(dim=-1).div(2).arcsin().pow(2).mul(2).sum()
        else:
            timesteps.fill_(t)
            image = unit(model.get_image_features(pixel_values=x))
            loss = -model.logit_scale.exp() * (image * text).sum()
        return -torch.autograd.grad(loss, x)[0]


@torch.no_grad()
def run(pipeline, model, timesteps, case):
    scheduler = pipeline.scheduler
    scheduler.set_timesteps(STEPS)
    positive, negative = pipeline.encode_prompt(PROMPT, "cpu", 1, True, NEGATIVE)
    ids = pipeline.tokenizer(PROMPT, padding="max_length", truncation=True, return_tensors="pt").input_ids
    text = unit(model.get_text_features(input_ids=ids))
    factor = pipeline.vae_scale_factor
    side = pipeline.unet.config.sample_size
    x = torch.randn(1, 4, side, case.get("width", side * factor) // factor,
                    generator=torch.Generator().manual_seed(case["seed"]))
    result = {}
    for i, t in enumerate(scheduler.timesteps):
        abar = scheduler.alphas_cumprod[t].double()
        earlier = t - scheduler.config.num_train_timesteps // STEPS
        end = (scheduler.alphas_cumprod[earlier] if earlier >= 0 else scheduler.final_alpha_cumprod).double()
        alpha, sigma, alpha_end, sigma_end = abar.sqrt(), (1 - abar).sqrt(), end.sqrt(), (1 - end).sqrt()
        eps = pipeline.unet(x, t, encoder_hidden_states=positive).sample
        if case["guidance_scale"] > 1:
            without = pipeline.unet(x, t, encoder_hidden_states=negative).sample
            eps = without + case["guidance_scale"] * (eps - without)
        x0 = ((x - sigma * eps) / alpha).float()
        shift = case["scale"] * sigma**2 / alpha_end * gradient(pipeline, model, timesteps, text, x, x0, t, alpha)
        x = (alpha_end * (x0 + shift) + sigma_end * (eps - alpha / sigma * shift)).float()
        result[f"latents.{i}"] = x.clone()
    return result


def write_processed(out):
    """A picture of medium values, of which bicubic interpolation leaves the range nowhere."""
    picture = torch.randint(64, 192, (3, 48, 80), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    processor = CLIPImageProcessor.from_pretrained(out / "images")
    values = processor(images=picture.permute(1, 2, 0).numpy(), return_tensors="pt").pixel_values
    save_file({"picture": picture, "values": values}, out / "processed.safetensors")


def main():
    import diffusers

    out = begin()
    build(out / "model", clip)
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(out / "model", safety_checker=None)
    for name in ("images", "noised"):
        model, timesteps = write_clip(out / name, pipeline, name == "noised")
        for case in CASES:
            if case["clip"] == name:
                save_file(run(pipeline, model, timesteps, case), out / f"{case['name']}.safetensors")
    write_processed(out)
    common = dict(model="model", prompt=PROMPT, negative_prompt=NEGATIVE, steps=STEPS, sampler="ddim")
    requests = []
    for case in CASES:
        request = {key: value for key, value in case.items() if key not in ("clip", "scale")}
        requests.append({**common, **request, "clip_guidance": {"model": case["clip"], "scale": case["scale"]}})
    (out / "cases.json").write_text(json.dumps(requests, indent=2))


if __name__ == "__main__":
    main()
