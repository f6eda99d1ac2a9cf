"""Texts that break things: a table of named ones, and any number of random ones.

A random text is made from a seed and its number alone, so that it can be made again. Knows no
model and no tokenizer: what must become of each text is for the user of this file to say.
"""

import random
import re
import unicodedata
from collections import defaultdict
from functools import cache

FAMILY = "👩\u200d👩\u200d👧\u200d👦"
SCOTLAND = "🏴" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbsct") + "\U000e007f"
CONTROLS = "".join(map(chr, (*range(32), *range(127, 160))))
LANGUAGE = "한국어 क्षत्रिय ภาษาไทย العربية עברית 日本語 Ελληνικός"
TYPED = ("[CLS]", "[SEP]", "[UNK]", "[MASK]", "[PAD]", "<s>", "</s>", "<unk>", "<pad>", "<mask>")
TYPED += ("<|endoftext|>", "<bos>", "<eos>", "<0x00>", "▁", "Ġ", "##a", "Ċ", "</w>", "<extra_id_0>")

NAMED: dict[str, str] = {
    "empty": "",
    "a space": " ",
    "spaces": " " * 40,
    "tabs and line ends": "\t\n\r\n \v\f",
    "spaces of other kinds": "\u00a0\u1680\u2003\u202f\u205f\u3000",
    "line and paragraph separators": "\u2028\u2029",
    "spaces around a word": "\u3000 \t dog \u00a0\n",
    "zero width space": "\u200b",
    "joiners alone": "\u200d\u200c\u200d",
    "byte order mark alone": "\ufeff",
    "byte order mark first": "\ufeffa dog",
    "soft hyphens": "\u00adcon\u00adnoisseur\u00ad",
    "word joiners": "a\u2060b\u2060c",
    "NUL": "\0",
    "NUL inside": "a\0dog\0\0runs",
    "all control characters": CONTROLS,
    "control characters in words": "a".join(CONTROLS),
    "terminal escapes": "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J",
    "backspaces": "dog\b\b\bcat",
    "carriage return": "good\rbad",
    "half of a pair": "\ud83d",
    "the other half": "a \ude00 b",
    "halves in the wrong order": "\ude00\ud83d",
    "a byte that was no UTF-8": "caf\udce9",
    "noncharacters": "a\ufffe\uffff\ufdd0\U0001fffe b",
    "private use": "\ue000\uf8ff\U000f0000\U0010fffd",
    "unassigned": "\u0378\u0379 \U000e1000",
    "the last code point": "\U0010ffff",
    "replacement characters": "\ufffd\ufffd dog \ufffd",
    "one letter": "a",
    "one word": "dog",
    "one mark": ".",
    "one digit": "7",
    "emoji": "😀 😀😀 dog😀cat",
    "a family": FAMILY,
    "a family without its end": FAMILY[:-1] + " dog",
    "flags": "🇨🇦🇫🇷🇨 🇦",
    "a flag of tags": f"{SCOTLAND} {SCOTLAND}",
    "skin tones": "👍🏽 👍🏿 🏽",
    "keycaps": "1️⃣ 2️⃣#️⃣",
    "variation selectors": "\ufe0f ☎\ufe0e ☎\ufe0f 葛\U000e0100",
    "many emoji": f"{FAMILY}🇨🇦👍🏽" * 20,
    "right to left": "שלום עולם، مرحبا بالعالم!",
    "both directions": "The שלום 123 عدد dog (עברית) 4.5%",
    "overridden direction": "\u202eevil\u202c \u202a\u202b\u202d never closed",
    "isolated direction": "\u2066a\u2067ב\u2069\u2068 c \u061c\u200e\u200f",
    "a mark alone": "\u0301",
    "marks alone": "\u0301\u0327\u20dd \u0301",
    "marks first": "\u0301dog",
    "marks stacked": "Z" + "\u0335\u0336\u0353" * 30 + "algo",
    "a thousand marks on a letter": "a" + "\u0301" * 1000 + " dog",
    "accents apart": unicodedata.normalize("NFD", "naïve café Ångström Ñandú tiếng Việt"),
    "accents together": "naïve café Ångström Ñandú tiếng Việt",
    "letters apart": unicodedata.normalize("NFD", "한국어 각"),
    "clusters with joiners": "क्\u200dष क्\u200cष می\u200cخواهم ශ්\u200dරී",
    "ligatures": "ﬁne oﬃce ĳ Ǆ ﷺ ﷽",
    "lower case is longer": "İSTANBUL İ İ",
    "upper case is longer": "straße ẞ ŉ ǰ ΐ",
    "final sigma": "ΟΔΥΣΣΕΥΣ Σ",
    "full width": "ｆｕｌｌ　ｗｉｄｔｈ １２３！",
    "mathematical letters": "𝐓𝐡𝐞 𝔡𝔬𝔤 𝟙𝟚𝟛 𝒽",
    "circled and squared": "Ⓐ ㊊ ㌔ ½ ² Ⅷ ℡ ™",
    "annotations": "\ufff9漢字\ufffaかんじ\ufffb",
    "every typed special token": " ".join(TYPED),
    "typed special tokens, no spaces": "".join(TYPED),
    "typed [SEP]": "[SEP]",
    "typed [CLS] and [SEP]": "[CLS] a dog [SEP]",
    "typed [SEP] inside": "The dog [SEP] the cat[SEP]",
    "typed </s>": "</s>",
    "typed <s> and </s>": "<s>a dog</s></s>",
    "typed end of text": "a dog<|endoftext|>a cat<|endoftext|>",
    "typed unknown": "[UNK] <unk> [unk] [ UNK ]",
    "typed special tokens, a hundred": "[SEP]</s>" * 100,
    "broken special tokens": "[SEP [CLS ]] </s <s <|endoftext| [PAD",
    "the tokenizer's own marks": "▁dog ▁▁ Ġdog ĠĠ ##dog ## @@ </w>",
    "HTML": "<script>alert('x')</script><b onclick=\"x\">&amp;&#0;<!-- --></b></style>",
    "JSON": '{"a": ["\\u0000", "\\"", null]}',
    "terminal markup": "[bold red]x[/] [/bold] [link=x]y[/link] :smile:",
    "format strings": "{} {0!r} %s %(x)d ${HOME} `x` $(x)",
    "a formula": '=1+1 @x +1 -1 "quoted,", \'x',
    "backslashes": "\\ \\n \\x00 \\\\ C:\\dog",
    "underscores and hyphens": "_ __a_b__ - -- a-b- -c '' a'b' ’tis",
    "a link": "https://example.org/a?b=c&d=%20#e user@example.org",
    "digits": "1234567890" * 30,
    "a long word": "a" * 1000,
    "a long word of all letters": "abcdefghijklmnopqrstuvwxyz" * 30,
    "a long word of another script": "日本語" * 150,
    "punctuation": "!?.,;:…—'\"()[]{}" * 20,
    "dots": "." * 300,
    "the same word": "dog " * 300,
    "languages": LANGUAGE,
    "languages without spaces": LANGUAGE.replace(" ", ""),
    "a letter of each script in one word": "aяαあא한कกა",
}

