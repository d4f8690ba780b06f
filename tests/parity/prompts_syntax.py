"""Prompts as AUTOMATIC1111's web UI documents their syntax, in an implementation of its own: text to data, and ids to
chunks. Run by itself it checks the examples of that documentation."""

import itertools
import re


def weigh(text):
    """[(text, weight)], with None for a BREAK: by character, so that brackets are ranges of them."""
    characters, opened = [], []
    at = 0
    while at < len(text):
        rest = text[at:]
        innermost = lambda kind: next((i for i in reversed(range(len(opened))) if opened[i][0] == kind), None)
        if escaped := re.match(r"\\([\\()\[\]]?)", rest):
            characters += [[c, 1.0] for c in escaped[1]]
            at += escaped.end()
            continue
        if rest[0] in "([":
            opened.append((rest[0], len(characters)))
            at += 1
            continue
        factor, length, kind = None, 1, {")": "(", "]": "["}.get(rest[0])
        if closing := re.match(r":\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*\)", rest):
            factor, length, kind = float(closing[1]), closing.end(), "("
        if kind and innermost(kind) is not None:
            _, begin = opened.pop(innermost(kind))
            for character in characters[begin:]:
                character[1] *= factor if factor is not None else 1.1 if kind == "(" else 1 / 1.1
            at += length
            continue
        characters.append([rest[0], 1.0])
        at += 1
    for kind, begin in reversed(opened):
        for character in characters[begin:]:
            character[1] *= 1.1 if kind == "(" else 1 / 1.1
    stretches = []
    for weight, group in itertools.groupby(characters, key=lambda character: character[1]):
        parts = re.split(r"\s*\bBREAK\b\s*", "".join(character for character, _ in group))
        stretches += [(parts[0], weight)] + [x for part in parts[1:] for x in (None, (part, weight))]
    return stretches or [("", 1.0)]


def script(text, steps):
    """What `text` says at steps 1 to `steps`. Brackets are replaced by private characters from the inside out."""
    meanings = []
    whole = text
    hide = lambda meaning: meanings.append(meaning) or chr(0xF0000 + len(meanings) - 1)
    text = re.sub(r"\\.", lambda match: hide(lambda step, s=match[0]: s), text, flags=re.S)

    def bracket(match):
        content, square = match[0][1:-1], match[0][0] == "["
        parts = content.split(":")
        turns = content.split("|")
        if square and len(turns) > 1 and len(parts) == 1:
            return hide(lambda step: expand(turns[(step - 1) % len(turns)], step))
        if len(turns) == 1 and (len(parts) == 1 or (not square and len(parts) == 2)):
            return hide(lambda step, s=match[0]: expand(s, step))
        number = re.fullmatch(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*", parts[-1])
        if square and len(turns) == 1 and len(parts) in (2, 3) and number:
            before, after = ([""] + parts[:-1])[-2:]
            value = float(number[1]) * (steps if "." in number[1] else 1)
            return hide(lambda step: expand(before if step <= int(value) else after, step))
        return None

    def expand(text, step):
        return "".join(expand(meanings[ord(c) - 0xF0000](step), step) if 0xF0000 <= ord(c) < 0xFFFFE else c
                       for c in text)

    position = 0
    while match := re.compile(r"\[[^\[\]()]*\]|\([^\[\]()]*\)").search(text, position):
        meaning = bracket(match)
        if meaning is None:  # its brackets are text, and so are those around it
            position = match.end()
        else:
            text, position = text[:match.start()] + meaning + text[match.end():], 0
    return [whole] * steps if "|" in text else [expand(text, step) for step in range(1, steps + 1)]


def compose(text):
    """[(text, weight)] of the prompts that AND joins."""
    parts = re.split(r"\bAND\b", text)
    if len(parts) == 1:
        return [(text, 1.0)]
    found = [re.fullmatch(r"(.*?)(?:\s*:\s*([-+]?(?:\d+\.?|\d*\.\d+)))?\s*", part, flags=re.S) for part in parts]
    return [(match[1], float(match[2] or 1)) for match in found]


def cut(tokens, comma):
    """Chunks of 75: what is behind a comma moves on where that is at most 19 tokens and the next is no comma."""
    while len(tokens) > 75:
        commas = [i for i in range(55, 75) if tokens[i][0] == comma]
        length = commas[-1] + 1 if commas and tokens[75][0] != comma else 75
        yield tokens[:length]
        tokens = tokens[length:]
    yield tokens


def chunks(tokenizer, text):
    sections = [[]]
    for stretch in weigh(text):
        if stretch is None:
            sections.append([])
            continue
        ids = tokenizer(stretch[0], add_special_tokens=False).input_ids
        sections[-1] += [(i, stretch[1]) for i in ids]
    if len(sections) > 1 and not sections[-1]:
        sections.pop()  # nothing follows the last BREAK
    comma = tokenizer.get_vocab()[",</w>"]
    return [chunk for section in sections for chunk in cut(section, comma)]


def check_syntax():
    """The examples of the web UI's documentation."""
    weights = lambda text: [None if x is None else (x[0], round(x[1], 6)) for x in weigh(text)]
    assert weights("an (important) word") == [("an ", 1), ("important", 1.1), (" word", 1)]
    assert weights("(unbalanced") == [("unbalanced", 1.1)]
    assert weights(r"\(literal\]") == [("(literal]", 1)]
    assert weights("(unnecessary)(parens)") == [("unnecessaryparens", 1.1)]
    assert weights("a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).") == [
        ("a ", 1), ("house", 1.573), (" ", 1.1), ("on", 1), (" a ", 1.1), ("hill", 0.55), (", sun, ", 1.1),
        ("sky", 1.4641), (".", 1.1)]
    said = lambda text: [(len(list(group)), key) for key, group in itertools.groupby(script(text, 10))]
    assert said("a [b:3]") == said("a [b: 3]") == [(3, "a "), (7, "a b")]
    assert said("a [[[b]]:2]") == [(2, "a "), (8, "a [[b]]")]
    assert said("[(a:2):3]") == [(3, ""), (7, "(a:2)")]
    assert said("a [b : c : 1] d") == [(1, "a b  d"), (9, "a  c  d")]
    assert said("a[b:[c:d:2]:1]e") == [(1, "abe"), (1, "ace"), (8, "ade")]
    assert said("a [unbalanced") == [(10, "a [unbalanced")]
    assert said("a [b:.5] c") == [(5, "a  c"), (5, "a b c")]
    assert said("((a][:b:c [d:3]") == [(3, "((a][:b:c "), (7, "((a][:b:c d")]
    assert script("[a|(b:1.1)]", 4) == ["a", "(b:1.1)", "a", "(b:1.1)"]
    assert script("[fe|]male", 3) == ["female", "male", "female"]
    assert script("[fe|||]male", 5) == ["female", "male", "male", "male", "female"]


if __name__ == "__main__":
    check_syntax()
