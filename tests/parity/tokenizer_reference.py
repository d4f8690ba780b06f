"""What transformers' tokenizers make of hard strings: tokenizer_reference.py OUT_DIR.

Writes tokenizer folders (T5's with a SentencePiece model trained here, CLIP's in the forms that diffusers folders have
had over time) and, for each, NAME.json: a list of {"text", "ids", "ties"}. Texts are hexadecimal UTF-8, so that control
characters survive every JSON parser. Ties are other segmentations of the same score.
"""

import io
import json
import random
import shutil
import sys
from pathlib import Path

import sentencepiece
from tokenizers import ByteLevelBPETokenizer
from transformers import CLIPTokenizer, GPT2Tokenizer, T5Tokenizer

ROOT = Path(__file__).resolve().parents[2]

PLAIN = """a cat on a sofa|A Photo Of A Dog|two red apples and a green pear|an astronaut riding a horse, 4k|it's|I'll
they've|we're|don't|can't've|she'd|I'm|IT'S|DON'T|'s|'ll'd|'re 've|rock'n'roll|''s|o'clock|the dogs' bones|’s it’s
don’t|1234567890|3.14159|1,000,000|100%|7th|2x4|x2y3|a1b2c3|10:30|1/2|#1|C++|C#|e=mc^2|-5|+49 30 123456|hello, world!
wow!!!|what?!|...|…|---|___|((nested))|[brackets]|{braces}|<tag>|a/b\\c|user@example.com|https://example.com/a?b=c&d=e
#hashtag|@mention|(red:1.3)|[blue]|{a|b}|masterpiece, best quality, 1girl|foo_bar|snake_case_name|camelCaseName|ALLCAPS
"quoted"|“curly”|‘single’|„German“|«French»|‹x›|`code`|~tilde~|^caret^|*star*|&amp;|&lt;b&gt;|&#39;|&nbsp;
<|startoftext|>|<|endoftext|>|a <|endoftext|> b|<|STARTOFTEXT|>|<|EndOfText|>|<|endoftext|>cat|cat<|endoftext|>
<| endoftext |>|<|endoftext|<|endoftext|>|</s>|a</s>b|a </s> b|<pad>|<unk>|<s>|<extra_id_0>|<PAD>|</S>|</w>|a</w>b|!|a!b
Ã©tÃ©|donâ€™t|â€œquotesâ€|Ã¼ber|ï»¿bom|naïve café|résumé|Ærøskøbing|Straße|STRASSE|ßẞ|Łódź|žluťoučký kůň|İstanbul
ıI iİ|ΑΣ|ΣΑΣ ΟΔΟΣ|ὈΔΥΣΣΕΎΣ|ΐΰ|ǆǅǄ|ﬁ ﬂ ﬀ|ﬃ|ĳ Ĳ|ŉ|ǰ|½ ¼|²³|Ⅷ ⅷ|①②|㊀|㎏|™®©|№|℃|ＡＢＣ１２３|ｱｲｳ|ﾊﾟ|！？
日本語|日本 の 猫|東京タワー|ねこがソファにいる|猫|カタカナ|ｶﾞ|한국어|고양이|한국어|中文字符|一隻貓在沙發上|龍|𠮷野家|𪚥
кошка на диване|Привет, мир!|Ёлка Йод|ЁЛКА|українська ґ|γάτα|გამარჯობა|ԲԱՐԵՎ|Ꭰꭰ|𐐀𐐨|Ⓐⓐ|Ꙁ
قطة على أريكة|السلام عليكم|مَرْحَبًا|٣٤٥|לום|חתול על ספה|שָׁלוֹם|فارسی ک گ|می‌خواهم|اردو|بِسْمِ ٱللَّٰهِ|﷽
नमस्ते|हिन्दी क्षत्रिय|বাংলা|தமிழ்|ไทย แมว|ສະບາຍດີ|မြန်မာ|ខ្មែរ|བོད|ሰላም|සිංහල|മലയാളം|१२३|๑๒๓
😀|a😀b|😀😀😀|👨‍👩‍👧‍👦|👍🏽|🇩🇪🇫🇷|❤️|❤|☺️|🏳️‍🌈|1️⃣|#️⃣|🐈 on 🛋️|🐈‍⬛|🤷🏻‍♀️|🫠|🪿|🛋|☃|♥|→ ← ⇒|∀x∈ℝ|∑∫√∞|¬∧∨|█▓░|♞|𝒜𝓑|𝟙𝟚|𝔥𝔢𝔩𝔩𝔬
¯\\_(ツ)_/¯|(╯°□°）╯︵ ┻━┻|ಠ_ಠ|ʕ•ᴥ•ʔ|z̷̢̛a̸l̵g̶o̷|H̸̡̪̯ͨ͊̽̅̾̎Ȩ̬̩̾͛ͪ̈́̀́͘|▁|▁cat|a▁b|▁▁|a ▁ b|Ġcat|Ċ|â|ſ|K|Å"""

