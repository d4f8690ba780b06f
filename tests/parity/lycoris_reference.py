"""What LoRA files of other methods make of weights: lycoris_reference.py OUT_DIR.

OUT_DIR gets the networks of lora_reference.py's two pipelines, sd1 and sdxl, and files in the names that LyCORIS writes
(and diffusers for peft's DoRA). CASE-expected.safetensors has every weight that a case changes, in float64: by peft's
LoHa, LoKr and DoRA layers; by the formulas below for what peft has not (DoRA of LoHa, of LoKr and of inputs, alpha of a
LoKr that is whole, differences, files one after the other).
"""

import torch
from diffusers import StableDiffusionPipeline
from lora_reference import TEXT, TRANSFORMER, layers, networks, original
from models_reference import tensor
from peft import LoHaConfig, LoKrConfig, LoraConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import get_peft_model_state_dict
from recording import begin
from safetensors.torch import save_file

RANK, ALPHA = 3, 5
# How large a change is, in terms of the weight.
CHANGE = 0.3
UNET = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"]
CONVOLUTIONS = ["conv1", "conv2", "conv_shortcut", "conv", "time_emb_proj"]
PREFIXES = {"sd1": {"unet": "lora_unet_", "text_encoder": "lora_te_"},
            "sdxl": {"unet": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}}


def key_of(kind, part, name):
    """The layer as a trainer of that model names it: the UNet of XL in the original layout."""
    if part == "unet":
        full = original(name) if kind == "sdxl" else name
    else:
        full = "text_model." + name.removeprefix("text_model.")
    return PREFIXES[kind][part] + full.replace(".", "_")


def parameter_of(part, name):
    return f"{part}.{name.removeprefix('text_model.')}"


def adapted(network, config, seed):
    """peft's layers of a network, in float64, with random parameters that change each weight by CHANGE."""
    inject_adapter_in_model(config, network.double())
    for name, layer in [pair for pair in network.named_modules() if isinstance(pair[1], BaseTunerLayer)]:
        parameters = {key: value for key, value in layer.named_parameters()
                      if "base_layer" not in key and "magnitude" not in key}
        for parameter in parameters.values():
            seed += 1
            parameter.data = tensor(*parameter.shape, seed=seed).double()
        size = layer.get_delta_weight("default").norm() / layer.get_base_layer().weight.norm()
        first = next(iter(parameters.values()))
        first.data = (first.data * CHANGE / size).float().double()
        yield name, layer


def plus(delta):
    return lambda weight: weight + delta


def becomes(merged):
    return lambda weight: merged


def by_peft(kind, configs, alpha=ALPHA, seed=0):
    """A file in LyCORIS' names, and what it makes of each weight."""
    parts, file, changes = networks(kind), {}, {}
    for part, config in configs.items():
        seed += 10000
        for name, layer in adapted(parts[part], config, seed):
            key = key_of(kind, part, name)
            for parameter, value in layer.named_parameters():
                if "base_layer" not in parameter:
                    file[f"{key}.{parameter.removesuffix('.default')}"] = value.detach().float()
            file[f"{key}.alpha"] = torch.tensor(float(alpha))
            changes[parameter_of(part, name) + ".weight"] = plus(layer.get_delta_weight("default").detach())
    return file, changes


