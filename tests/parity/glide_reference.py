"""GLIDE's networks and cascade with random weights: glide_reference.py OUT_DIR.

Writes NAME.pt, networks in the layout of OpenAI's released files, and for each NAME.safetensors with the
outputs of diffusers 0.0.4; a GPT-2 tokenizer; cases.json and for each case NAME.safetensors with `base.I` and
`upsample.I`, x after every step I of each stage.
"""

import json
import sys
import types
from pathlib import Path

import numpy as np
import torch
from glide_package import load_package
from PIL import Image
from safetensors.torch import save_file
from transformers import GPT2Tokenizer

GLIDE = load_package()
CONTEXT, VOCABULARY = 12, 300  # tokens of a text

NETWORKS = {
    # Siblings of the released base.pt, upsample.pt, base-inpaint.pt and upsample-inpaint.pt.
    "base": dict(in_channels=3, channel_mult=(1, 2), num_res_blocks=1, attention_resolutions=(2,), resolution=16),
    "upsample": dict(in_channels=6, channel_mult=(1, 1, 2), num_res_blocks=2, attention_resolutions=(4,), resolution=32),
    "base-inpaint": dict(in_channels=7, channel_mult=(1, 2), num_res_blocks=1, attention_resolutions=(2,), resolution=16),
    "upsample-inpaint": dict(in_channels=10, channel_mult=(1, 1, 2), num_res_blocks=1, attention_resolutions=(4,),
                             resolution=32),
    # Attention in every level, no scale and shift, no padding embedding.
    "plain": dict(in_channels=3, channel_mult=(1, 2), num_res_blocks=2, attention_resolutions=(1, 2), resolution=16,
                  use_scale_shift_norm=False, padding=False),
}

CASES = [
    dict(name="hundred", base="base", upsample="upsample", seed=1, count=2, guidance=3.0, base_respacing="10",
         upsample_respacing="fast27", temp=0.997),
    dict(name="strided", base="base", upsample="upsample", seed=7, count=1, guidance=1.0, base_respacing="8,4",
         upsample_respacing="ddim10", temp=1.0),
    dict(name="inpaint", base="base-inpaint", upsample="upsample-inpaint", seed=3, count=2, guidance=5.0,
         base_respacing="9", upsample_respacing="ddim5", temp=0.9),
]


