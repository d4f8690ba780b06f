"""Prompts as AUTOMATIC1111's web UI reads them (prompts_syntax.py), on top of transformers and diffusers.

    python prompts_reference.py OUT_DIR

Writes OUT_DIR/sd1 and OUT_DIR/sdxl (small random pipelines with CLIP's real vocabulary), prompts.json, for each model
MODEL-states.safetensors with `a1111.I`, `negative.I`, `skipped.I` (a layer left out) and, of diffusers' own
encode_prompt, `plain.I` for prompt I, for SDXL also `pooled.I` and `plain_pooled.I`; cases.json (requests) and for each
case NAME.safetensors with the final `latents`.
"""

import json
import shutil
from pathlib import Path

import torch
from diffusers import (DDIMScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler, PNDMScheduler,
                       StableDiffusionPipeline, StableDiffusionXLPipeline)
from pipelines_reference import init_image, networks, sharpen
from prompts_syntax import check_syntax, chunks, compose, script
from recording import begin, generators
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

ROOT = Path(__file__).resolve().parents[2]
NEGATIVE = "blurry, (ugly:1.4)"
SCHEDULERS = dict(ddim=DDIMScheduler, pndm=PNDMScheduler, heun=HeunDiscreteScheduler, euler=EulerDiscreteScheduler)
COMMAS = ", ".join(f"a {color} {thing}" for thing in ("cat", "dog", "house", "tree") for color in
                   ("red", "blue", "green", "old", "very small", "shiny", "wooden"))
WORDS = " ".join(["word"] * 75)

PROMPTS = [
    "a cat on a sofa",
    "",
    "an (important) word",
    "a (cat:1.3) on a sofa",
    "((a cat)) on a [sofa]",
    "a ((cat:1.2) and a dog) here",
    "(unbalanced",
    "unbalanced) [too",
    r"\(literal\] \\ and \a backslash",
    "(unnecessary)(parens)",
    "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
    "a word:1.3) that was never opened",
    "(spaces : 1.4 ) around a weight",
    "(a weight:of no number) and (a:b:1.2)",
    "(nothing:0) left",
    "(negative:-0.5)",
    "un(believ)able",
    "[less [and less]] of it",
    "([both] of them:1.5)",
    "(a:1.2)(b:1.2) [c](d:1.1)",
    "一只猫坐在沙发上，(红色:1.3)",
    "?!., ;:... --- ,,,",
    "()[]((]:)",
    WORDS,
    WORDS + " one",
    WORDS + ", then",
    COMMAS,
    "(" + COMMAS + ":1.2), " + COMMAS,
    ", ".join(["word"] * 37) + ", a last part, and more",
    " ".join(["word"] * 60) + ", " + " ".join(["end"] * 30),
    " ".join(["word"] * 50) + ", " + " ".join(["end"] * 40),
    "a cat BREAK a dog",
    "a cat BREAK BREAK a (dog:1.3) BREAK",
    "BREAK a cat, BREAKFAST",
    "a cat\nBREAK\n" + COMMAS,
    "a Caf\u00e9 (na\u00efve:0.8) \U0001f431",
    "(a very (deeply (nested (prompt:1.05) of) [many] words) indeed",
    "the word is " + "supercalifragilistic" * 30,
    ("all sorts, (of:1.1) things " * 400)[:10000],
]

# [from:to:when], [a|b] and AND; step counts are such that each change happens within the run.
CASES = [
    dict(name="from_to", model="sd1", steps=6, sampler="ddim", prompt="a [cat:dog:3] on a sofa", batch_count=2),
    dict(name="fraction", model="sd1", steps=7, sampler="ddim", prompt="a [red:blue:0.5] (cat:1.3)",
         guidance_scale=3.0),
    dict(name="add_and_remove", model="sd1", steps=6, sampler="euler", prompt="a cat[ in snow:2][ at night::4]"),
    dict(name="nested", model="sd1", steps=6, sampler="ddim", prompt="a [cat:[dog:(horse:1.2):4]:2]"),
    dict(name="alternating", model="sd1", steps=6, sampler="ddim", prompt="a [cat|dog|(horse:1.4)] on a sofa"),
    dict(name="negative", model="sd1", steps=5, sampler="ddim", prompt="a cat", negative_prompt="a [dog:house:2]"),
    dict(name="longer_later", model="sd1", steps=4, sampler="ddim", prompt=f"a cat [{COMMAS}:2]"),
    dict(name="heun", model="sd1", steps=5, sampler="heun", prompt="a [cat|dog] on a [sofa:tree:2]"),
    dict(name="pndm", model="sd1", steps=6, sampler="pndm", prompt="a [cat:dog:3] on a sofa"),
    dict(name="unguided", model="sd1", steps=5, sampler="ddim", prompt="a [cat:dog:2]", guidance_scale=1.0),
    dict(name="and", model="sd1", steps=5, sampler="ddim", prompt="a cat :1.2 AND a dog :0.8", batch_count=2),
    dict(name="and_scheduled", model="sd1", steps=6, sampler="ddim",
         prompt="a [cat:(dog:1.3):2] AND a house AND [blue|red] :-0.4", guidance_rescale=0.5),
    dict(name="and_unguided", model="sd1", steps=4, sampler="ddim", prompt="a cat AND a dog:0.5", guidance_scale=1.0),
    dict(name="img2img", model="sd1", steps=10, sampler="ddim", prompt="a [cat:dog:0.5]", strength=0.6),
    dict(name="xl", model="sdxl", steps=6, sampler="euler", prompt="a [cat:dog:3] AND (snow:1.3) :0.7", batch_count=2),
    dict(name="xl_negative", model="sdxl", steps=4, sampler="euler", prompt=f"[cat|dog] {COMMAS}",
         negative_prompt=NEGATIVE),
]


