"""What transformers' text encoders compute, with random weights: text_reference.py OUT_DIR.

Writes for each configuration a folder NAME (config.json, model.safetensors) and NAME.safetensors with the ids and the
outputs, and buckets.safetensors with T5's relative position buckets.
"""

import json
import sys
from pathlib import Path

import torch
from diffusers.models.embeddings import TimestepEmbedding, get_timestep_embedding
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection
from transformers import T5Config, T5EncoderModel
from transformers.models.t5.modeling_t5 import T5Attention

# An odd one is among each: heads that do not fill d_model, an odd length, few buckets.
T5 = {
    "t5_layer": (dict(d_model=64, d_kv=16, d_ff=128, num_layers=1, num_heads=4), 32),
    "t5_relu": (dict(d_model=64, d_kv=16, d_ff=128, num_layers=4, num_heads=4), 32),
    "t5_gated": (dict(d_model=96, d_kv=64, d_ff=160, num_layers=6, num_heads=6, feed_forward_proj="gated-gelu"), 77),
    "t5_odd": (
        dict(d_model=40, d_kv=7, d_ff=33, num_layers=3, num_heads=3, feed_forward_proj="gated-gelu",
             relative_attention_num_buckets=10, relative_attention_max_distance=20, layer_norm_epsilon=1e-5),
        131,
    ),
    "t5_one_token": (dict(d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4), 1),
}  # fmt: skip

CLIP = {
    "clip_layer": (CLIPTextModel, dict(hidden_size=64, intermediate_size=96, num_hidden_layers=1, num_attention_heads=4)),
    "clip_quick": (CLIPTextModel, dict(hidden_size=64, intermediate_size=128, num_hidden_layers=4, num_attention_heads=4)),
    "clip_gelu_legacy_eos": (
        CLIPTextModel,
        dict(hidden_size=96, intermediate_size=192, num_hidden_layers=6, num_attention_heads=3, hidden_act="gelu",
             eos_token_id=2),
    ),
    "clip_odd": (
        CLIPTextModel,
        dict(hidden_size=35, intermediate_size=51, num_hidden_layers=3, num_attention_heads=5, layer_norm_eps=1e-4,
             max_position_embeddings=19),
    ),
    "clip_projection": (
        CLIPTextModelWithProjection,
        dict(hidden_size=64, intermediate_size=128, num_hidden_layers=3, num_attention_heads=4, hidden_act="gelu",
             projection_dim=48),
    ),
    "clip_projection_odd": (
        CLIPTextModelWithProjection,
        dict(hidden_size=30, intermediate_size=17, num_hidden_layers=2, num_attention_heads=3, projection_dim=7,
             eos_token_id=2),
    ),
}  # fmt: skip

CLIP_MODELS = {
    "clip_model_quick": dict(
        text=dict(hidden_size=64, intermediate_size=128, num_hidden_layers=3, num_attention_heads=4),
        vision=dict(hidden_size=48, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, image_size=32, patch_size=8),
    ),
    "clip_model_gelu_legacy_eos": dict(
        text=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, hidden_act="gelu", eos_token_id=2),
        vision=dict(hidden_size=64, intermediate_size=80, num_hidden_layers=4, num_attention_heads=8, image_size=28, patch_size=14,
                    hidden_act="gelu"),
        top=dict(projection_dim=24),
    ),
    # Sides that the patches do not fill, as many channels as latents, widths that differ.
    "clip_model_odd": dict(
        text=dict(hidden_size=35, intermediate_size=51, num_hidden_layers=2, num_attention_heads=5, layer_norm_eps=1e-4,
                  max_position_embeddings=19),
        vision=dict(hidden_size=30, intermediate_size=17, num_hidden_layers=2, num_attention_heads=3, image_size=11, patch_size=3,
                    num_channels=4, layer_norm_eps=1e-4),
        top=dict(projection_dim=7),
    ),
    "clip_model_noised": dict(
        text=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2),
        vision=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=16, patch_size=4),
        top=dict(projection_dim=20), noised=True,
    ),
}  # fmt: skip