def tensor(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def randomize(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 1:
            is_norm = "norm" in name or ".in_layers.0." in name or ".out_layers.0." in name or "out.0." in name
            parameter.data = 0.3 * noise + (1.0 if is_norm and name.endswith("weight") else 0.0)
        else:
            parameter.data = noise if "embedding" in name else noise / parameter[0].numel() ** 0.5
    return model.eval()


def text_transformer(padding):
    config = types.SimpleNamespace(
        vocab_size=VOCABULARY, max_position_embeddings=CONTEXT, hidden_size=128, intermediate_size=256, num_hidden_layers=2,
        num_attention_heads=2, hidden_act="gelu", layer_norm_eps=1e-5, use_padding_embeddings=padding,
        output_attentions=False, output_hidden_states=False, use_return_dict=True)
    return randomize(GLIDE.pipeline.CLIPTextModel(config), seed=2)


@torch.no_grad()
def unet(options, x, states):
    settings = dict(model_channels=64, out_channels=6, num_head_channels=64, use_scale_shift_norm=True, resblock_updown=True,
                    transformer_dim=128)
    network = randomize(GLIDE.networks.GLIDETextToImageUNetModel(**{**settings, **options}), seed=1)
    network.transformer_proj.weight.mul_(3)  # so that the text and its order count
    output = network(x, torch.tensor([300, 20]), states)
    network.out[2].weight[:3] /= output[:, :3].std()
    network.out[2].weight[3:] *= 0.3 / output[:, 3:].std()
    return network


def original_text_names(state):
    """As OpenAI's files name a text transformer."""
    ends = {"embeddings.token_embedding.weight": "token_embedding.weight",
            "embeddings.position_embedding.weight": "positional_embedding",
            "embeddings.padding_embedding.weight": "padding_embedding",
            "final_layer_norm.weight": "final_ln.weight", "final_layer_norm.bias": "final_ln.bias"}
    inside = {"self_attn.qkv_proj": "attn.c_qkv", "self_attn.out_proj": "attn.c_proj", "mlp.fc1": "mlp.c_fc",
              "mlp.fc2": "mlp.c_proj", "layer_norm1": "ln_1", "layer_norm2": "ln_2"}
    named = {}
    for key, value in state.items():
        key = key.removeprefix("text_model.")
        if key.endswith("position_ids"):
            continue
        name = ends.get(key)
        if name is None:
            _, _, layer, part = key.split(".", 3)
            member, kind = part.rsplit(".", 1)
            name = f"transformer.resblocks.{layer}.{inside[member]}.{kind}"
        named[name] = value
    return named


def masks_of(lengths):
    return torch.arange(CONTEXT)[None] < torch.tensor(lengths)[:, None]


@torch.no_grad()
def write_network(out, name, options):
    options = dict(options)
    text = text_transformer(options.pop("padding", True))
    ids = torch.randint(0, VOCABULARY, (2, CONTEXT), generator=torch.Generator().manual_seed(4))
    mask = masks_of([7, 3])
    states = text(ids, mask.long()).last_hidden_state
    x = tensor(2, options["in_channels"], options["resolution"], options["resolution"], seed=3)
    network = unet(options, x, states)
    timesteps = torch.tensor([997, 20])
    torch.save({**network.state_dict(), **original_text_names(text.state_dict())}, out / f"{name}.pt")
    save_file({"ids": ids, "mask": mask, "states": states.contiguous(), "x": x, "timesteps": timesteps,
               "output": network(x, timesteps, states)}, out / f"{name}.safetensors")
    return network, text


def write_tokenizer(folder):
    """Bytes, the end of a text, and a few merges."""
    folder.mkdir(exist_ok=True)
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    characters = [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    merges = [("a", "t"), ("c", "at"), ("Ġ", "a"), ("Ġ", "cat"), ("r", "e"), ("re", "d"), ("Ġ", "red")]
    words = characters + ["".join(pair) for pair in merges] + ["<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    config = dict(tokenizer_class="GPT2Tokenizer", model_max_length=CONTEXT, pad_token="<|endoftext|>", do_lower_case=True)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return GPT2Tokenizer.from_pretrained(folder)


def space_timesteps(total, respacing):
    """The paper's respacing, by its description: ddimN is a stride, N,M,... evenly spaced timesteps of equal sections."""
    if respacing.startswith("ddim"):
        count = int(respacing[4:])
        stride = next(k for k in range(1, total) if len(range(0, total, k)) == count)
        return list(range(0, total, stride))
    if respacing == "fast27":
        kept = space_timesteps(total, "10,10,3,2,2")
        return sorted(set(kept) - {total - 1} | {total - 3})
    counts = [int(count) for count in respacing.split(",")]
    edges = np.cumsum([0] + [total // len(counts) + (i < total % len(counts)) for i in range(len(counts))])
    return [int(round(t)) for first, end, count in zip(edges, edges[1:], counts) for t in np.linspace(first, end - 1, count)]


def respaced(betas, kept):
    """The tables of p_mean_variance for a process of the kept timesteps alone."""
    products = np.cumprod(1 - betas)[kept]
    before = np.append(1.0, products[:-1])
    betas = 1 - products / before
    variance = betas * (1 - before) / (1 - products)
    return types.SimpleNamespace(
        betas=betas, sqrt_recip_alphas_cumprod=np.sqrt(1 / products), sqrt_recipm1_alphas_cumprod=np.sqrt(1 / products - 1),
        posterior_variance=variance, posterior_log_variance_clipped=np.log(np.append(variance[1], variance[1:])),
        posterior_mean_coef1=betas * np.sqrt(before) / (1 - products),
        posterior_mean_coef2=(1 - before) * np.sqrt(1 - betas) / (1 - products), alphas_cumprod=products, before=before)


def encode(tokenizer, text, prompts):
    ids = tokenizer([prompt.lower() for prompt in prompts], padding="max_length", max_length=CONTEXT, truncation=True,
                    return_tensors="pt")
    return text(ids["input_ids"], ids["attention_mask"]).last_hidden_state


def noise_like(generators, shape):
    return torch.cat([torch.randn(1, *shape, generator=generator) for generator in generators])


def guided(network, kept, states, scale, concat):
    """The pipeline's text_model_fn, over the timesteps that are kept."""

    def function(x, t, transformer_out):
        timesteps = torch.tensor(kept)[t]
        conditional, unconditional = states
        x = x if concat is None else torch.cat([x, concat], 1)
        output = network(x, timesteps, conditional)
        eps, variance = output[:, :3], output[:, 3:]
        empty = network(x, timesteps, unconditional)[:, :3]
        return torch.cat([empty + scale * (eps - empty), variance], 1)

    return function


def known_image():
    pixels = tensor(8, 8, 3, seed=11).mul(60).add(128).clamp(0, 255).to(torch.uint8).numpy()
    return Image.fromarray(pixels).resize((32, 32), Image.BICUBIC)


def as_tensor(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 127.5 - 1


def known_parts(case, resolution):
    """A known image, its mask, 1 where it is known, and the two as channels."""
    if "inpaint" not in case["name"]:
        return None
    mask = torch.ones(1, 1, 16, 16)
    mask[..., 5:13, 4:9] = 0
    mask = torch.nn.functional.interpolate(mask, (resolution, resolution), mode="nearest")
    return as_tensor(known_image().resize((resolution, resolution), Image.LANCZOS)), mask


def channels_of(known, count):
    return [] if known is None else [(known[0] * known[1]).expand(count, -1, -1, -1), known[1].expand(count, -1, -1, -1)]


def kept_known(x0, known):
    return x0 if known is None else x0 * (1 - known[1]) + known[0] * known[1]


@torch.no_grad()
def base_stage(case, network, states, generators, steps):
    pipeline = GLIDE.pipeline.GLIDE.__new__(GLIDE.pipeline.GLIDE)
    kept = space_timesteps(1000, case["base_respacing"])
    tables = respaced(GLIDE.guidance.ClassifierFreeGuidanceScheduler().betas, kept)
    known = known_parts(case, 16)
    parts = channels_of(known, case["count"])
    function = guided(network, kept, states, case["guidance"], torch.cat(parts, 1) if parts else None)
    x = noise_like(generators, (3, 16, 16))
    for i in reversed(range(len(kept))):
        t = torch.full((case["count"],), i)
        mean, _, log_variance, x0 = pipeline.p_mean_variance(function, tables, x, t, transformer_out=states[0])
        if known is not None:
            mean = pipeline.q_posterior_mean_variance(tables, kept_known(x0, known), x, t)[0]
        x = mean if i == 0 else mean + torch.exp(0.5 * log_variance) * noise_like(generators, (3, 16, 16))
        steps[f"base.{len(kept) - 1 - i}"] = x
    return x


@torch.no_grad()
def upsample_stage(case, network, states, base, generators, steps):
    kept = space_timesteps(1000, case["upsample_respacing"])
    scheduler = GLIDE.ddim.DDIMScheduler()
    tables = respaced(scheduler.betas, kept)
    low_res = ((base + 1) * 127.5).round() / 127.5 - 1
    enlarged = torch.nn.functional.interpolate(low_res, (32, 32), mode="bilinear", align_corners=False)
    known = known_parts(case, 32)
    concat = torch.cat(channels_of(known, case["count"]) + [enlarged], 1)
    x = noise_like(generators, (3, 32, 32)) * case["temp"]
    for i in reversed(range(len(kept))):
        output = network(torch.cat([x, concat], 1), torch.full((case["count"],), kept[i]), states)[:, :3]
        if known is None and case["upsample_respacing"] == "ddim10":
            x = scheduler.step(output, x, i, 10, eta=0.0, use_clipped_residual=True)
        else:
            product, before = tables.alphas_cumprod[i], tables.before[i]
            x0 = kept_known(((x - (1 - product) ** 0.5 * output) / product**0.5).clamp(-1, 1), known)
            eps = (x - product**0.5 * x0) / (1 - product) ** 0.5
            x = before**0.5 * x0 + (1 - before) ** 0.5 * eps
        steps[f"upsample.{len(kept) - 1 - i}"] = x


def main():
    torch.set_num_threads(1)
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    networks = {name: write_network(out, name, options) for name, options in NETWORKS.items()}
    tokenizer = write_tokenizer(out / "tokenizer")
    for case in CASES:
        case["prompt"] = "A red CAT, sat"
        steps = {}
        generators = [torch.Generator().manual_seed(case["seed"] + k) for k in range(case["count"])]
        prompts = [case["prompt"]] * case["count"]
        unet_, text = networks[case["base"]]
        states = encode(tokenizer, text, prompts), encode(tokenizer, text, [""] * case["count"])
        base = base_stage(case, unet_, states, generators, steps)
        unet_, text = networks[case["upsample"]]
        upsample_stage(case, unet_, encode(tokenizer, text, prompts), base, generators, steps)
        if "inpaint" in case["name"]:
            steps["image"] = as_tensor(known_image())
        save_file({key: value.float().contiguous() for key, value in steps.items()}, out / f"{case['name']}.safetensors")
    (out / "cases.json").write_text(json.dumps(CASES, indent=1))


if __name__ == "__main__":
    main()
