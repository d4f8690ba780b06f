"""What diffusers and peft make of LoRA files and of embeddings: lora_reference.py OUT_DIR.

OUT_DIR gets the networks of two small pipelines, sd1 and sdxl, as folders, and for every case CASE.safetensors, the
LoRA, and CASE-expected.safetensors: what the networks compute after load_lora_weights and fuse_lora. The files are
written in the names that kohya's trainer, peft and older diffusers use; load_lora_weights must take every key.
words/text_encoder takes embeddings in the three forms of OUT_DIR/words; words-expected.safetensors has what it makes of
PROMPT with them and without, and what it makes of PROMPT_XL together with text_encoder_2, as Stable Diffusion XL has it.
"""

import pathlib

import torch
from diffusers import (AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline,
                       UNet2DConditionModel)
from models_reference import randomize, tensor, unit_std
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from recording import begin
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

NETWORKS = {"sd1": ("unet", "text_encoder"), "sdxl": ("unet", "text_encoder", "text_encoder_2")}
RANK, ALPHA = 3, 5.0
ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMPT = "a photo of a <cat-toy>, brushwork, in oldfilm"
PROMPT_XL = "a photo in watercolour"


def text_encoder(cls, width, seed):
    config = CLIPTextConfig(vocab_size=60, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2,
                            num_attention_heads=2, max_position_embeddings=9, projection_dim=20, eos_token_id=59,
                            bos_token_id=58)
    return randomize(cls(config), seed)


def unet_of(kind):
    if kind == "sd1":
        config = dict(block_out_channels=(32, 64), down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                      up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), layers_per_block=2, cross_attention_dim=24)
    else:
        config = dict(block_out_channels=(32, 64, 64), layers_per_block=2, cross_attention_dim=56,
                      down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                      up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                      transformer_layers_per_block=(1, 2, 2), use_linear_projection=True,
                      addition_embed_type="text_time", addition_time_embed_dim=8,
                      projection_class_embeddings_input_dim=8 * 6 + 20)
    return randomize(UNet2DConditionModel(norm_num_groups=8, attention_head_dim=4, sample_size=16, **config), 1)


def networks(kind):
    parts = {"unet": unet_of(kind), "text_encoder": text_encoder(CLIPTextModel, 24, 2)}
    if kind == "sdxl":
        parts["text_encoder_2"] = text_encoder(CLIPTextModelWithProjection, 32, 3)
    unit_std(parts["unet"].conv_out, run_unet(kind, parts["unet"]))
    return parts