def write_t5(out: Path, name: str, options: dict, length: int) -> None:
    config = T5Config(vocab_size=200, dropout_rate=0.1, **options)
    model = T5EncoderModel(config).eval()
    model.save_pretrained(out / name)
    ids = torch.randint(2, config.vocab_size, (3, length))
    mask = torch.ones_like(ids)
    mask[1, length // 2 + 1 :] = 0
    save_file(
        {
            "ids": ids,
            "attention_mask": mask,
            "last_hidden_state": model(ids).last_hidden_state,
            "masked": model(ids, attention_mask=mask).last_hidden_state,
        },
        out / f"{name}.safetensors",
    )


def write_t5_gradients(out: Path) -> None:
    """Gradients of the states' product with a fixed target, for the weights written as t5_gated.

    Not of their mean square: the last norm makes that constant.
    """
    model = T5EncoderModel.from_pretrained(out / "t5_gated").eval()
    ids = torch.randint(2, model.config.vocab_size, (2, 17))
    target = torch.randn(2, 17, model.config.d_model)
    (model(ids).last_hidden_state * target).sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    save_file({"ids": ids, "target": target} | gradients, out / "t5_gradients.safetensors")


def write_buckets(out: Path) -> None:
    tables = {}
    for length, buckets, distance in [(32, 32, 128), (512, 32, 128), (200, 10, 20), (77, 64, 17), (300, 4, 2)]:
        positions = torch.arange(length)
        tables[f"{length}_{buckets}_{distance}"] = T5Attention._relative_position_bucket(
            positions[None, :] - positions[:, None], True, buckets, distance
        )
    save_file(tables, out / "buckets.safetensors")


def clip_ids(config: CLIPTextConfig) -> torch.Tensor:
    """Prompts of several lengths between bos and eos, padded with eos as CLIP's tokenizer does."""
    bos, eos = config.vocab_size - 2, config.vocab_size - 1
    ids = torch.full((3, config.max_position_embeddings), eos)
    for row, length in enumerate([1, 7, config.max_position_embeddings - 2]):
        ids[row, 1 : length + 1] = torch.randint(3, bos, (length,))
    ids[:, 0] = bos
    return ids


def write_clip(out: Path, name: str, model_class: type, options: dict) -> None:
    config = CLIPTextConfig(vocab_size=150, **({"eos_token_id": 149} | options))
    model = model_class(config).eval()
    # The default deviations make a network that hardly depends on its input.
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=1.0 if parameter.dim() == 1 else parameter.shape[-1] ** -0.5)
    model.save_pretrained(out / name)
    ids = clip_ids(config)
    output = model(ids, output_hidden_states=True)
    pooled = output.text_embeds if model_class is CLIPTextModelWithProjection else output.pooler_output
    tensors = {"ids": ids, "last_hidden_state": output.last_hidden_state, "pooler_output": pooled}
    tensors |= {f"hidden_states.{i}": state for i, state in enumerate(output.hidden_states)}
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, out / f"{name}.safetensors")


def clip_model(options: dict) -> CLIPModel:
    text, vision, top = options["text"], options["vision"], options.get("top", {})
    text = dict(vocab_size=150, eos_token_id=149, bos_token_id=148) | text
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, **top)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=1.0 if parameter.dim() < 2 else parameter[0].numel() ** -0.5)
    torch.nn.init.constant_(model.logit_scale, 1.3)
    return model


def add_time_embedding(model: CLIPModel, timesteps: torch.Tensor) -> TimestepEmbedding:
    """Makes the image tower one of noised images: an embedding of the timestep before the first norm."""
    width = model.config.vision_config.hidden_size
    embedding = TimestepEmbedding(width, width)
    for parameter in embedding.parameters():
        torch.nn.init.normal_(parameter, std=1.0 if parameter.dim() == 1 else width**-0.5)
    states = lambda: embedding(get_timestep_embedding(timesteps, width, True, 0)).unsqueeze(1)
    model.vision_model.pre_layrnorm.register_forward_pre_hook(lambda _, inputs: inputs[0] + states())
    return embedding


def write_clip_model(out: Path, name: str, options: dict) -> None:
    model = clip_model(options)
    model.save_pretrained(out / name)
    timesteps = torch.tensor([3, 500, 941])
    if options.get("noised"):
        embedding = add_time_embedding(model, timesteps)
        config, weights = out / name / "config.json", out / name / "model.safetensors"
        settings = json.loads(config.read_text())
        settings["vision_config"]["time_embedding"] = True
        config.write_text(json.dumps(settings))
        added = {f"vision_model.time_embedding.{key}": value for key, value in embedding.state_dict().items()}
        save_file(load_file(weights) | added, weights, {"format": "pt"})
    vision = model.config.vision_config
    ids = clip_ids(model.config.text_config)
    pixels = torch.randn(3, vision.num_channels, vision.image_size, vision.image_size)
    with torch.enable_grad():
        pixels.requires_grad_(True)
        output = model(input_ids=ids, pixel_values=pixels)
        (gradient,) = torch.autograd.grad(output.logits_per_image.diagonal().sum(), pixels)
    tensors = {"ids": ids, "pixels": pixels.detach(), "timesteps": timesteps, "gradient": gradient,
               "text_embeds": output.text_embeds, "image_embeds": output.image_embeds,
               "logits_per_image": output.logits_per_image, "states": output.vision_model_output.last_hidden_state}
    save_file({key: value.detach().contiguous().clone() for key, value in tensors.items()}, out / f"{name}.safetensors")


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, (options, length) in T5.items():
            write_t5(out, name, options, length)
        for name, (model_class, options) in CLIP.items():
            write_clip(out, name, model_class, options)
        for name, options in CLIP_MODELS.items():
            write_clip_model(out, name, options)
    write_t5_gradients(out)
    write_buckets(out)


if __name__ == "__main__":
    main()
