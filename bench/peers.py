"""Pieces that the comparisons share: processes that answer, and the circumstances that are stored with figures."""

import json
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

VERSIONS = """
import importlib.metadata, json, platform, sys
versions = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(versions))
"""


class Contender:
    """A process that answers words with numbers, as bench_networks and the scripts in contenders/ do."""

    def __init__(self, command, threads):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True, env=environment_with(threads))

    def ask(self, word):
        try:
            self.process.stdin.write(word + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: there is no answer either
        answer = self.process.stdout.readline()
        if not answer:
            status = self.process.wait()
            self.errors.seek(0)
            raise SystemExit(f"{self.process.args[0]} ended with status {status} at '{word}': "
                             f"{self.errors.read()[-2000:]}")
        return [float(number) for number in answer.split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def environment_with(threads):
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}


def script(name):
    return str(Path(__file__).resolve().parent / "contenders" / f"{name}.py")


def output_of(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def versions_of(python, *packages):
    """Versions of a Python and of those of the packages that it has."""
    return json.loads(output_of(python, "-c", VERSIONS, *packages))


def revision_of(binary):
    """Commit of the checkout that holds a built program."""
    return subprocess.run(["git", "-C", binary.parent, "describe", "--always", "--dirty"], capture_output=True,
                          text=True).stdout.strip()


def processor_entry(key):
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return "unknown"


def processor_name():
    return processor_entry("model name")


def processor_facts():
    """Name of the processor, its instructions for bfloat16, and what the environment limits programs to."""
    flags = processor_entry("flags").split()
    limits = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")
    return {"processor": processor_name(), "avx512_bf16": "avx512_bf16" in flags, "amx_bf16": "amx_bf16" in flags,
            **{name: os.environ[name] for name in limits if name in os.environ}}


def as_text(command):
    """A command without the folders of this machine."""
    def short(word):
        key, equals, value = word.rpartition("=")
        return key + equals + (Path(value).name if value.startswith("/") else value)
    return shlex.join(short(str(word)) for word in command)


def write_figures(path, figures):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n")
