"""Small random Stable Diffusion 1, 2 and XL as one file in the original layout, and what diffusers makes with them.

    python single_file_reference.py OUT_DIR

Writes OUT_DIR/sd1.safetensors, sd2, sdxl, ssd and playground.safetensors, a folder of each, and sd1-expected.safetensors
and so on with `states` of the prompt, `latents.I` after every step I and the `image` in [0, 1]. That the files are what others write
is checked by diffusers' own from_single_file: it must find every weight.
"""

import re
from pathlib import Path

import torch
from diffusers import (AutoencoderKL, DDIMScheduler, EDMDPMSolverMultistepScheduler, EulerDiscreteScheduler,
                       PNDMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel)
from recording import as_tensor, begin, recorded
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

ROOT = Path(__file__).resolve().parents[2]
PROMPT, SIZE, STEPS, GUIDANCE, SEED = "a cat on a sofa", 64, 5, 5.0, 3
SCHEDULE = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1,
                set_alpha_to_one=False)


def rename(name, rules):
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def unet_key(name, layers, up_block_types):
    resnet = [("norm1", "in_layers.0"), ("conv1", "in_layers.2"), ("time_emb_proj", "emb_layers.1"),
              ("norm2", "out_layers.0"), ("conv2", "out_layers.3"), ("conv_shortcut", "skip_connection")]
    if match := re.match(r"(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.*)", name):
        way, block, kind, index, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
        first = block * (layers + 1) + (way == "down")
        if kind == "downsamplers":
            return f"input_blocks.{first + layers}.0.op.{rest.removeprefix('conv.')}"
        if kind == "upsamplers":
            return f"output_blocks.{first + layers}.{2 if 'Attn' in up_block_types[block] else 1}.{rest}"
        place = f"{'input' if way == 'down' else 'output'}_blocks.{first + index}"
        return f"{place}.1.{rest}" if kind == "attentions" else f"{place}.0.{rename(rest, resnet)}"
    if match := re.match(r"mid_block\.(\w+)\.(\d)\.(.*)", name):
        return f"middle_block.1.{match[3]}" if match[1] == "attentions" else (
            f"middle_block.{2 * int(match[2])}.{rename(match[3], resnet)}")
    return rename(name, [("conv_norm_out", "out.0"), ("conv_out", "out.2"), ("conv_in", "input_blocks.0.0"),
                         ("time_embedding.linear_1", "time_embed.0"), ("time_embedding.linear_2", "time_embed.2"),
                         ("add_embedding.linear_1", "label_emb.0.0"), ("add_embedding.linear_2", "label_emb.0.2")])