def dora_by_peft(out):
    """Written by diffusers: peft's names, alphas as metadata. The change holds for the original weights alone."""
    parts, changes, states, metadata = networks("sd1"), {}, {}, {}
    configs = {"unet": LoraConfig(r=RANK, lora_alpha=ALPHA, use_dora=True, target_modules=UNET + CONVOLUTIONS),
               "text_encoder": LoraConfig(r=RANK, lora_alpha=2, use_dora=True, target_modules=list(TEXT))}
    for part, config in configs.items():
        tuned = list(adapted(parts[part], config, 70000))
        for number, (name, layer) in enumerate(tuned):
            magnitude = layer.lora_magnitude_vector["default"].weight
            noise = tensor(*magnitude.shape, seed=80000 + number).double()
            magnitude.data = (magnitude.data * (1 + CHANGE * noise)).float().double()
        states[part] = {key: value.float() for key, value in get_peft_model_state_dict(parts[part]).items()}
        metadata[f"{part}_lora_adapter_metadata"] = {
            key: list(value) if isinstance(value, set) else value for key, value in config.to_dict().items()}
        for name, layer in tuned:
            layer.merge()
            changes[parameter_of(part, name) + ".weight"] = becomes(layer.get_base_layer().weight.detach())
    StableDiffusionPipeline.save_lora_weights(out, unet_lora_layers=states["unet"],
                                              text_encoder_lora_layers=states["text_encoder"],
                                              weight_name="dora_peft.safetensors", **metadata)
    return changes


def low_rank(shape, seed):
    down, up = tensor(RANK, *shape[1:], seed=seed), tensor(shape[0], RANK, *[1] * (len(shape) - 2), seed=seed + 1)
    delta = up.double().flatten(1) @ down.double().flatten(1) / RANK * ALPHA
    return {"lora_down.weight": down, "lora_up.weight": up}, delta


def loha(shape, seed):
    sizes = {"w1_a": (shape[0], RANK), "w1_b": (RANK, shape[1:].numel()),
             "w2_a": (shape[0], RANK), "w2_b": (RANK, shape[1:].numel())}
    file = {f"hada_{key}": tensor(*size, seed=seed + i) for i, (key, size) in enumerate(sizes.items())}
    a1, b1, a2, b2 = (value.double() for value in file.values())
    return file, (a1 @ b1) * (a2 @ b2) / RANK * ALPHA