CODED = [
    "", " ", "  ", "\n", "\t", "\r\n", " \n\t ", "\u3000", "\u00a0", "\u2003\u2009", "\u200b", "\u2028", "\u2029",
    "\u0085", "\u180e", "\ufeff", "\u202f", "\u205f", "\u1680", "\u00ad", "\u2060", "\u200c", "\u200d", "\u200e\u200f",
    " leading", "trailing ", "  two  spaces  ", "tab\there", "line\nbreak", "crlf\r\nline", "a\u00a0b", "a\u3000b",
    "a\u200bb", "a\u200db", "a\u2028b", "a\u0085b", "a\u180eb", "a\u1680b", "a\ufeffb", "\ufeffbom", "soft\u00adhyphen",
    "a\u2060b", "nul\x00byte", "\x00", "\x01\x02\x03", "\x7f", "a\x7fb", "bell\x07", "esc\x1b[31mred", "\x1c\x1d\x1e",
    "a\x1cb", "a\x0bb", "a\x0cb", "\x80\x9f", "a\x80b", "e\u0301", "caf\u0065\u0301", "E\u0301", "\u0301", " \u0301",
    "a\u0301\u0302\u0303", "\u1100\u1161\u11a8", "\u0041\u030a", "\u212b", "\u2126", "\u1e9b\u0323", "q\u0307\u0323",
    "\u0344", "\u0958", "\u2adc", "\ufb1d", "\U0001d15e", "\u0f43", "\u0340\u0341", "I\u0307", "\u0130", "\u0130\u0307",
    "s\u030c\u0323", "a\u0323\u0302", "\u0915\u094d\u0937", "\u0061\u0328\u0301", "\u202e rtl override",
    "\u2066isolate\u2069", "\ufffd", "\ufffe", "\uffff", "\ue000", "\U000f0000", "\U0010ffff", "\U0001f600\ufe0f",
    "\u0378", "\U000e0041\U000e007f", "\U0001f3f4\U000e0067\U000e0062\U000e007f", "\u2800", "\u3164", "\u115f\u1160",
    "\u0600\u0601", "'\u0301s", "it\u02bcs", "it\uff07s", "a\u2019 s", "\u01c5\u01c8", "\u1f88 \u1fbc", "\u03a3",
    "x" * 76, "x " * 100, "a cat on a sofa " * 20, "cat" * 3334, "a" * 10000, "ab " * 3334, "\u732b" * 10000,
    "\U0001f408" * 2500, "e\u0301" * 5000, " " * 10000, "!" * 10000, "1" * 10000, "'" * 10000, "!" * 74 + " cat",
    " ".join(["word"] * 74), " ".join(["word"] * 75), " ".join(["word"] * 76), " ".join(["word"] * 30),
    " ".join(["word"] * 31), " ".join(["word"] * 32), "the quick brown fox jumps over the lazy dog " * 250,
]  # fmt: skip