def vae_key(name):
    name = rename(name, [(r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2"),
                         (r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample"),
                         (r"mid_block\.resnets\.0", "mid.block_1"), (r"mid_block\.resnets\.1", "mid.block_2"),
                         (r"mid_block\.attentions\.0", "mid.attn_1"), ("conv_norm_out", "norm_out"),
                         ("conv_shortcut", "nin_shortcut"), ("group_norm", "norm"), ("to_out.0", "proj_out"),
                         (r"to_([qkv])\.", r"\1.")])
    up = re.match(r"decoder\.up_blocks\.(\d)\.(resnets|upsamplers)\.(\d)\.(.*)", name)
    if not up:
        return name
    inside = f"block.{up[3]}" if up[2] == "resnets" else "upsample"
    return f"decoder.up.{3 - int(up[1])}.{inside}.{up[4]}"


def vae_value(name, value):
    """Attention by 1 x 1 convolutions."""
    return value[:, :, None, None] if "attentions" in name and value.dim() == 2 else value


def open_clip(weights, layers):
    """OpenCLIP's keys; without a projection with a last layer, which Stable Diffusion 2 does not use."""
    weights = {name.removeprefix("text_model."): value for name, value in weights.items()}
    projection = weights.pop("text_projection.weight", None)
    if projection is None:
        for name in [name for name in weights if f"layers.{layers - 1}." in name]:
            weights[name.replace(f"layers.{layers - 1}.", f"layers.{layers}.")] = torch.randn_like(weights[name])
        layers += 1
    out = {}
    for layer in range(layers):
        for kind in ("weight", "bias"):
            parts = [weights.pop(f"encoder.layers.{layer}.self_attn.{part}_proj.{kind}") for part in "qkv"]
            out[f"transformer.resblocks.{layer}.attn.in_proj_{kind}"] = torch.cat(parts)
    for name, value in weights.items():
        out[rename(name, [(r"encoder\.layers", "transformer.resblocks"), (r"self_attn\.out_proj", "attn.out_proj"),
                          ("layer_norm", "ln_"), (r"mlp\.fc1", "mlp.c_fc"), (r"mlp\.fc2", "mlp.c_proj"),
                          (r"embeddings\.token_embedding", "token_embedding"), ("final_ln_", "ln_final"),
                          (r"embeddings\.position_embedding\.weight", "positional_embedding")])] = value
    width = weights["final_layer_norm.weight"].shape[0]
    out["text_projection"] = torch.randn(width, width) if projection is None else projection.T
    out["logit_scale"] = torch.tensor(4.6)
    return out


def networks(version):
    torch.manual_seed(version)
    width, channels = (768, (32, 64, 64, 64)) if version == 1 else (1024, (64, 64, 128, 128))
    unet = UNet2DConditionModel(sample_size=64 if version == 1 else 96, block_out_channels=channels,
                                layers_per_block=2, cross_attention_dim=width, use_linear_projection=version == 2,
                                attention_head_dim=8 if version == 1 else tuple(c // 64 for c in channels))
    vae = AutoencoderKL(block_out_channels=(32, 32, 64, 64), down_block_types=("DownEncoderBlock2D",) * 4,
                        up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, latent_channels=4,
                        sample_size=512 if version == 1 else 768)
    text = CLIPTextModel(CLIPTextConfig(vocab_size=49408, hidden_size=width, intermediate_size=256,
                                        num_hidden_layers=2, num_attention_heads=width // 64, projection_dim=width,
                                        hidden_act="quick_gelu" if version == 1 else "gelu",
                                        bos_token_id=49406, eos_token_id=49407))
    with torch.no_grad():
        if version == 2:
            unet.conv_out.bias -= 3.0  # what tells a network that predicts v
        for name, parameter in unet.named_parameters():
            if "attn2.to_v" in name or "attn2.to_out" in name:
                parameter *= 4  # the prompt is to matter
    return exact_in_half(unet, vae, [text])


def exact_in_half(unet, vae, texts):
    return unet.half().float().eval(), vae.half().float().eval(), [text.half().float().eval() for text in texts]


def xl_networks(**options):
    torch.manual_seed(3)
    widths, channels = (64, 128), (64, 128, 128)
    unet = UNet2DConditionModel(sample_size=128, block_out_channels=channels, layers_per_block=2,
                                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                                up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                                cross_attention_dim=sum(widths),
                                use_linear_projection=True, attention_head_dim=tuple(c // 64 for c in channels),
                                addition_embed_type="text_time", addition_time_embed_dim=256,
                                projection_class_embeddings_input_dim=widths[1] + 6 * 256,
                                **dict(transformer_layers_per_block=(1, 2, 3)) | options)
    vae = AutoencoderKL(block_out_channels=(32, 32, 64, 64), down_block_types=("DownEncoderBlock2D",) * 4,
                        up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, latent_channels=4,
                        sample_size=1024, scaling_factor=0.13025)
    shared = dict(vocab_size=49408, intermediate_size=256, num_hidden_layers=3, bos_token_id=49406,
                  eos_token_id=49407)
    first = CLIPTextModel(CLIPTextConfig(hidden_size=widths[0], num_attention_heads=1, projection_dim=widths[0],
                                         hidden_act="quick_gelu", **shared))
    second = CLIPTextModelWithProjection(CLIPTextConfig(hidden_size=widths[1], num_attention_heads=2,
                                                        projection_dim=widths[1], hidden_act="gelu", **shared))
    with torch.no_grad():
        for name, parameter in unet.named_parameters():
            if "attn2.to_v" in name or "attn2.to_out" in name or "add_embedding" in name:
                parameter *= 3  # the prompt, and the size, are to matter
    return exact_in_half(unet, vae, [first, second])


# SSD-1B: another depth behind each layer, and a middle without attention.
SSD = dict(transformer_layers_per_block=(1, (1, 2), (3, 3)), mid_block_type="UNetMidBlock2D",
           reverse_transformer_layers_per_block=((2, 2, 4), (2, 1, 1), 1))


# Playground 2.5's VAE, with numbers that float16 holds.
PLAYGROUND = dict(scaling_factor=0.5, latents_mean=(-1.5, 2.0, -1.25, 2.5), latents_std=(8.5, 6.0, 6.5, 5.25))


def clip_weights(prefix, text):
    weights = {f"{prefix}text_model.{name.removeprefix('text_model.')}": value
               for name, value in text.state_dict().items()}
    return weights | {f"{prefix}text_model.embeddings.position_ids": torch.arange(77)[None]}


def open_clip_weights(prefix, text):
    layers = text.config.num_hidden_layers
    return {f"{prefix}{name}": value for name, value in open_clip(text.state_dict(), layers).items()}


def write_file(path, version, unet, vae, texts):
    weights = {f"model.diffusion_model.{unet_key(name, 2, unet.config.up_block_types)}": value
               for name, value in unet.state_dict().items()}
    weights |= {f"first_stage_model.{vae_key(name)}": vae_value(name, value)
                for name, value in vae.state_dict().items()}
    if version == "sd1":
        weights |= clip_weights("cond_stage_model.transformer.", texts[0])
    elif version == "sd2":
        weights |= open_clip_weights("cond_stage_model.model.", texts[0])
    else:
        weights |= clip_weights("conditioner.embedders.0.transformer.", texts[0])
        weights |= open_clip_weights("conditioner.embedders.1.model.", texts[1])
    if version == "playground":
        weights |= {"edm_mean": torch.tensor(PLAYGROUND["latents_mean"]),
                    "edm_std": torch.tensor(PLAYGROUND["latents_std"])}
    weights["betas"] = torch.linspace(0, 1, 1000)
    weights = {name: (value.half() if value.is_floating_point() else value).contiguous()
               for name, value in weights.items()}
    save_file(weights, path)


def check_against_diffusers(path, folder, pipeline):
    options = {} if isinstance(pipeline, StableDiffusionXLPipeline) else dict(safety_checker=None)
    read = type(pipeline).from_single_file(str(path), config=str(folder), local_files_only=True,
                                           torch_dtype=torch.float32, **options)
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        if getattr(pipeline, part, None) is None:
            continue
        expected, actual = getattr(pipeline, part).state_dict(), getattr(read, part).state_dict()
        for name, value in expected.items():
            assert torch.equal(value, actual[name]), (part, name)


@torch.no_grad()
def expected(pipeline):
    states = pipeline.encode_prompt(PROMPT, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False)
    image, steps = recorded(pipeline, prompt=PROMPT, height=SIZE, width=SIZE, num_inference_steps=STEPS,
                            guidance_scale=GUIDANCE, generator=torch.Generator().manual_seed(SEED), output_type="np")
    return steps | {"states": states[0], "image": as_tensor(image)}


def tokenizer(vocabulary):
    return CLIPTokenizer.from_pretrained(ROOT / "tokenizer" / vocabulary)


def pipeline_of(version):
    if version in ("sdxl", "ssd", "playground"):
        unet, vae, texts = xl_networks(**SSD if version == "ssd" else {})
        scheduler = EulerDiscreteScheduler(timestep_spacing="leading", **{
            key: value for key, value in SCHEDULE.items() if key != "set_alpha_to_one"})
        if version == "playground":
            vae.register_to_config(**PLAYGROUND)
            scheduler = EDMDPMSolverMultistepScheduler()
        return StableDiffusionXLPipeline(
            unet=unet, vae=vae, text_encoder=texts[0], text_encoder_2=texts[1], tokenizer=tokenizer("clip"),
            tokenizer_2=tokenizer("open_clip"), scheduler=scheduler, add_watermarker=False)
    unet, vae, texts = networks(1 if version == "sd1" else 2)
    scheduler = PNDMScheduler(skip_prk_steps=True, **SCHEDULE) if version == "sd1" else DDIMScheduler(
        clip_sample=False, prediction_type="v_prediction", **SCHEDULE)
    return StableDiffusionPipeline(
        unet=unet, vae=vae, text_encoder=texts[0], scheduler=scheduler, feature_extractor=None, safety_checker=None,
        tokenizer=tokenizer("clip" if version == "sd1" else "open_clip"), requires_safety_checker=False)


def main():
    out = begin(threads=2)
    for version in ("sd1", "sd2", "sdxl", "ssd", "playground"):
        pipeline = pipeline_of(version)
        path, folder = out / f"{version}.safetensors", out / version
        texts = [text for text in (pipeline.text_encoder, getattr(pipeline, "text_encoder_2", None)) if text]
        write_file(path, version, pipeline.unet, pipeline.vae, texts)
        pipeline.save_pretrained(folder)
        check_against_diffusers(path, folder, pipeline)
        save_file(expected(pipeline), out / f"{version}-expected.safetensors")


if __name__ == "__main__":
    main()
