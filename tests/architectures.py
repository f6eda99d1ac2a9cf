"""The one table of architectures whose numbers the tests check; the README's table is made of it.

Each row: the model type of Hugging Face, what a tiny model of it needs, the kind of tokenizer it
is used with, and the engine it must run on.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

TEXTS = (
    "Who is the prime minister of Canada?",
    "Enjoying a beautiful day at the park!",
    "Enjoying a beautiful walk at the beach!",
    "I don't know why the connoisseur's nonchalant story unfolds so slowly.",
    "Numbers like 10,000 and snake_case words; “quotes” — and dashes.",
)
POSITIONS = 128


@dataclass(frozen=True)
class Architecture:
    """How to make a tiny model of one type."""

    config: dict[str, Any]
    tokenizer: str
    engine: str = "openvino"
    inputs: tuple[str, ...] = ("input_ids", "attention_mask")
    causal: bool = False
    final_norm: bool = False
    special: dict[str, Any] = field(default_factory=dict)


_SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": POSITIONS,
}
_PADDED = {**_SMALL, "max_position_embeddings": POSITIONS + 2}
_DECODER = {**_SMALL, "num_key_value_heads": 2}
_BERT_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def _encoder(config: dict[str, Any], tokenizer: str = "wordpiece", **more: Any) -> Architecture:
    return Architecture(config, tokenizer, **more)


def _decoder(config: dict[str, Any], tokenizer: str = "bpe", **more: Any) -> Architecture:
    return Architecture(config, tokenizer, causal=True, final_norm=True, **more)


TABLE: dict[str, Architecture] = {
    "bert": _encoder(_SMALL, inputs=_BERT_INPUTS),
    "roberta": _encoder(_PADDED, "bpe"),
    "xlm-roberta": _encoder(_PADDED, "unigram"),
    "electra": _encoder({**_SMALL, "embedding_size": 24}, inputs=_BERT_INPUTS),
    "mpnet": _encoder(_PADDED),
    "deberta-v2": _encoder(
        {
            **_SMALL,
            "relative_attention": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_buckets": 16,
            "share_att_key": True,
            "norm_rel_ebd": "layer_norm",
            "position_biased_input": False,
            "type_vocab_size": 0,
        },
        "unigram",
        inputs=_BERT_INPUTS,
    ),
    "albert": _encoder({**_SMALL, "embedding_size": 24}, "unigram", inputs=_BERT_INPUTS),
    "distilbert": _encoder(
        {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 64}
        | {"max_position_embeddings": POSITIONS}
    ),
    "modernbert": _encoder(
        {**_SMALL, "local_attention": 8, "global_attn_every_n_layers": 2}, "bpe", final_norm=True
    ),
    "xlnet": _encoder(
        {"d_model": 32, "n_layer": 3, "n_head": 4, "d_inner": 64}, "xlnet", inputs=_BERT_INPUTS
    ),
    "t5": _encoder(
        {"d_model": 32, "num_layers": 3, "num_decoder_layers": 1, "num_heads": 4}
        | {"d_ff": 64, "d_kv": 8},
        "unigram",
        final_norm=True,
    ),
    "gpt2": _decoder({"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": POSITIONS}),
    "gpt_neox": _decoder(_SMALL),
    "opt": _decoder({**_SMALL, "ffn_dim": 64, "word_embed_proj_dim": 32}),
    "llama": _decoder(_DECODER),
    "mistral": _decoder({**_DECODER, "sliding_window": 8}),
    "qwen2": _decoder(_DECODER),
    "qwen3": _decoder({**_DECODER, "head_dim": 8}),
    "gemma3_text": _decoder({**_DECODER, "head_dim": 8, "sliding_window": 8}),
    "phi": _decoder(_DECODER),
    # Its scan cannot run in a graph: the fallback.
    "mamba": _decoder(
        {"hidden_size": 32, "num_hidden_layers": 3, "state_size": 4},
        engine="torch",
        inputs=("input_ids", "attention_mask"),
    ),
}


def make_model(
    model_type: str, tokenizer: PreTrainedTokenizerFast, auto: Any = AutoModel, **more: Any
) -> Any:
    """A tiny model with every parameter perturbed, LayerNorm gains and biases too.

    Freshly made post-LN models have norm √d everywhere: they would hide a wrong layer. ``auto``: by
    which class it is made; ``more``: of its config.
    """
    torch.manual_seed(0)
    special = {
        f"{name}_token_id": getattr(tokenizer, f"{name}_token_id")
        for name in ("pad", "bos", "eos", "cls", "sep")
        if getattr(tokenizer, f"{name}_token_id") is not None
    }
    values = {**TABLE[model_type].config, **special, **more}
    config = AutoConfig.for_model(model_type, vocab_size=len(tokenizer), **values)
    model = auto.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def make_tokenizer(kind: str, inputs: tuple[str, ...] = ("input_ids", "attention_mask")) -> Any:
    """A small fast tokenizer of the given kind, trained on TEXTS."""
    tokenizer, names = _KINDS[kind]()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_input_names=list(inputs), **names
    )


def _train(tokenizer: Tokenizer, trainer: Any) -> None:
    tokenizer.train_from_iterator(TEXTS, trainer)


def _in_order(tokenizer: Tokenizer, first: int) -> Tokenizer:
    """A trained unigram tokenizer, its pieces after the first few sorted: the trainer's order is
    that of a hash map with a new seed in every process, and so would be the models' numbers."""
    state = json.loads(tokenizer.to_str())
    pieces = [[piece, round(score, 2)] for piece, score in state["model"]["vocab"]]
    state["model"]["vocab"] = pieces[:first] + sorted(pieces[first:])
    return Tokenizer.from_str(json.dumps(state))