def plain_strings() -> list[str]:
    return [text for line in PLAIN.split("\n") for text in line.split("|") if text]


def hard_strings() -> list[str]:
    texts = plain_strings()
    # The separator hides the special tokens in the list above.
    texts += ["<|startoftext|>", "<|endoftext|>", "a <|endoftext|> b", "<|STARTOFTEXT|>", "<|EndOfText|>", "{a|b}",
              "<|endoftext|>cat", "cat<|endoftext|>", "<| endoftext |>", "<|endoftext|<|endoftext|>"]  # fmt: skip
    source = random.Random(0)
    ranges = [(0x20, 0x7F), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x530), (0x590, 0x700), (0x900, 0xE00),
              (0x1E00, 0x2100), (0x3040, 0x3100), (0x4E00, 0x4F00), (0xAC00, 0xAD00), (0x1F300, 0x1F600)]  # fmt: skip
    for _ in range(100):
        picked = source.sample(ranges, 3)
        texts.append("".join(chr(source.randrange(*source.choice(picked))) for _ in range(source.randrange(1, 40))))
    return list(dict.fromkeys(texts + CODED))


def encode(tokenizer, texts: list[str]) -> list[list[int]]:
    return tokenizer(texts, padding="max_length", truncation=True, max_length=tokenizer.model_max_length).input_ids


def write_cases(out: Path, name: str, texts: list[str], ids: list[list[int]], ties: dict | None = None) -> None:
    cases = [
        {"text": text.encode().hex(), "ids": row, "ties": (ties or {}).get(text, [])}
        for text, row in zip(texts, ids, strict=True)
    ]
    (out / f"{name}.json").write_text(json.dumps(cases))


def train_sentencepiece(folder: Path, texts: list[str]) -> None:
    """A small unigram model with T5's special ids, of words that the hard strings partly share."""
    words = "a the cat dog sofa on under two three red green apple pear house tree in front of and with photo".split()
    source = random.Random(1)
    corpus = [" ".join(source.choices(words, k=source.randrange(2, 9))) for _ in range(2000)]
    corpus += [text for text in texts if 0 < len(text) < 60 and "\n" not in text and "\0" not in text][::2]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus), model_writer=model, vocab_size=1200, model_type="unigram", pad_id=0, eos_id=1,
        unk_id=2, bos_id=-1, character_coverage=0.98, hard_vocab_limit=False, minloglevel=2, num_threads=1,
    )  # fmt: skip
    (folder / "spiece.model").write_bytes(model.getvalue())


def padded(ids: list[int], length: int) -> list[int]:
    row = ids[: length - 1] + [1]
    return row + [0] * (length - len(row))


def tied_segmentations(processor, texts: list[str], length: int) -> dict[str, list[list[int]]]:
    """The other best segmentations of texts that have several: ". .." and ".. ." score the same up to the rounding of a
    sum in another order, which versions of SentencePiece do differently."""
    ties = {}
    for text in texts:
        if not text.strip() or len(text) > 60:
            continue
        best, *others = processor.nbest_encode(text, nbest_size=8, return_type="proto").nbests
        same = [other for other in others if abs(other.score - best.score) < 1e-4]
        if same:
            ties[text] = [padded([piece.id for piece in each.pieces], length) for each in [best, *same]]
    return ties


def correct_lost_marks(processor, tokenizer, texts: list[str], ids: list[list[int]]) -> int:
    """Puts SentencePiece's ids in place of transformers' where the latter's normaliser loses combining marks.

    tokenizers' Precompiled replaces a whole grapheme by what its first characters map to: U+0340 U+0341 becomes
    U+0300 alone. SentencePiece, which T5 was trained with, maps both. Returns how many texts that concerns.
    """
    count = 0
    for i, text in enumerate(texts):
        theirs = tokenizer.backend_tokenizer.normalizer.normalize_str(text)
        original = processor.normalize(text)
        if "".join(theirs.split()) != "".join(original.replace("\u2581", " ").split()) and "\u2581" not in text:
            row = padded(processor.encode(text), len(ids[i]))
            count += row != ids[i]
            ids[i] = row
    return count


