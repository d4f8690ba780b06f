"""Writes CLIP's vocabulary as transformers stores it: build.py bpe_simple_vocab_16e6.txt.gz OUT_DIR.

The input is the list of merges that OpenAI published with CLIP (the Python package open_clip carries it). The rules are
those of CLIP's simple_tokenizer.py: the first 48,894 merges count, and ids go to the 256 bytes, the same at the end of
a word, the merges in their order, and the two special tokens.
"""

import gzip
import json
import sys
from pathlib import Path

SPECIAL_TOKENS = ["<|startoftext|>", "<|endoftext|>"]
VOCABULARY_SIZE = 49408


def byte_characters() -> list[str]:
    """A printable character for each byte, in CLIP's order: the printable ones stand for themselves."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]


def main() -> None:
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    byte_tokens = byte_characters()
    merge_count = VOCABULARY_SIZE - 2 * len(byte_tokens) - len(SPECIAL_TOKENS)
    lines = gzip.open(source, "rt", encoding="utf-8").read().split("\n")
    merges = lines[1 : 1 + merge_count]
    tokens = byte_tokens + [token + "</w>" for token in byte_tokens]
    tokens += [merge.replace(" ", "") for merge in merges] + SPECIAL_TOKENS
    assert len(set(tokens)) == VOCABULARY_SIZE, len(set(tokens))
    out.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: i for i, token in enumerate(tokens)}
    (out / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (out / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    names = {"bos_token": SPECIAL_TOKENS[0], "eos_token": SPECIAL_TOKENS[1], "unk_token": SPECIAL_TOKENS[1]}
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": SPECIAL_TOKENS[1]} | names
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