# --- States

def encoders(pipeline):
    if isinstance(pipeline, StableDiffusionXLPipeline):
        return [(pipeline.tokenizer, pipeline.text_encoder), (pipeline.tokenizer_2, pipeline.text_encoder_2)]
    return [(pipeline.tokenizer, pipeline.text_encoder)]


def states_of(model, ids, is_xl, skip):
    output = model(torch.tensor([ids]), output_hidden_states=True)
    if is_xl:
        return output.hidden_states[-2 - skip], output[0]
    return model.final_layer_norm(output.hidden_states[-1 - skip]), None


@torch.no_grad()
def encode(pipeline, text, count, skip=0):
    """States [1, 77 C, D] of `count` chunks, and the pooled state."""
    sides, pooled, is_xl = [], [], isinstance(pipeline, StableDiffusionXLPipeline)
    for tokenizer, model in encoders(pipeline):
        side, parts = [], chunks(tokenizer, text)
        for part in parts + [[]] * (count - len(parts)):
            ids = [tokenizer.bos_token_id] + [i for i, _ in part] + [tokenizer.eos_token_id]
            z, chunk_pooled = states_of(model, ids + [tokenizer.pad_token_id] * (77 - len(ids)), is_xl, skip)
            multipliers = torch.tensor([1.0] + [weight for _, weight in part] + [1.0] * (76 - len(part)))
            mean = z.mean()
            z = z * multipliers[None, :, None]
            side.append(z * (mean / z.mean()))
            pooled.append(chunk_pooled)
        sides.append(torch.cat(side, 1))
    return torch.cat(sides, -1), pooled[-count]  # of the last encoder's first chunk


def count_of(pipeline, texts):
    return max(len(chunks(tokenizer, text)) for tokenizer, _ in encoders(pipeline) for text in texts)


def write_states(pipeline, path):
    is_xl = isinstance(pipeline, StableDiffusionXLPipeline)
    tensors = {}
    for i, prompt in enumerate(PROMPTS):
        count = count_of(pipeline, [prompt, NEGATIVE])
        tensors[f"a1111.{i}"], pooled = encode(pipeline, prompt, count)
        tensors[f"negative.{i}"], negative_pooled = encode(pipeline, NEGATIVE, count)
        tensors[f"skipped.{i}"], _ = encode(pipeline, prompt, count, skip=1)
        plain = pipeline.encode_prompt(prompt, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True,
                                       negative_prompt=NEGATIVE)
        tensors[f"plain.{i}"] = torch.cat([plain[1], plain[0]])
        if is_xl:
            tensors[f"pooled.{i}"] = torch.cat([negative_pooled, pooled])
            tensors[f"plain_pooled.{i}"] = torch.cat([plain[3], plain[2]])
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


# --- Trajectories

def told(pipeline, words, count):
    """The UNet's keyword arguments with a row for each of `words`; None is zeros."""
    rows = [(None, None) if text is None else encode(pipeline, text, count) for text in words]
    like = next(row for row in rows if row[0] is not None)
    fill = lambda row, side: torch.zeros_like(like[side]) if row[side] is None else row[side]
    arguments = dict(encoder_hidden_states=torch.cat([fill(row, 0) for row in rows]))
    if isinstance(pipeline, StableDiffusionXLPipeline):
        ids = torch.tensor([[64.0, 64, 0, 0, 64, 64]] * len(rows))
        arguments["added_cond_kwargs"] = dict(text_embeds=torch.cat([fill(row, 1) for row in rows]), time_ids=ids)
    return arguments


def guide(outputs, weights, case):
    negative, positives = outputs[:1], outputs[1:]
    direction = sum(weight * (positive[None] - negative) for weight, positive in zip(weights, positives))
    guided = negative + max(1.0, case.get("guidance_scale", 7.5)) * direction
    rescale = case.get("guidance_rescale", 0.0)
    ratio = (negative + direction).std() / guided.std()
    return rescale * ratio * guided + (1 - rescale) * guided