def write_t5(out: Path, name: str, max_length: int, texts: list[str], model: Path | None = None) -> None:
    folder = out / name
    folder.mkdir(exist_ok=True)
    if model:
        shutil.copy(model, folder / "spiece.model")
    else:
        train_sentencepiece(folder, texts)
    config = {"tokenizer_class": "T5Tokenizer", "model_max_length": max_length, "extra_ids": 0}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = T5Tokenizer.from_pretrained(folder)
    ids = encode(tokenizer, texts)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model"))
    corrected = correct_lost_marks(processor, tokenizer, texts, ids)
    assert corrected < len(texts) // 50, f"{corrected} of {len(texts)} texts are not transformers'"
    write_cases(out, name, texts, ids, tied_segmentations(processor, texts, max_length))


WORDS = ["a <cat-toy> on a sofa", "<Cat-Toy>s", "a<cat-toy>b", "MyDog mydogs", "＜cat-toy＞", "<A> <a>", "< cat-toy >",
         "  <b>  x", "x <b>, <B>", "x<q>", "<q>", " <q> y", "é<q>、", "、<q>", "<mask> <Mask>  <MASK>", "<sep> <image>",
         "<extra_id_0> cat <extra_id_1>", "a<extra_id_99>", "<cat-toy><cat-toy>", "a  <mask>  <cls> b"]  # fmt: skip


def write_t5_added(out: Path, name: str, texts: list[str], config: dict, files: dict, model: Path) -> None:
    """Words of a T5 tokenizer beyond its model, as `files` add them."""
    folder = out / name
    folder.mkdir(exist_ok=True)
    shutil.copy(model, folder / "spiece.model")
    config = {"tokenizer_class": "T5Tokenizer", "model_max_length": 32} | config
    for file, content in ({"tokenizer_config.json": config} | files).items():
        (folder / file).write_text(json.dumps(content))
    tokenizer = T5Tokenizer.from_pretrained(folder)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model"))
    assert len(tokenizer) > processor.piece_size()
    texts = texts + WORDS
    ids = encode(tokenizer, texts)
    corrected = correct_lost_marks(processor, tokenizer, texts[: -len(WORDS)], ids)
    assert corrected < len(texts) // 50, f"{corrected} of {len(texts)} texts are not transformers'"
    write_cases(out, name, texts, ids, tied_segmentations(processor, texts, 32))


def write_t5_json(out: Path, texts: list[str]) -> None:
    """t5_trained as transformers 5 saves it, in tokenizer.json alone, with sentinels beyond the model's pieces."""
    spiece, folder = out / "t5_trained" / "spiece.model", out / "t5_json"
    shutil.rmtree(folder, ignore_errors=True)
    T5Tokenizer.from_pretrained(out / "t5_trained", extra_ids=2).save_pretrained(folder)
    assert not (folder / "spiece.model").exists()
    tokenizer = T5Tokenizer.from_pretrained(folder)
    texts = texts + ["<extra_id_1>", "a<extra_id_0> cat <extra_id_2>"]
    ids = encode(tokenizer, texts)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(spiece))
    assert max(ids[-1]) >= pieces.piece_size()
    corrected = correct_lost_marks(pieces, tokenizer, texts, ids)
    assert corrected < len(texts) // 50, f"{corrected} of {len(texts)} texts are not transformers'"
    write_cases(out, "t5_json", texts, ids, tied_segmentations(pieces, texts, 32))


def added(content: str, normalized: bool, **flags) -> dict:
    return {"__type": "AddedToken", "content": content, "lstrip": False, "normalized": normalized, "rstrip": False,
            "single_word": False} | flags  # fmt: skip


