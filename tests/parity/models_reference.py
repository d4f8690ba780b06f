"""Writes what diffusers' networks and layers compute with random weights: models_reference.py OUT_DIR."""

import pathlib
import shutil
import sys

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel, UNet2DModel
from diffusers.models.attention_processor import Attention
from diffusers.models.downsampling import Downsample2D
from diffusers.models.embeddings import TimestepEmbedding, get_timestep_embedding
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.upsampling import Upsample2D
from safetensors.torch import save_file


def randomize(model, seed):
    """Norms that are not the identity, biases that are not small, attention that is not flat: all of them count."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 1:
            parameter.data = 0.3 * noise + (1.0 if "norm" in name and name.endswith("weight") else 0.0)
        elif "class_embedding.weight" in name:
            parameter.data = noise
        else:
            fan_in = parameter[0].numel()
            gain = 2.0 if ".to_" in name else 1.0
            parameter.data = gain * noise / fan_in**0.5
    return model.eval()


def unit_std(layer, output):
    scale = 1.0 / output.std().item()
    layer.weight.data *= scale
    layer.bias.data *= scale


def save(folder, tensors):
    save_file({key: value.detach().contiguous().clone() for key, value in tensors.items()}, folder / "golden.safetensors")


def tensor(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


CONDITION = {
    # Stable Diffusion 1: convolutional projections, one head count for all blocks.
    "sd1": (
        dict(block_out_channels=(32, 64, 64), norm_num_groups=8, cross_attention_dim=24, attention_head_dim=4,
             down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
             up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"), layers_per_block=2),
        dict(size=(16, 16), timestep=torch.tensor(501)),
    ),
    # Stable Diffusion 2 and its upscaler: linear projections, heads per block, classes.
    "sd2": (
        dict(block_out_channels=(32, 64, 64), norm_num_groups=8, cross_attention_dim=24, attention_head_dim=(2, 4, 8),
             down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), in_channels=7,
             up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), layers_per_block=1,
             use_linear_projection=True, upcast_attention=True, num_class_embeds=11,
             only_cross_attention=(True, False, True)),
        dict(size=(16, 24), timestep=torch.tensor([999, 3]), class_labels=torch.tensor([10, 4])),
    ),
    # Stable Diffusion XL: transformers of several layers, pooled text and sizes.
    "sdxl": (
        dict(block_out_channels=(32, 64), norm_num_groups=8, cross_attention_dim=24, attention_head_dim=(2, 4),
             down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
             layers_per_block=2, transformer_layers_per_block=(1, 3), use_linear_projection=True,
             addition_embed_type="text_time", addition_time_embed_dim=16,
             projection_class_embeddings_input_dim=16 * 6 + 20),
        dict(size=(16, 16), timestep=torch.tensor(17.25),
             added=dict(text_embeds=tensor(2, 20, seed=5),
                        time_ids=torch.tensor([[1024.0, 768, 0, 8, 1024, 768], [512, 512, 64, 0, 1024, 1024]]))),
    ),
    # Sizes that do not divide, a text mask, a distilled model's guidance, and about every other option.
    "odd": (
        dict(block_out_channels=(16, 24, 32), norm_num_groups=8, cross_attention_dim=(12, 20, 12), attention_head_dim=(2, 3, 4),
             down_block_types=("CrossAttnDownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
             up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "CrossAttnUpBlock2D"), layers_per_block=(1, 2, 3),
             resnet_time_scale_shift="scale_shift", act_fn="gelu", mid_block_scale_factor=1.5, freq_shift=1,
             flip_sin_to_cos=False, center_input_sample=True, conv_in_kernel=5, conv_out_kernel=1, time_embedding_dim=40,
             time_embedding_act_fn="silu", timestep_post_act="mish", time_cond_proj_dim=9, class_embed_type="projection",
             projection_class_embeddings_input_dim=6, class_embeddings_concat=True, norm_eps=1e-3),
        dict(size=(11, 13), timestep=torch.tensor([0.5, 731.75]), class_labels=tensor(2, 6, seed=6),
             timestep_cond=tensor(2, 9, seed=7), mask=torch.tensor([[1, 1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 0]]),
             states=12),
    ),
    # A projection of the text, classes as timesteps, a middle block without attention.
    "projected": (
        dict(block_out_channels=(16, 32), norm_num_groups=4, cross_attention_dim=24, encoder_hid_dim=10, attention_head_dim=4,
             down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
             layers_per_block=1, class_embed_type="timestep", mid_block_type="UNetMidBlock2D"),
        dict(size=(8, 8), timestep=torch.tensor(100), class_labels=torch.tensor([7, 300]), states=10),
    ),
    # Pooled text in the time embedding, which scales and shifts: the model that ships.
    "pooled": (
        dict(block_out_channels=(16, 24), norm_num_groups=8, cross_attention_dim=24, attention_head_dim=(2, 3),
             down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
             layers_per_block=1, use_linear_projection=True, resnet_time_scale_shift="scale_shift",
             addition_embed_type="text", addition_embed_type_num_heads=4),
        dict(size=(8, 8), timestep=torch.tensor([400, 20])),
    ),
    # The same before a projection of the text, as DeepFloyd IF has it.
    "pooled_projected": (
        dict(block_out_channels=(16, 32), norm_num_groups=4, cross_attention_dim=24, encoder_hid_dim=12, attention_head_dim=4,
             down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
             layers_per_block=1, addition_embed_type="text", addition_embed_type_num_heads=2),
        dict(size=(8, 8), timestep=torch.tensor(900), states=12),
    ),
    # SSD-1B: depths that differ from layer to layer, and on the way up from those on the way down.
    "ssd": (
        dict(block_out_channels=(16, 24, 32), norm_num_groups=8, cross_attention_dim=24, attention_head_dim=(2, 3, 4),
             down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
             up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), layers_per_block=2,
             use_linear_projection=True, transformer_layers_per_block=(1, (1, 2), (3, 2)),
             reverse_transformer_layers_per_block=((2, 2, 4), (2, 1, 1), 1), mid_block_type="UNetMidBlock2D",
             addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=8 * 6 + 12),
        dict(size=(8, 12), timestep=torch.tensor([17, 603]),
             added=dict(text_embeds=tensor(2, 12, seed=5),
                        time_ids=torch.tensor([[64.0, 48, 0, 8, 64, 64], [32, 32, 4, 0, 64, 64]]))),
    ),
    # GLIDE: one attention to text and image, resnets that resize, scale and shift, the text's last state in the time
    # embedding; a learned variance.
    "glide": (
        dict(block_out_channels=(16, 32, 48), norm_num_groups=8, cross_attention_dim=20, attention_head_dim=8,
             down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D", "SimpleCrossAttnDownBlock2D"),
             up_block_types=("SimpleCrossAttnUpBlock2D", "SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
             mid_block_type="UNetMidBlock2DSimpleCrossAttn", layers_per_block=2, resnet_time_scale_shift="scale_shift",
             in_channels=3, out_channels=6, class_embed_type="simple_projection", projection_class_embeddings_input_dim=20),
        dict(size=(16, 8), timestep=torch.tensor([997, 20]), class_labels=tensor(2, 20, seed=8)),
    ),
    # The same with blocks that attend to the text alone, and heads that differ from block to block.
    "glide_cross": (
        dict(block_out_channels=(16, 24), norm_num_groups=8, cross_attention_dim=12, attention_head_dim=(8, 4),
             down_block_types=("SimpleCrossAttnDownBlock2D", "SimpleCrossAttnDownBlock2D"), layers_per_block=1,
             up_block_types=("SimpleCrossAttnUpBlock2D", "SimpleCrossAttnUpBlock2D"),
             mid_block_type="UNetMidBlock2DSimpleCrossAttn", mid_block_only_cross_attention=True, mid_block_scale_factor=1.4,
             only_cross_attention=(True, False), norm_eps=1e-3),
        dict(size=(8, 8), timestep=torch.tensor(300), states=12),
    ),
    # A text mask, which hides none of the image's own positions.
    "glide_masked": (
        dict(block_out_channels=(16, 16), norm_num_groups=4, cross_attention_dim=12, attention_head_dim=8, layers_per_block=1,
             down_block_types=("SimpleCrossAttnDownBlock2D", "ResnetDownsampleBlock2D"),
             up_block_types=("ResnetUpsampleBlock2D", "SimpleCrossAttnUpBlock2D"), mid_block_type="UNetMidBlock2DSimpleCrossAttn"),
        dict(size=(8, 8), timestep=torch.tensor([300, 5]),
             mask=torch.tensor([[1, 1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 0]])),
    ),
    # The smaller distilled models: no middle block.
    "no_mid": (
        dict(block_out_channels=(16, 32), norm_num_groups=4, cross_attention_dim=8, attention_head_dim=2,
             down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), layers_per_block=1, mid_block_type=None,
             up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"), class_embed_type="simple_projection",
             projection_class_embeddings_input_dim=5, only_cross_attention=True),
        dict(size=(8, 12), timestep=torch.tensor(100), class_labels=tensor(2, 5, seed=8)),
    ),
}


def condition_networks(out):
    for name, (config, call) in CONDITION.items():
        model = randomize(UNet2DConditionModel(**config), seed=1)
        width = call.get("states") or config["cross_attention_dim"]
        inputs = {"sample": tensor(2, model.config.in_channels, *call["size"], seed=2), "timestep": call["timestep"],
                  "encoder_hidden_states": tensor(2, 7, width, seed=3)}
        options = {key: call[key] for key in ("class_labels", "timestep_cond") if key in call}
        added = call.get("added")
        run = lambda: model(**inputs, **options, added_cond_kwargs=added, encoder_attention_mask=call.get("mask")).sample
        unit_std(model.conv_out, run())
        folder = out / f"condition_{name}"
        model.save_pretrained(folder)
        golden = {**inputs, **options, **(added or {}), "output": run()}
        if "mask" in call:
            golden["encoder_attention_mask"] = call["mask"]
        save(folder, golden)


UNCONDITIONAL = {
    # DDPM's CIFAR-10 and LSUN networks.
    "ddpm": (
        dict(block_out_channels=(16, 32, 32), norm_num_groups=8, layers_per_block=2, attention_head_dim=None,
             down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"), downsample_padding=0, norm_eps=1e-6,
             up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"), flip_sin_to_cos=False, freq_shift=1),
        dict(size=(16, 16), timestep=torch.tensor(400)),
    ),
    # ADM's way: resnets that resize, scale and shift, classes.
    "adm": (
        dict(block_out_channels=(16, 32), norm_num_groups=8, layers_per_block=1, attention_head_dim=8, num_class_embeds=5,
             down_block_types=("AttnDownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "AttnUpBlock2D"),
             downsample_type="resnet", upsample_type="resnet", resnet_time_scale_shift="scale_shift", out_channels=6),
        dict(size=(8, 16), timestep=torch.tensor([0, 999]), class_labels=torch.tensor([4, 0])),
    ),
    "odd": (
        dict(block_out_channels=(12, 24, 24), norm_num_groups=6, attn_norm_num_groups=3, layers_per_block=1, in_channels=5,
             down_block_types=("AttnDownBlock2D", "DownBlock2D", "DownBlock2D"), attention_head_dim=4, center_input_sample=True,
             up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"), act_fn="mish", mid_block_scale_factor=1.3,
             class_embed_type="timestep", time_embedding_dim=20),
        dict(size=(12, 4), timestep=torch.tensor([12.5, 3]), class_labels=torch.tensor([40, 2])),
    ),
    "no_mid": (
        dict(block_out_channels=(8, 8), norm_num_groups=4, layers_per_block=1, mid_block_type=None,
             down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D")),
        dict(size=(8, 8), timestep=torch.tensor(1)),
    ),
}


def unconditional_networks(out):
    for name, (config, call) in UNCONDITIONAL.items():
        model = randomize(UNet2DModel(**config), seed=1)
        inputs = {"sample": tensor(2, model.config.in_channels, *call["size"], seed=2), "timestep": call["timestep"]}
        if "class_labels" in call:
            inputs["class_labels"] = call["class_labels"]
        unit_std(model.conv_out, model(**inputs).sample)
        folder = out / f"unconditional_{name}"
        model.save_pretrained(folder)
        save(folder, {**inputs, "output": model(**inputs).sample})


AUTOENCODERS = {
    "sd": (dict(block_out_channels=(16, 32, 32), norm_num_groups=8, layers_per_block=2, latent_channels=4), (32, 24)),
    "flux": (
        dict(block_out_channels=(16, 32), norm_num_groups=4, layers_per_block=1, latent_channels=16, use_quant_conv=False,
             use_post_quant_conv=False, shift_factor=0.1159, scaling_factor=0.3611, mid_block_add_attention=False),
        (16, 16),
    ),
    "odd": (
        dict(block_out_channels=(12,), norm_num_groups=3, layers_per_block=1, latent_channels=3, in_channels=1, out_channels=5,
             act_fn="gelu"),
        (9, 7),
    ),
}


def tiled_results(model):
    """In three by two tiles or more, the last of them cut off."""
    scale = 2 ** (len(model.config.block_out_channels) - 1)
    latents = tensor(1, model.config.latent_channels, 76 // scale, 52 // scale, seed=6)
    image = tensor(1, model.config.in_channels, 76, 52, seed=7)
    model.enable_tiling()
    results = {"tiled_latents": latents, "tiled_decoded": model.decode(latents).sample, "tiled_image": image,
               "tiled_mean": model.encode(image).latent_dist.mean}
    model.disable_tiling()
    return results


def autoencoders(out):
    for name, (config, size) in AUTOENCODERS.items():
        blocks = len(config["block_out_channels"])
        model = AutoencoderKL(down_block_types=("DownEncoderBlock2D",) * blocks, up_block_types=("UpDecoderBlock2D",) * blocks, **config)
        randomize(model, seed=1)
        image = tensor(2, model.config.in_channels, *size, seed=2)
        unit_std(model.quant_conv or model.encoder.conv_out, model.encode(image).latent_dist.parameters)
        posterior = model.encode(image).latent_dist
        latents = tensor(*posterior.mean.shape, seed=4)
        unit_std(model.decoder.conv_out, model.decode(latents).sample)
        noise = torch.randn(posterior.mean.shape, generator=torch.Generator().manual_seed(9))
        folder = out / f"autoencoder_{name}"
        model.save_pretrained(folder)
        tiled = tiled_results(model)
        save(folder, {**tiled, "image": image, "mean": posterior.mean, "logvar": posterior.logvar, "noise": noise, "kl": posterior.kl(),
                      "sample": posterior.sample(torch.Generator().manual_seed(9)), "latents": latents,
                      "decoded": model.decode(latents).sample})


def older_autoencoder(out):
    """The names of attention before diffusers 0.18, which it still reads."""
    source, folder = out / "autoencoder_sd", out / "autoencoder_older"
    shutil.copytree(source, folder, dirs_exist_ok=True)
    names = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    weights = {}
    for key, value in AutoencoderKL.from_pretrained(source).state_dict().items():
        for present, older in names.items():
            key = key.replace(present, older)
        weights[key] = value
    save_file(weights, folder / "diffusion_pytorch_model.safetensors", {"format": "pt"})


LAYERS = {
    "resnet": (lambda: ResnetBlock2D(in_channels=12, out_channels=20, temb_channels=10, groups=4), "image temb"),
    "resnet_scale_shift": (
        lambda: ResnetBlock2D(in_channels=12, out_channels=12, temb_channels=10, groups=4, time_embedding_norm="scale_shift",
                              non_linearity="mish", output_scale_factor=1.4),
        "image temb",
    ),
    "resnet_up": (lambda: ResnetBlock2D(in_channels=12, temb_channels=10, groups=4, up=True), "image temb"),
    "resnet_down": (lambda: ResnetBlock2D(in_channels=12, temb_channels=10, groups=4, down=True), "image temb"),
    "downsample": (lambda: Downsample2D(12, use_conv=True, padding=1), "image"),
    "downsample_unpadded": (lambda: Downsample2D(12, use_conv=True, padding=0), "image"),
    "upsample": (lambda: Upsample2D(12, use_conv=True), "image"),
    "attention_image": (
        lambda: Attention(12, heads=3, dim_head=4, bias=True, norm_num_groups=4, residual_connection=True,
                          rescale_output_factor=1.2),
        "image",
    ),
    "attention_text": (lambda: Attention(12, cross_attention_dim=10, heads=2, dim_head=8), "tokens states"),
    "transformer": (
        lambda: Transformer2DModel(3, 4, in_channels=12, num_layers=2, cross_attention_dim=10, norm_num_groups=4), "image states"),
    "transformer_linear": (
        lambda: Transformer2DModel(3, 4, in_channels=12, cross_attention_dim=10, norm_num_groups=4, use_linear_projection=True),
        "image states",
    ),
    "time_embedding": (lambda: TimestepEmbedding(10, 24, post_act_fn="gelu"), "temb"),
}

INPUTS = {"image": tensor(2, 12, 6, 10, seed=2), "temb": tensor(2, 10, seed=3), "tokens": tensor(2, 5, 12, seed=4),
          "states": tensor(2, 7, 10, seed=5)}


def layers(out):
    golden = dict(INPUTS)
    for name, (make, inputs) in LAYERS.items():
        layer = randomize(make(), seed=1)
        arguments = [INPUTS[key] for key in inputs.split()]
        output = layer(*arguments)
        golden[f"{name}/output"] = output if torch.is_tensor(output) else output.sample
        seen = {}
        for key, value in layer.named_parameters():  # once each: a downsampler's convolution has two names
            seen[f"{name}/weights/{key.replace('Conv2d_0', 'conv')}"] = value
        golden |= seen
    timesteps = torch.tensor([0.0, 1, 499.5, 999])
    golden["timesteps"] = timesteps
    golden["waves/cos_first"] = get_timestep_embedding(timesteps, 32, True, 0)
    golden["waves/sin_first"] = get_timestep_embedding(timesteps, 15, False, 1)
    (out / "layers").mkdir(exist_ok=True)
    save(out / "layers", golden)


@torch.no_grad()
def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)  # networks this small only lose by more
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    layers(out)
    autoencoders(out)
    older_autoencoder(out)
    unconditional_networks(out)
    condition_networks(out)


if __name__ == "__main__":
    main()
