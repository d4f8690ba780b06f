"""GLIDE as diffusers 0.0.4 has it: its networks, schedulers and pipeline, each file loaded alone.

The package as a whole does not import with today's transformers. The few names that its files import of the package
and of transformers are replaced below.
"""

import importlib.util
import sys
import types
from pathlib import Path

import torch

ROOT = Path(sys.prefix) / "references" / "diffusers-0.0.4" / "diffusers"
PACKAGE = "diffusers_0_0_4"


class Config:
    """ConfigMixin."""

    def register(self, **values):
        self.values = values


class Pipeline:
    """DiffusionPipeline."""


class Scheduler:
    """SchedulerMixin."""

    def set_format(self, tensor_format):
        pass

    def clip(self, tensor, low, high):
        return tensor.clamp(low, high)


class Model(torch.nn.Module):
    """ModelMixin and PreTrainedModel."""

    def __init__(self, config=None):
        super().__init__()
        self.config = config

    def post_init(self):
        pass


class Output(types.SimpleNamespace):
    """ModelOutput: members by name, and by their order."""

    def __getitem__(self, index):
        return list(self.__dict__.values())[index]


def module(name, **members):
    made = types.ModuleType(name)
    made.__dict__.update(members)
    made.__path__ = []
    sys.modules[name] = made
    return made


def load(relative):
    name = f"{PACKAGE}.{relative.replace('/', '.')}"
    spec = importlib.util.spec_from_file_location(name, ROOT / f"{relative}.py")
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made


def stand_in_transformers():
    """The names of transformers that the pipeline's text transformer, a copy of CLIP's, imports."""
    unchanged = lambda *arguments, **options: lambda function: function
    names = ("CLIPConfig", "CLIPModel", "CLIPTextConfig", "CLIPVisionConfig", "GPT2Tokenizer")
    quick_gelu = lambda x: x * torch.sigmoid(1.702 * x)
    module("transformers", **{name: object for name in names})
    module("transformers.activations", ACT2FN={"gelu": torch.nn.functional.gelu, "quick_gelu": quick_gelu})
    module("transformers.modeling_outputs", BaseModelOutput=Output, BaseModelOutputWithPooling=Output)
    module("transformers.modeling_utils", PreTrainedModel=Model)
    module("transformers.utils", ModelOutput=object, add_start_docstrings_to_model_forward=unchanged,
           replace_return_docstrings=unchanged)


def load_package():
    """The modules unet_glide, classifier_free_guidance, scheduling_ddim and pipeline_glide."""
    kept = {name: made for name, made in sys.modules.items() if name.split(".")[0] == "transformers"}
    module(PACKAGE)
    module(f"{PACKAGE}.configuration_utils", ConfigMixin=Config)
    module(f"{PACKAGE}.modeling_utils", ModelMixin=Model)
    module(f"{PACKAGE}.pipeline_utils", DiffusionPipeline=Pipeline)
    module(f"{PACKAGE}.utils", logging=types.SimpleNamespace(get_logger=lambda name: None))
    module(f"{PACKAGE}.schedulers.scheduling_utils", SchedulerMixin=Scheduler,
           betas_for_alpha_bar=None, linear_beta_schedule=None)
    for name in ("models", "schedulers", "pipelines"):
        module(f"{PACKAGE}.{name}")
    guidance = load("schedulers/classifier_free_guidance")
    utils = sys.modules[f"{PACKAGE}.schedulers.scheduling_utils"]
    utils.betas_for_alpha_bar = guidance.betas_for_alpha_bar
    utils.linear_beta_schedule = lambda timesteps, beta_start, beta_end: torch.linspace(
        beta_start, beta_end, timesteps, dtype=torch.float64).numpy()
    ddim = load("schedulers/scheduling_ddim")
    networks = load("models/unet_glide")
    sys.modules[f"{PACKAGE}.models"].__dict__.update(networks.__dict__)
    sys.modules[f"{PACKAGE}.schedulers"].__dict__.update(
        ClassifierFreeGuidanceScheduler=guidance.ClassifierFreeGuidanceScheduler, DDIMScheduler=ddim.DDIMScheduler)
    stand_in_transformers()
    pipeline = load("pipelines/pipeline_glide")
    for name in [name for name in sys.modules if name.split(".")[0] == "transformers"]:
        del sys.modules[name]
    sys.modules.update(kept)
    return types.SimpleNamespace(networks=networks, guidance=guidance, ddim=ddim, pipeline=pipeline)