# What is no text at all, but is found in lists of texts.
NOT_TEXTS: tuple[object, ...] = (None, b"bytes", 7, 2.5, float("nan"), True, ["a"], {"text": "a"})

_LETTER = re.compile(
    r"(.+?)(?: SMALL| CAPITAL)? (?:LETTER|SYLLABLE|IDEOGRAPH|CHARACTER|SIGN|HIEROGLYPH)\b"
)


@cache
def scripts() -> dict[str, str]:
    """A word of each script: letters of it from all over its blocks, and a mark if it has any."""
    letters, marks = defaultdict(list), {}
    for character in map(chr, range(0x30000)):
        category = unicodedata.category(character)
        if category not in ("Lo", "Ll", "Mn", "Mc"):
            continue
        if found := _LETTER.match(unicodedata.name(character, "")):
            if category[0] == "L":
                letters[found[1]].append(character)
            else:
                marks.setdefault(found[1].removesuffix(" VOWEL"), character)
    return {
        name: "".join(own[:: max(1, len(own) // 6)][:6]) + marks.get(name, "")
        for name, own in letters.items()
        if len(own) >= 12
    }


WORDS = (
    *("the", "a", "of", "to", "is", "dog", "cat", "read", "minister", "Canada", "beautiful"),
    *("don't", "re-read", "snake_case", "10,000", "connoisseur's", "naïve", "x", "İ", "ﬁ", "ﷺ"),
    *("日本", "слово", "שלום", "ไทย"),
)
JOINTS = (*("", " ") * 4, "\n", "\t", "\u00a0", "\u200d", "\u0301", "\0", ", ", ". ", "-")


@cache
def pieces() -> tuple[str, ...]:
    """What random texts are made of: short hostile texts and words; no halves of pairs."""
    short = [text for text in NAMED.values() if 0 < len(text) <= 60 and not broken(text)]
    return (*short, *TYPED, *scripts().values(), *CONTROLS, "\u202e", "\ufeff", "\U0010ffff")


def broken(text: str) -> bool:
    """True if the text holds half of a surrogate pair, so that it is no text."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def texts(seed: int, first: int, last: int) -> list[object]:
    """The random texts number ``first`` to ``last`` - 1 of a seed."""
    return [_text(random.Random(f"{seed}:{number}")) for number in range(first, last)]


def _text(rng: random.Random) -> object:
    draw = rng.random()
    if draw < 0.002:
        return rng.choice(NOT_TEXTS)
    if draw < 0.02:
        return rng.choice([*NAMED.values()])
    # Heavy-tailed: half of all texts have one part, one in 100 more than 80.
    n = min(int(rng.paretovariate(1.05)), 4000)
    if draw < 0.03:
        return _part(rng) * n
    parts = [_part(rng) + rng.choice(JOINTS) for _ in range(n)]
    if draw < 0.04:
        parts.insert(rng.randrange(n + 1), chr(rng.randrange(0xD800, 0xE000)))
    return "".join(parts)


def _part(rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.6:
        return rng.choice(WORDS)
    if draw < 0.85:
        return rng.choice(pieces())
    return "".join(_character(rng) for _ in range(rng.randint(1, 8)))


def _character(rng: random.Random) -> str:
    """Any code point but the halves of pairs; small numbers as likely as large ones."""
    code = int(2 ** rng.uniform(0, 20.08))
    return chr(code) if not 0xD800 <= code < 0xE000 and code <= 0x10FFFF else "\ufffd"