def _pieces(room: int) -> list[str]:
    """Characters, and the commonest words and ends of words: no trainer, so always the same."""
    normalizer = normalizers.BertNormalizer(lowercase=True)
    splitter = pre_tokenizers.BertPreTokenizer()
    found: Counter[str] = Counter()
    characters: set[str] = set()
    for text in TEXTS:
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)):
            characters |= {word[0], *(f"##{character}" for character in word[1:])}
            found[word] += len(word)
            found.update(f"##{word[start:]}" for start in range(1, len(word)))
    several = sorted((-n, piece) for piece, n in found.items() if piece not in characters)
    return sorted(characters) + [piece for _, piece in several[: room - len(characters)]]


def _frame(tokenizer: Tokenizer, single: str, pair: str, names: list[str]) -> None:
    ids = [(name, tokenizer.token_to_id(name)) for name in names]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=pair, special_tokens=ids
    )


def _wordpiece() -> tuple[Tokenizer, dict[str, str]]:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {piece: k for k, piece in enumerate([*special, *_pieces(160 - len(special))])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.add_special_tokens(special)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    _frame(tokenizer, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ["[CLS]", "[SEP]"])
    return tokenizer, {f"{n[1:-1].lower()}_token": n for n in special}


def _bpe() -> tuple[Tokenizer, dict[str, str]]:
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    _train(
        tokenizer,
        trainers.BpeTrainer(
            vocab_size=340,
            special_tokens=special,
            initial_alphabet=alphabet,
            show_progress=False,
        ),
    )
    _frame(tokenizer, "<s> $A </s>", "<s> $A </s> </s> $B </s>", ["<s>", "</s>"])
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return tokenizer, {**names, "cls_token": "<s>", "sep_token": "</s>"}


def _unigram(single: str = "<s> $A </s>") -> tuple[Tokenizer, dict[str, str]]:
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    _train(
        tokenizer,
        trainers.UnigramTrainer(
            vocab_size=200, special_tokens=special, unk_token="<unk>", show_progress=False
        ),
    )
    tokenizer = _in_order(tokenizer, len(special))
    _frame(tokenizer, single, "<s> $A </s> </s> $B </s>", ["<s>", "</s>"])
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return tokenizer, {**names, "cls_token": "<s>", "sep_token": "</s>"}


def _xlnet() -> tuple[Tokenizer, dict[str, str]]:
    # XLNet's own frame: special tokens at the end, segment 2 for the last.
    return _unigram(single="$A:0 </s>:0 <s>:2")


_KINDS = {"wordpiece": _wordpiece, "bpe": _bpe, "unigram": _unigram, "xlnet": _xlnet}