BOS, EOS = "<|startoftext|>", "<|endoftext|>"
CLIP_FOLDERS = {
    # As tokenizer/clip ships.
    "clip_plain": ({"pad_token": EOS}, None),
    # Stable Diffusion 1.x and 2.x: tokens as objects, and a map whose plain pad token goes before the config's.
    "clip_sd1": (
        {"bos_token": added(BOS, True), "eos_token": added(EOS, True), "unk_token": added(EOS, True), "pad_token": EOS},
        {key: {k: v for k, v in added(content, True).items() if k != "__type"}
         for key, content in [("bos_token", BOS), ("eos_token", EOS), ("unk_token", EOS)]} | {"pad_token": EOS},
    ),
    # Stable Diffusion 2's and SDXL's second tokenizer pad with "!", which then is special in the text too.
    "clip_pad_exclamation": (
        {"bos_token": added(BOS, True), "eos_token": added(EOS, True), "unk_token": added(EOS, True), "pad_token": "!"},
        {"bos_token": {k: v for k, v in added(BOS, True).items() if k != "__type"}, "pad_token": "!"},
    ),
    # As transformers 4.31 and later write it.
    "clip_added_tokens": (
        {"bos_token": BOS, "eos_token": EOS, "unk_token": EOS, "pad_token": "!",
         "added_tokens_decoder": {
             "0": {"content": "!", "lstrip": False, "normalized": False, "rstrip": False, "special": True},
             "49406": {"content": BOS, "lstrip": False, "normalized": True, "rstrip": False, "special": True},
             "49407": {"content": EOS, "lstrip": False, "normalized": True, "rstrip": False, "special": True}}},
        None,
    ),
}  # fmt: skip


def in_map(content: str, normalized: bool, **flags) -> dict:
    return {key: value for key, value in added(content, normalized, **flags).items() if key != "__type"}


# Words beyond the vocabulary, in every file that transformers 4 and 5 read: tokenizer_config.json, and the others.
CLIP_ADDED = {
    # Textual inversion as diffusers' script saved it with transformers before 4.34.
    "clip_words": ({"pad_token": EOS}, {"added_tokens.json": {"<cat-toy>": 49408, "MyDog": 49409}}),
    "clip_words_special": (
        {"pad_token": EOS, "additional_special_tokens": ["<A>", added("<q>", False, single_word=True)]},
        {"added_tokens.json": {"<A>": 49408, "<b>": 49409, "<q>": 49410}},
    ),
    "clip_words_map": (
        {"pad_token": EOS},
        {"special_tokens_map.json": {"additional_special_tokens": ["<A>", "<b>"], "sep_token": "<sep>",
                                     "mask_token": in_map("<Mask>", False, lstrip=True)},
         "added_tokens.json": {"<A>": 49408}},
    ),
    "clip_words_map_extra": (
        {"pad_token": "!", "image_token": "<image>"},
        {"special_tokens_map.json": {"extra_special_tokens": ["<A>", in_map("<b>", True, lstrip=True, rstrip=True)]},
         "added_tokens.json": {"<A>": 49408, "<cat-toy>": 49409}},
    ),
    "clip_words_config": (
        {"pad_token": EOS, "cls_token": "<cls>", "mask_token": "<mask>",
         "extra_special_tokens": ["<A>", added("<Q>", True, lstrip=True, rstrip=True, single_word=True)]},
        {},
    ),
    # The decoder alone counts where there is one.
    "clip_words_decoder": (
        {"pad_token": EOS, "added_tokens_decoder": {"49408": in_map("<Cat-Toy>", True, special=False),
                                                    "49409": in_map("<b>", False, rstrip=True, special=True)}},
        {"added_tokens.json": {"<A>": 49410}, "special_tokens_map.json": {"additional_special_tokens": ["<q>"]}},
    ),
}  # fmt: skip