def pipeline(kind):
    scheduler = DDIMScheduler()
    vae = AutoencoderKL(block_out_channels=(8,), norm_num_groups=4)
    if kind == "sd1":
        return StableDiffusionPipeline(**networks(kind), vae=vae, tokenizer=None, scheduler=scheduler,
                                       safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    return StableDiffusionXLPipeline(**networks(kind), vae=vae, tokenizer=None, tokenizer_2=None, scheduler=scheduler)


INPUTS = {"sample": tensor(1, 4, 16, 16, seed=11), "ids": torch.tensor([[58, 3, 14, 15, 9, 2, 6, 5, 59]]),
          "text_embeds": tensor(1, 20, seed=13), "time_ids": torch.tensor([[16.0, 16, 0, 8, 16, 16]]),
          "states.sd1": tensor(1, 9, 24, seed=14), "states.sdxl": tensor(1, 9, 56, seed=15)}


def run_unet(kind, unet):
    added = {key: INPUTS[key] for key in ("text_embeds", "time_ids")} if kind == "sdxl" else None
    return unet(INPUTS["sample"], torch.tensor(321), INPUTS[f"states.{kind}"], added_cond_kwargs=added).sample


def outputs(kind, pipe):
    result = {"unet": run_unet(kind, pipe.unet), "text_encoder": pipe.text_encoder(INPUTS["ids"]).last_hidden_state}
    if kind == "sdxl":
        text = pipe.text_encoder_2(INPUTS["ids"])
        result |= {"text_encoder_2": text.last_hidden_state, "text_embeds": text.text_embeds}
    return {key: value.detach().contiguous().clone() for key, value in result.items()}


def layers(module, wanted):
    return [(name, layer) for name, layer in module.named_modules()
            if isinstance(layer, (torch.nn.Linear, torch.nn.Conv2d)) and any(word in name for word in wanted)]


def pair(layer, seed):
    """down and up that change the layer by about a third of its own size."""
    shape = layer.weight.shape
    down = tensor(RANK, *shape[1:], seed=seed) / layer.weight[0].numel() ** 0.5
    up = tensor(shape[0], RANK, *([1, 1] if len(shape) == 4 else []), seed=seed + 1) * 0.3
    return down, up


ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
TRANSFORMER = ATTENTION + ("ff.net", "proj_in", "proj_out")
CONVOLUTIONS = (".conv1", ".conv2", "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv", "time_emb_proj")
TEXT = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")


def original(name):
    """A module of SDXL's UNet in the original layout, of 2 layers a block."""
    words = name.split(".")
    if words[0] == "mid_block":
        return ".".join(["middle_block", "1" if words[1] == "attentions" else str(2 * int(words[2])), *words[3:]])
    first = 3 * int(words[1]) + (words[0] == "down_blocks")
    side = {"down_blocks": "input_blocks", "up_blocks": "output_blocks"}[words[0]]
    return ".".join([side, str(first + int(words[3])), "1", *words[4:]])


def kohya(parts, wanted, rename=lambda name: name, te=("lora_te_",), seed=100):
    """kohya's keys: prefix, module with underscores, lora_down, lora_up, alpha."""
    out = {}
    for part, prefix in zip(parts, ("lora_unet_",) + te):
        is_unet = part == "unet"
        for name, layer in layers(parts[part], wanted if is_unet else TEXT):
            full = rename(name) if is_unet else ("" if name.startswith("text_model.") else "text_model.") + name
            key = prefix + full.replace(".", "_")
            seed += 2
            out[f"{key}.lora_down.weight"], out[f"{key}.lora_up.weight"] = pair(layer, seed)
            out[f"{key}.alpha"] = torch.tensor(ALPHA)
    return out


def diffusers_old(parts):
    """As diffusers wrote them before peft: attention processors of the UNet, lora_linear_layer of the text encoder."""
    out, seed = {}, 3000
    for name, layer in layers(parts["unet"], ATTENTION):
        place, end = name.rsplit(".to_", 1)
        key = f"unet.{place}.processor.to_{end.removesuffix('.0')}_lora"
        seed += 2
        out[f"{key}.down.weight"], out[f"{key}.up.weight"] = pair(layer, seed)
    for name, layer in layers(parts["text_encoder"], ("q_proj", "k_proj", "v_proj", "out_proj")):
        seed += 2
        key = f"text_encoder.text_model.{name.removeprefix('text_model.')}.lora_linear_layer"
        out[f"{key}.down.weight"], out[f"{key}.up.weight"] = pair(layer, seed)
    return out


def diffusers_middle(parts):
    """`lora.down` of the UNet's linear layers."""
    out, seed = {}, 4000
    for name, layer in layers(parts["unet"], ATTENTION):
        seed += 2
        out[f"unet.{name}.lora.down.weight"], out[f"unet.{name}.lora.up.weight"] = pair(layer, seed)
    return out


def write_peft(path, parts):
    """Adapters that peft made, saved by diffusers with their alphas as metadata."""
    configs = {"unet": LoraConfig(r=RANK, lora_alpha=7, target_modules=["to_q", "to_k", "to_v", "to_out.0", "conv1"],
                                  alpha_pattern={"to_k": 2}, init_lora_weights=False),
               "text_encoder": LoraConfig(r=RANK, lora_alpha=4, use_rslora=True, target_modules=["q_proj", "fc1"],
                                          init_lora_weights=False)}
    torch.manual_seed(5)
    states, metadata = {}, {}
    for part, config in configs.items():
        parts[part].add_adapter(config)
        states[part] = get_peft_model_state_dict(parts[part])
        metadata[f"{part}_lora_adapter_metadata"] = {
            key: list(value) if isinstance(value, set) else value for key, value in config.to_dict().items()}
    StableDiffusionPipeline.save_lora_weights(path.parent, unet_lora_layers=states["unet"],
                                              text_encoder_lora_layers=states["text_encoder"],
                                              weight_name=path.name, **metadata)


def expect(out, case, kind, loras):
    """loras: (file, weight), or with a weight for each network."""
    pipe = pipeline(kind)
    names = [f"a{i}" for i in range(len(loras))]
    for name, (file, _) in zip(names, loras):
        pipe.load_lora_weights(out, weight_name=f"{file}.safetensors", adapter_name=name)
    check_all_taken(pipe, kind, {name: load_file(out / f"{file}.safetensors") for name, (file, _) in zip(names, loras)})
    pipe.set_adapters(names, [weight for _, weight in loras])
    pipe.fuse_lora(components=list(pipe.get_list_adapters()))
    pipe.unload_lora_weights()
    save_file(outputs(kind, pipe), out / f"{case}-expected.safetensors")


def check_all_taken(pipe, kind, files):
    for adapter, tensors in files.items():
        pairs = sum(key.endswith((".lora_down.weight", ".lora_A.weight", "lora.down.weight", "layer.down.weight"))
                    for key in tensors)
        taken = sum(f".lora_A.{adapter}." in name for part in NETWORKS[kind]
                    for name, _ in getattr(pipe, part).named_parameters())
        assert pairs == taken > 0, (adapter, pairs, taken)


def words(out):
    """Textual inversions as diffusers, its trainers and AUTOMATIC1111's web UI write them."""
    folder = out / "words"
    encoder = randomize(CLIPTextModel(CLIPTextConfig(hidden_size=24, intermediate_size=48, num_hidden_layers=2,
                                                     num_attention_heads=2)), 21)
    encoder.save_pretrained(folder / "text_encoder")
    tokenizer = CLIPTokenizer.from_pretrained(ROOT / "tokenizer" / "clip")
    pipe = StableDiffusionPipeline(unet=unet_of("sd1"), vae=AutoencoderKL(block_out_channels=(8,), norm_num_groups=4),
                                   text_encoder=encoder, tokenizer=tokenizer, scheduler=DDIMScheduler(),
                                   safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    plain = pipe.encode_prompt(PROMPT, "cpu", 1, False)[0]
    save_file({"<cat-toy>": tensor(24, seed=31)}, folder / "learned_embeds.safetensors")
    save_file({"emb_params": tensor(3, 24, seed=32)}, folder / "brushwork.safetensors")
    torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": tensor(2, 24, seed=33)}, "name": "oldfilm",
                "step": 500, "sd_checkpoint": None, "sd_checkpoint_name": None}, folder / "oldfilm.pt")
    pipe.load_textual_inversion(folder, weight_name="learned_embeds.safetensors")
    pipe.load_textual_inversion(folder, weight_name="brushwork.safetensors", token="brushwork")
    pipe.load_textual_inversion(folder, weight_name="oldfilm.pt")
    added = pipe.encode_prompt(PROMPT, "cpu", 1, False)[0]
    save_file({"plain": plain.clone(), "added": added.clone(), **words_xl(folder)},
              out / "words-expected.safetensors")