def start(pipeline, scheduler, case, generator, image):
    """The noised latents and the timesteps from there."""
    if "strength" not in case:
        noise = torch.randn(1, 4, 16, 16, generator=generator)
        return noise * scheduler.init_noise_sigma, scheduler.timesteps
    pixels = pipeline.image_processor.preprocess(image, 64, 64)
    latents = pipeline.vae.encode(pixels).latent_dist.sample(generator) * pipeline.vae.config.scaling_factor
    noise = torch.randn(latents.shape, generator=generator)
    timesteps = scheduler.timesteps[case["steps"] - int(case["steps"] * case["strength"]):]
    return scheduler.add_noise(latents, noise, timesteps[:1]), timesteps


def step_of(evaluation, case):
    """Of the prompt, from 0: Heun's method evaluates twice a step, PNDM's second evaluation redoes its first step."""
    return {"heun": evaluation // 2, "pndm": max(0, evaluation - 1)}.get(case["sampler"], evaluation)


@torch.no_grad()
def run(pipeline, case, generator, image):
    scheduler = SCHEDULERS[case["sampler"]].from_config(pipeline.scheduler.config, skip_prk_steps=True)
    scheduler.set_timesteps(case["steps"])
    x, timesteps = start(pipeline, scheduler, case, generator, image)
    count = step_of(len(timesteps) - 1, case) + 1
    parts, weights = zip(*compose(case["prompt"]))
    scripts = [script(case["negative_prompt"], count) if "negative_prompt" in case else
               [None if case["model"] == "sdxl" else ""] * count] + [script(part, count) for part in parts]
    length = count_of(pipeline, [text for said in scripts for text in said if text is not None])
    for evaluation, t in enumerate(timesteps):
        words = [said[step_of(evaluation, case)] for said in scripts]
        inputs = scheduler.scale_model_input(x, t).expand(len(words), -1, -1, -1)
        outputs = pipeline.unet(inputs, t, **told(pipeline, words, length)).sample
        x = scheduler.step(guide(outputs, weights, case), t, x).prev_sample
    return x


# --- Models

def encoder(kind, **options):
    config = CLIPTextConfig(vocab_size=49408, hidden_size=32, intermediate_size=64, num_hidden_layers=3,
                            num_attention_heads=4, bos_token_id=49406, eos_token_id=49407, **options)
    model = kind(config).eval()
    for parameter in model.parameters():  # the default deviations make states that hardly depend on the text
        torch.nn.init.normal_(parameter, std=1.0 if parameter.dim() == 1 else parameter.shape[-1] ** -0.5)
    return model


def build(folder, is_xl):
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(7)
    tokenizer = CLIPTokenizer.from_pretrained(ROOT / "tokenizer" / "clip")
    options = dict(cross_attention_dim=64, addition_embed_type="text_time", addition_time_embed_dim=8,
                   projection_class_embeddings_input_dim=24 + 8 * 6) if is_xl else {}
    unet, vae = networks(**options)
    parts = dict(vae=vae, unet=unet, tokenizer=tokenizer, text_encoder=encoder(CLIPTextModel))
    beta = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
    if is_xl:
        pipeline = StableDiffusionXLPipeline(
            **parts, tokenizer_2=CLIPTokenizer.from_pretrained(ROOT / "tokenizer" / "open_clip", pad_token="!"),
            text_encoder_2=encoder(CLIPTextModelWithProjection, projection_dim=24, hidden_act="gelu"),
            scheduler=EulerDiscreteScheduler(timestep_spacing="leading", **beta), add_watermarker=False)
    else:
        pipeline = StableDiffusionPipeline(
            **parts, scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False,
                                               timestep_spacing="leading", **beta), safety_checker=None,
            feature_extractor=None, requires_safety_checker=False)
    sharpen(pipeline, most=2)
    pipeline.save_pretrained(folder)
    return pipeline


def main():
    check_syntax()
    out = begin()
    image = init_image(out / "init.png")
    pipelines = {name: build(out / name, name == "sdxl") for name in ("sd1", "sdxl")}
    (out / "prompts.json").write_text(json.dumps(dict(prompts=PROMPTS, negative_prompt=NEGATIVE)))
    for name, pipeline in pipelines.items():
        write_states(pipeline, out / f"{name}-states.safetensors")
    for seed, case in enumerate(CASES):
        one_each = [run(pipelines[case["model"]], case, one, image) for one in generators(dict(case, seed=seed))]
        latents = torch.cat(one_each)
        save_file({"latents": latents.contiguous()}, out / f"{case['name']}.safetensors")
    requests = [dict(case, seed=seed, width=64, height=64, **({"image": "init.png"} if "strength" in case else {}))
                for seed, case in enumerate(CASES)]
    (out / "cases.json").write_text(json.dumps(requests, indent=2))


if __name__ == "__main__":
    main()