def write_clip_added(out: Path, name: str) -> None:
    config, files = CLIP_ADDED[name]
    folder = out / name
    folder.mkdir(exist_ok=True)
    for file in ["vocab.json", "merges.txt"]:
        shutil.copy(ROOT / "tokenizer" / "clip" / file, folder / file)
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77} | config
    for file, content in ({"tokenizer_config.json": config} | files).items():
        (folder / file).write_text(json.dumps(content))
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    assert len(tokenizer) > 49408
    texts = plain_strings() + WORDS
    write_cases(out, name, texts, encode(tokenizer, texts))


def write_clip_json(out: Path) -> None:
    """clip_words as transformers 5 saves it: tokenizer.json and a tokenizer_config.json that names no words."""
    folder = out / "clip_words_json"
    shutil.rmtree(folder, ignore_errors=True)
    CLIPTokenizer.from_pretrained(out / "clip_words").save_pretrained(folder)
    assert not (folder / "added_tokens.json").exists()
    assert "cat-toy" not in (folder / "tokenizer_config.json").read_text()
    texts = plain_strings() + WORDS
    write_cases(out, "clip_words_json", texts, encode(CLIPTokenizer.from_pretrained(folder), texts))


def write_clip(out: Path, name: str, texts: list[str]) -> None:
    config, special_tokens_map = CLIP_FOLDERS[name]
    folder = out / name
    folder.mkdir(exist_ok=True)
    for file in ["vocab.json", "merges.txt"]:
        shutil.copy(ROOT / "tokenizer" / "clip" / file, folder / file)
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77} | config
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    if special_tokens_map:
        (folder / "special_tokens_map.json").write_text(json.dumps(special_tokens_map))
    write_cases(out, name, texts, encode(CLIPTokenizer.from_pretrained(folder), texts))


def write_gpt2(out: Path, texts: list[str]) -> None:
    """GPT-2's kind of vocabulary, trained on the hard strings, in its two files and as transformers 5 saves it."""
    folder, saved = out / "gpt2", out / "gpt2_json"
    folder.mkdir(exist_ok=True)
    trainer = ByteLevelBPETokenizer()
    trainer.train_from_iterator([text for text in texts if len(text) < 200], vocab_size=900, min_frequency=2,
                                show_progress=False)
    trainer.save_model(str(folder))
    vocabulary = json.loads((folder / "vocab.json").read_text())
    vocabulary[EOS] = len(vocabulary)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    config = {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 24, "pad_token": EOS}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = GPT2Tokenizer.from_pretrained(folder)
    write_cases(out, "gpt2", texts, encode(tokenizer, texts))
    tokenizer.save_pretrained(saved)
    write_cases(out, "gpt2_json", texts, encode(GPT2Tokenizer.from_pretrained(saved), texts))


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    texts = hard_strings()
    write_t5(out, "t5_trained", 32, texts)
    write_t5_json(out, texts)
    write_t5(out, "t5_long", 512, texts)
    trained = out / "t5_trained" / "spiece.model"
    write_t5_added(out, "t5_sentinels", texts, {}, {}, trained)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(trained)).piece_size()
    words = {"added_tokens.json": {"<cat-toy>": pieces + 2, "MyDog": pieces + 3, "<A>": pieces + 4}}
    marks = {"special_tokens_map.json": {"eos_token": "</s>", "mask_token": "<mask>"}}
    write_t5_added(out, "t5_words", texts, {"extra_ids": 2}, words | marks, trained)
    shipped = ROOT / "tokenizer" / "spiece.model"
    if shipped.exists():
        # It folds case, and transformers then finds </s> and <pad> written in capitals; ours finds them as written.
        write_t5(out, "t5_shipped", 32, [text for text in texts if text not in ("<PAD>", "</S>")], shipped)
    for name in CLIP_FOLDERS:
        write_clip(out, name, texts)
    for name in CLIP_ADDED:
        write_clip_added(out, name)
    write_clip_json(out)
    write_gpt2(out, texts)


if __name__ == "__main__":
    main()