def words_xl(folder):
    """Vectors for both text encoders in one file, as trainers for Stable Diffusion XL write them."""
    second = randomize(CLIPTextModelWithProjection(CLIPTextConfig(hidden_size=32, intermediate_size=64,
                                                                  num_hidden_layers=2, num_attention_heads=2,
                                                                  projection_dim=20)), 22)
    second.save_pretrained(folder / "text_encoder_2")
    first = CLIPTextModel.from_pretrained(folder / "text_encoder")
    tokenizers = [CLIPTokenizer.from_pretrained(ROOT / "tokenizer" / name) for name in ("clip", "open_clip")]
    pipe = StableDiffusionXLPipeline(unet=unet_of("sdxl"), vae=AutoencoderKL(block_out_channels=(8,), norm_num_groups=4),
                                     text_encoder=first, text_encoder_2=second, tokenizer=tokenizers[0],
                                     tokenizer_2=tokenizers[1], scheduler=DDIMScheduler())
    vectors = {"clip_l": tensor(2, 24, seed=34), "clip_g": tensor(2, 32, seed=35)}
    save_file(vectors, folder / "watercolour.safetensors")
    for name, text_encoder, tokenizer in zip(vectors, (first, second), tokenizers):
        pipe.load_textual_inversion({"emb_params": vectors[name]}, token="watercolour", text_encoder=text_encoder,
                                    tokenizer=tokenizer)
    states, _, pooled, _ = pipe.encode_prompt(PROMPT_XL, device="cpu", do_classifier_free_guidance=False)
    return {"xl": states.clone(), "xl_pooled": pooled.clone()}


@torch.no_grad()
def main():
    out = begin(threads=2)
    sd1, sdxl = networks("sd1"), networks("sdxl")
    for kind, parts in (("sd1", sd1), ("sdxl", sdxl)):
        for part, network in parts.items():
            network.save_pretrained(out / kind / part)
    files = {"kohya": kohya(sd1, TRANSFORMER),
             "convolutions": kohya({"unet": sd1["unet"]}, CONVOLUTIONS, seed=2000),
             "processors": diffusers_old(sd1),
             "middle": diffusers_middle(sd1),
             "kohya_xl": kohya(sdxl, TRANSFORMER, original, ("lora_te1_", "lora_te2_"), seed=5000)}
    for case, tensors in files.items():
        save_file(tensors, out / f"{case}.safetensors")
    write_peft(out / "peft.safetensors", networks("sd1"))
    for case in ("kohya", "convolutions", "processors", "middle", "peft"):
        expect(out, case, "sd1", [(case, 1.0)])
    expect(out, "several", "sd1", [("kohya", 0.7), ("convolutions", -0.4)])
    expect(out, "kohya_xl", "sdxl", [("kohya_xl", 0.8)])
    expect(out, "two_weights", "sdxl", [("kohya_xl", {"unet": 0.7, "text_encoder": 1.2, "text_encoder_2": 1.2})])
    words(out)
    save_file(INPUTS, out / "inputs.safetensors")


if __name__ == "__main__":
    main()