def lokr(shape, seed):
    """w1 [2, 4], w2 whole: alpha does not count."""
    w1, w2 = tensor(2, 4, seed=seed), tensor(shape[0] // 2, shape[1] // 4, *shape[2:], seed=seed + 1)
    blocks = [[w1[i, j].double() * w2.double() for j in range(4)] for i in range(2)]
    return {"lokr_w1": w1, "lokr_w2": w2}, torch.cat([torch.cat(row, 1) for row in blocks])


def decomposed(delta, magnitude, over):
    """DoRA: `over` are the dimensions of one vector."""
    def change(weight):
        moved = weight + delta
        return magnitude * moved / moved.pow(2).sum(over, keepdim=True).sqrt()
    return change


def dora_by_formula():
    """Each layer by another method, its lengths over outputs or inputs as LyCORIS' wd_on_output says."""
    parts, file, changes, number = networks("sd1"), {}, {}, 0
    for part, words in (("unet", TRANSFORMER + (".conv1", ".conv2", "conv_shortcut")), ("text_encoder", TEXT)):
        for name, layer in layers(parts[part], words):
            weight, key = layer.weight.detach().double(), key_of("sd1", part, name)
            tensors, delta = (low_rank, loha, lokr)[number % 3](weight.shape, 30000 + 10 * number)
            first = next(iter(tensors))
            power = 2.0 ** torch.log2(CHANGE * weight.norm() / delta.norm()).round()  # exact in float32, too
            tensors[first] = tensors[first] * power.float()
            delta = (delta * power).reshape(weight.shape)
            of_outputs = number // 3 % 2 == 0
            over = [i for i in range(weight.dim()) if i != (0 if of_outputs else 1)]
            norm = weight.pow(2).sum(over, keepdim=True).sqrt()
            scale = (norm * (1 + CHANGE * tensor(*norm.shape, seed=60000 + number))).float()
            file |= {f"{key}.{end}": value for end, value in tensors.items()}
            file |= {f"{key}.dora_scale": scale, f"{key}.alpha": torch.tensor(float(ALPHA))}
            changes[parameter_of(part, name) + ".weight"] = decomposed(delta, scale.double(), over)
            number += 1
    return file, changes


def differences(kind):
    """Of every layer, norms and biases, as LyCORIS' `full` with train_norm writes them; of XL's UNet, of attention."""
    file, changes, seed = {}, {}, 90000
    for part, network in networks(kind).items():
        for name, module in network.named_modules():
            if kind == "sdxl" and part == "unet" and ".attentions." not in name:
                continue
            if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
                ends = {"weight": "diff", "bias": "diff_b"}
            elif isinstance(module, (torch.nn.GroupNorm, torch.nn.LayerNorm)):
                ends = {"weight": "w_norm", "bias": "b_norm"}
            else:
                continue
            for parameter, end in ends.items():
                if getattr(module, parameter) is not None:
                    seed += 1
                    delta = CHANGE * tensor(*getattr(module, parameter).shape, seed=seed)
                    file[f"{key_of(kind, part, name)}.{end}"] = delta
                    changes[f"{parameter_of(part, name)}.{parameter}"] = plus(delta.double())
    return file, changes


def expect(out, case, kind, files):
    """files: (its changes, weight), one after the other: W becomes W + weight (W' - W)."""
    expected = {}
    for part, network in networks(kind).items():
        for name, parameter in network.named_parameters():
            full, weight = parameter_of(part, name), parameter.detach().double()
            for changes, factor in files:
                if full in changes:
                    weight = weight + factor * (changes[full](weight) - weight)
                    expected[full] = weight
    taken = {key for changes, _ in files for key in changes}
    assert expected.keys() == taken, taken - expected.keys()
    save_file({key: value.contiguous() for key, value in expected.items()}, out / f"{case}-expected.safetensors")


def loha_config(modules, **options):
    return LoHaConfig(r=RANK, alpha=ALPHA, init_weights=False, target_modules=list(modules), **options)


def lokr_config(modules, rank=2, alpha=ALPHA, **options):
    return LoKrConfig(r=rank, alpha=alpha, init_weights=False, target_modules=list(modules), **options)


def files_by_peft():
    everything = UNET + CONVOLUTIONS
    return {
        "loha": by_peft("sd1", {"unet": loha_config(everything), "text_encoder": loha_config(TEXT)}),
        "loha_tucker": by_peft("sd1", {"unet": loha_config(CONVOLUTIONS, use_effective_conv2d=True)}),
        "lokr": by_peft("sd1", {"unet": lokr_config(everything, decompose_both=True),
                                "text_encoder": lokr_config(TEXT)}),
        "lokr_tucker": by_peft("sd1", {"unet": lokr_config(CONVOLUTIONS, use_effective_conv2d=True)}),
        # peft scales a whole one by alpha / rank, too; for LyCORIS an alpha says nothing then.
        "lokr_whole": by_peft("sd1", {"unet": lokr_config(everything, rank=256, alpha=256)}, alpha=7),
        "xl": by_peft("sdxl", {"unet": loha_config(UNET), "text_encoder": lokr_config(TEXT),
                               "text_encoder_2": loha_config(TEXT)}),
    }


def main():
    out = begin(threads=2)
    for kind in PREFIXES:
        for part, network in networks(kind).items():
            network.save_pretrained(out / kind / part)
    files = files_by_peft() | {"dora": dora_by_formula(), "differences": differences("sd1"),
                               "differences_xl": differences("sdxl")}
    for name, (tensors, _) in files.items():
        save_file({key: value.contiguous() for key, value in tensors.items()}, out / f"{name}.safetensors")
    changes = {name: change for name, (_, change) in files.items()} | {"dora_peft": dora_by_peft(out)}
    for name in changes:
        expect(out, name, "sdxl" if name.endswith("xl") else "sd1", [(changes[name], 1.0)])
    expect(out, "dora_in_part", "sd1", [(changes["dora"], 0.7)])
    expect(out, "in_order", "sd1", [(changes["lokr"], 0.8), (changes["dora"], 0.6), (changes["differences"], -0.5)])


if __name__ == "__main__":
    with torch.no_grad():
        main()
