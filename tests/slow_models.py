"""Tokenizers that only transformers has, made of vocabulary files; tiny models for some of them.

What each of them adds to a text stands here as a fact of its own; the tests check the code by it.
"""

import json
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers as hf

MERGES = "#version: 0.2\nt h\nth e</w>\n"
CHARACTERS = [*string.ascii_letters, *string.digits, *".,?!'-:"]
AMINO_ACIDS = [*"LAGVSERTIDPKQNFYMHWCXBUZO", ".", "-"]
SIZE = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}


@dataclass(frozen=True)
class Slow:
    """One class: how to make it, and the tokens it adds before, after and around two segments.

    ``pair`` is what is added before, between and after them; None where they are not taken.
    """

    make: Callable[[Path], Any]
    lead: int
    trail: int
    pair: tuple[int, int, int] | None


def _file(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def _bpe(special: list[str]) -> str:
    """Characters within a word (ending with @@) and at its end, "the"."""
    tokens = [*special, *CHARACTERS, *(f"{c}@@" for c in CHARACTERS), "the"]
    return json.dumps({token: number for number, token in enumerate(tokens)})


def _wordpiece() -> str:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[X_SEP]"]
    return "\n".join([*special, *CHARACTERS, *(f"##{c}" for c in CHARACTERS), "the", "walk"])


def _ctrl(folder: Path) -> Any:
    vocabulary = _file(folder, "vocab.json", _bpe(["<unk>"]))
    return hf.CTRLTokenizer(vocabulary, _file(folder, "merges.txt", MERGES))


def make_esm(folder: Path, amino_acids: list[str] = AMINO_ACIDS) -> Any:
    tokens = ["<cls>", "<pad>", "<eos>", "<unk>", *amino_acids, "<null_1>", "<mask>"]
    return hf.EsmTokenizer(_file(folder, "vocab.txt", "\n".join(tokens)))


def _blenderbot(folder: Path) -> Any:
    special = ["__start__", "__end__", "__unk__", "__null__"]
    vocabulary = _file(folder, "vocab.json", _bpe(special))
    return hf.BlenderbotSmallTokenizer(vocabulary, _file(folder, "merges.txt", MERGES))


def _phobert(folder: Path) -> Any:
    words = [*CHARACTERS, *(f"{c}@@" for c in CHARACTERS), "the"]
    vocabulary = _file(folder, "vocab.txt", "".join(f"{word} 5\n" for word in words))
    return hf.PhobertTokenizer(vocabulary, _file(folder, "bpe.codes", "t h 5\nth e</w> 3\n"))


def _prophetnet(folder: Path) -> Any:
    return hf.ProphetNetTokenizer(_file(folder, "prophetnet.tokenizer", _wordpiece()))


def _japanese(folder: Path) -> Any:
    vocabulary = _file(folder, "vocab.txt", _wordpiece())
    kinds = {"word_tokenizer_type": "basic", "subword_tokenizer_type": "wordpiece"}
    return hf.BertJapaneseTokenizer(vocabulary, **kinds)


TABLE: dict[str, Slow] = {
    "ctrl": Slow(_ctrl, 0, 0, None),
    "blenderbot-small": Slow(_blenderbot, 0, 0, None),
    "byt5": Slow(lambda _: hf.ByT5Tokenizer(), 0, 1, (0, 1, 1)),
    "prophetnet": Slow(_prophetnet, 0, 1, (0, 1, 1)),
    "esm": Slow(make_esm, 1, 1, (1, 1, 1)),
    "canine": Slow(lambda _: hf.CanineTokenizer(), 1, 1, (1, 1, 1)),
    "perceiver": Slow(lambda _: hf.PerceiverTokenizer(), 1, 1, (1, 1, 1)),
    "bert-japanese": Slow(_japanese, 1, 1, (1, 1, 1)),
    "phobert": Slow(_phobert, 1, 1, (1, 2, 1)),
}


def _ctrl_model(size: int) -> Any:
    config = hf.CTRLConfig(vocab_size=size, n_positions=64, n_embd=32, dff=64, n_layer=3, n_head=4)
    return hf.CTRLModel(config)


def _esm_model(size: int) -> Any:
    special = {"pad_token_id": 1, "mask_token_id": size - 1}
    config = hf.EsmConfig(
        vocab_size=size,
        intermediate_size=64,
        max_position_embeddings=66,
        position_embedding_type="rotary",
        **SIZE,
        **special,
    )
    return hf.EsmModel(config)


def _byt5_model(size: int) -> Any:
    config = hf.T5Config(
        vocab_size=size, d_model=32, num_layers=3, num_decoder_layers=1, num_heads=4, d_ff=64
    )
    return hf.T5Model(config)


MODELS = {"ctrl": _ctrl_model, "esm": _esm_model, "byt5": _byt5_model}


def make_slow(kind: str, folder: Path) -> tuple[Any, Any]:
    """A tiny model, every parameter perturbed, and its slow tokenizer; saved in the folder."""
    folder.mkdir(exist_ok=True)
    tokenizer = TABLE[kind].make(folder)
    torch.manual_seed(0)
    model = MODELS[kind](len(tokenizer)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model, tokenizer
