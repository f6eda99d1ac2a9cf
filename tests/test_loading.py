"""Tokenizers that are only a sentencepiece file, with the library and without; or missing."""

import importlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from architectures import TABLE, TEXTS
from transformers import AutoConfig, AutoModel, AutoTokenizer

import activation_flow as af
from activation_flow.data import ActivationFlowError

PLAIN = "Enjoying a beautiful walk at the beach, I don't know 10,000 words."


def has_sentencepiece() -> bool:
    try:
        importlib.import_module("sentencepiece.sentencepiece_model_pb2")
    except ImportError:
        return False
    return True


needs_sentencepiece = pytest.mark.skipif(
    "CI" not in os.environ and not has_sentencepiece(),  # CI has every extra: nothing is skipped
    reason="sentencepiece or protobuf is not installed (extra sentencepiece)",
)

# Model type -> the file's name, the trainer's settings, and the tokens that a model adds.
KINDS: dict[str, tuple[str, dict[str, Any], tuple[list[str], list[str]]]] = {
    "t5": (
        "spiece.model",
        {"model_type": "unigram", "pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1},
        ([], ["</s>"]),
    ),
    "albert": (
        "spiece.model",
        {"model_type": "unigram", "control_symbols": ["[CLS]", "[SEP]", "[MASK]", "<pad>"]},
        (["[CLS]"], ["[SEP]"]),
    ),
    "xlm-roberta": (
        "sentencepiece.bpe.model",
        {"model_type": "unigram"},
        (["<s>"], ["</s>"]),
    ),
    "llama": (  # with a tokenizer_config.json, as those on the hub have it
        "tokenizer.model",
        {"model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity"},
        (["<s>"], []),
    ),
}


def train(options: dict[str, Any]) -> bytes:
    import sentencepiece

    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*TEXTS, PLAIN] * 3),
        model_writer=out,
        vocab_size=400 if options.get("byte_fallback") else 110,
        character_coverage=1.0,
        hard_vocab_limit=False,
        minloglevel=2,
        **options,
    )
    return out.getvalue()


def make(model_type: str, folder: Path, content: bytes) -> tuple[Path, Any]:
    """A folder with weights, config and the sentencepiece file; and the model."""
    folder.mkdir()
    torch.manual_seed(0)
    config = AutoConfig.for_model(model_type, vocab_size=600, **TABLE[model_type].config)
    model = AutoModel.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    (folder / KINDS[model_type][0]).write_bytes(content)
    if model_type == "llama":
        settings = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder, model


@needs_sentencepiece
@pytest.mark.parametrize("model_type", KINDS)
class TestWithSentencepiece:
    def test_a_folder_with_only_that_file(
        self, model_type: str, tmp_path: Path, empty_cache: Path
    ) -> None:
        import sentencepiece

        _, options, (lead, trail) = KINDS[model_type]
        content = train(options)
        folder, model = make(model_type, tmp_path / "model", content)
        encoder = af.Encoder.from_pretrained(str(folder))
        tokenizer = AutoTokenizer.from_pretrained(folder)
        texts = [*TEXTS, PLAIN, "é 日本 👩 ﬁ", "a </s> b", "  two  spaces "]
        for text, result in zip(texts, encoder.strength(texts, layers="all"), strict=True):
            inputs = tokenizer(text, return_tensors="pt")
            assert result.ids.tolist() == inputs["input_ids"][0].tolist()
            eager = model.get_encoder() if model.config.is_encoder_decoder else model
            with torch.no_grad():
                hidden = eager(**inputs, output_hidden_states=True).hidden_states
            truth = np.stack([h[0].norm(dim=-1).numpy() for h in hidden])
            np.testing.assert_allclose(result.strength, truth, rtol=1e-5)
        # Where nothing is special, spaces are single and every character is known, the pieces are
        # those of the library itself, and each stands where its text is.
        library = sentencepiece.SentencePieceProcessor(model_proto=content)
        text = PLAIN.lower() if model_type == "albert" else PLAIN
        result = encoder.strength(PLAIN)
        assert result.tokens.tolist() == [*lead, *library.encode(text, out_type=str), *trail]
        assert result.special.tolist() == [bool(t in lead + trail) for t in result.tokens]
        for token, start, end in zip(result.tokens, result.start, result.end, strict=True):
            if start >= 0 and token != "▁":  # which stands at the letter that it is put before
                assert text[start:end].strip() == token.replace("▁", "")
        assert "beautiful" in result.words().tokens

    def test_a_damaged_file_is_not_taken_for_a_missing_library(
        self, model_type: str, tmp_path: Path, empty_cache: Path
    ) -> None:
        folder, _ = make(model_type, tmp_path / "model", b"version https://git-lfs.github.com/")
        with pytest.raises(ActivationFlowError, match=r"tokenizer of .*\.model file is damaged"):
            af.Encoder.from_pretrained(str(folder))


@pytest.mark.parametrize("missing", ["sentencepiece", "google.protobuf"])
def test_without_the_library_the_error_names_the_extra(missing: str, tmp_path: Path) -> None:
    """In a process in which it cannot be imported, before anything else is."""
    folders = [str(make(kind, tmp_path / kind, b"whatever it holds")[0]) for kind in KINDS]
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from activation_flow.cli import main\n"
        f"for folder in {folders}:\n"
        "    sys.argv = ['afn', 'strength', 'a text', '-m', folder]\n"
        "    try: main()\n"
        "    except SystemExit as stop: assert stop.code == 1"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # Before each error stands the line that says that a model is prepared.
    errors = done.stderr.splitlines()[1::2]
    assert len(errors) == len(folders)
    for line, folder in zip(errors, folders, strict=True):
        assert line.startswith(f"afn: the tokenizer of {folder} is a file of sentencepiece")
        assert "takes the libraries sentencepiece and protobuf" in line
        assert missing.split(".")[0] in line
        assert 'pip install "activation-flow[sentencepiece]"' in line


@pytest.mark.parametrize(
    "model_type", ["t5", "albert", "xlm-roberta", "llama", "deberta-v2", "gpt2"]
)
def test_a_folder_without_a_tokenizer_never_gets_one_of_transformers_making(
    model_type: str, tmp_path: Path
) -> None:
    """T5's would have "▁" and special tokens only: all words the same unknown one."""
    config = AutoConfig.for_model(model_type, **TABLE[model_type].config)
    AutoModel.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(ActivationFlowError, match="holds no tokenizer"):
        af.Encoder.from_pretrained(str(tmp_path))
