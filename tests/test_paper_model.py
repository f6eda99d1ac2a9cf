"""The paper's sentences through models: against eager Hugging Face, plain numpy and pandas."""

import csv
import io
import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from architectures import make_model
from data_files import data_file
from scipy import stats
from slow_models import make_slow
from test_paper import CONTENT, EIGHT, FRANCE, NINE, ONE, SENTENCE, SHIFTS, TWO

import activation_flow as af
from activation_flow import (
    charts_paper,
    paper,
    paper_corpus,
    paper_model,
    paper_pair,
    paper_places,
    paper_prompts,
    paper_sections,
    report_paper,
)
from activation_flow.data import ActivationFlowError
from activation_flow.paper import Row
from activation_flow.paper_places import Probe, places

ONE_TEXT = "Who is the prime minister of Canada?"
TWO_TEXT = "Who is the president of France?"
DAY, WALK = "Enjoying a beautiful day at the park!", "Enjoying a beautiful walk at the beach!"
NICE = "The weather is nice today."


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Path]:
    """A tiny BERT of 12 layers, in a folder that is called as the paper's model is."""
    from architectures import TABLE, make_tokenizer

    tokenizer = make_tokenizer(TABLE["bert"].tokenizer, TABLE["bert"].inputs)
    model = make_model("bert", tokenizer, num_hidden_layers=12)
    folder = tmp_path_factory.mktemp("models") / "bert-base-uncased"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model, tokenizer, folder


@pytest.fixture
def probe(deep: tuple[Any, Any, Path]) -> Probe:
    return Probe.of_encoder(af.Encoder.from_pretrained(str(deep[2]), engine="torch"))


def eager(deep: tuple[Any, Any, Path], text: str) -> tuple[list[tuple[int, int]], np.ndarray]:
    """Offsets and hidden states [layers tokens width] of a text, by transformers alone."""
    model, tokenizer, _ = deep
    fed = tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
    spans = [tuple(span) for span in fed.pop("offset_mapping")[0].tolist()]
    with torch.no_grad():
        states = model(**fed, output_hidden_states=True).hidden_states
    return spans, torch.stack(states)[:, 0].double().numpy()


def printed_spans(text: str, printed: list[str]) -> list[tuple[int, int]]:
    """Where the printed words stand, by a plain walk; (0, 0) for special tokens."""
    found, cursor = [], 0
    for token in printed:
        if token in ("[CLS]", "[SEP]"):
            found.append((0, 0))
            continue
        cursor = text.lower().index(token.lower(), cursor)
        found.append((cursor, cursor + len(token)))
        cursor += len(token)
    return found


def expected(
    spans: list[tuple[int, int]], values: np.ndarray, text: str, printed: list[str]
) -> list[float]:
    """The highest value of the pieces of each printed token."""
    found = []
    for token, (start, end) in zip(printed, printed_spans(text, printed), strict=True):
        if token == "[CLS]":
            found.append(values[0])
        elif token == "[SEP]":
            found.append(values[-1])
        else:
            own = [v for (a, b), v in zip(spans, values, strict=True) if a < end and b > start]
            found.append(max(own))
    return found


def by_id(rows: Iterator[Row]) -> dict[str, Row]:
    listed = [*rows]
    found = {row.id: row for row in listed}
    assert len(found) == len(listed)
    return found


class TestAgainstEager:
    def test_a_folder_called_bert_base_uncased_is_another_model(self, probe: Probe) -> None:
        assert probe.of == "another model"
        assert (probe.main, probe.layers) == (8, (7, 8, 9))
        facts = by_id(paper_model.facts(probe))
        assert facts["model/layers"].ours == 12
        assert {row.verdict for row in facts.values()} == {"not compared"}

    @pytest.mark.parametrize(
        ("name", "text", "printed", "values"),
        [
            ("table-1", ONE_TEXT, SENTENCE, ONE),
            ("table-2", TWO_TEXT, FRANCE, TWO),
            ("table-3/l8", ONE_TEXT, SENTENCE, EIGHT),
            ("table-3/l9", ONE_TEXT, SENTENCE, NINE),
        ],
    )
    def test_strengths_at_three_layers(
        self, deep: Any, probe: Probe, name: str, text: str, printed: list[str], values: list[float]
    ) -> None:
        rows = by_id(paper_model.rows(probe, paper_model.strengths(probe)))
        spans, states = eager(deep, text)
        for layer in (7, 8, 9):
            norms = np.linalg.norm(states[layer], axis=1)
            found = [rows[f"{name}/{token.lower()}/layer-{layer}"] for token in printed]
            assert [row.value for row in found] == values
            ours = [row.ours for row in found]
            assert ours == pytest.approx(expected(spans, norms, text, printed), rel=1e-5)
            assert {row.verdict for row in found} == {"not compared"}
            assert {row.difference for row in found} == {None}

    def test_shifts_at_three_layers(self, deep: Any, probe: Probe) -> None:
        found = paper_pair.shifts(probe)
        rows = by_id(paper_pair.rows(probe, found))
        (spans, a), (_, b) = eager(deep, DAY), eager(deep, WALK)
        tokens = paper.published()["table-4"]["tokens_a"]
        for k, layer in enumerate((7, 8, 9)):
            pairs = [(p.a_index, p.b_index) for p in found[k].pairs]
            shift = np.full(len(a[layer]), np.nan)
            for i, j in pairs:
                if i is not None and j is not None:
                    shift[i] = np.linalg.norm(a[layer, i] - b[layer, j])
            total = np.nansum(shift)
            assert rows[f"table-4/total/layer-{layer}"].ours == pytest.approx(total, rel=1e-5)
            for token, (start, end) in zip(tokens, printed_spans(DAY, tokens), strict=True):
                inside = [s < end and e > start for s, e in spans]
                mine = {"[CLS]": [0], "[SEP]": [len(spans) - 1]}.get(token, np.nonzero(inside)[0])
                row = rows[f"table-4/{token.lower()}/layer-{layer}"]
                known = shift[mine][~np.isnan(shift[mine])]
                if len(known):
                    assert row.ours == pytest.approx(known.max(), rel=1e-4)
                else:
                    assert row.ours is None
                    assert "partner" in row.note

    def test_anchor_of_every_template(self, deep: Any, probe: Probe) -> None:
        rows = by_id(paper_prompts.rows(probe, paper_prompts.steer(probe)))
        prompts = ["Summarize", "Translate to French", "Classify sentiment"]
        forms = {
            "plain": "{} {}",
            "colon": "{}: {}",
            "the-sentence": "{} the sentence: {}",
        }
        for name, form in forms.items():
            anchors = {p: eager(deep, form.format(p, NICE))[1][8, 0] for p in prompts}
            for a, b in combinations(prompts, 2):
                ends = [p.lower().replace(" ", "-") for p in (a, b)]
                id_ = f"section-3.2.3/{name}/{ends[0]}/{ends[1]}"
                apart = np.linalg.norm(anchors[a] - anchors[b])
                assert rows[f"{id_}/shift"].ours == pytest.approx(apart, rel=1e-4, abs=1e-5)
                cosine = anchors[a] @ anchors[b]
                cosine /= np.linalg.norm(anchors[a]) * np.linalg.norm(anchors[b])
                assert rows[f"{id_}/cosine"].ours == pytest.approx(1 - cosine, abs=1e-6)
                assert rows[f"{id_}/shift"].paper is None

    def test_figures_aligned_by_text_and_by_position(self, deep: Any, probe: Probe) -> None:
        found = paper_prompts.steer(probe)
        rows = by_id(paper_prompts.rows(probe, found))
        ends = {4: (0, 2), 5: (0, 1), 6: (1, 2)}
        prompts = ["Summarize the sentence", "Translate to French", "Classify sentiment"]
        read = {p: eager(deep, f"{p} {NICE}") for p in prompts}
        for figure, (a, b) in ends.items():
            (spans_a, h_a), (spans_b, h_b) = read[prompts[a]], read[prompts[b]]
            n = min(len(spans_a), len(spans_b))
            by_position = np.linalg.norm(h_a[8, :n] - h_b[8, :n], axis=1)
            one = found.by_position.comparison(a, b)
            # A special token is never paired with a piece of text, whatever its place.
            kept = [
                i for i in range(n) if i == 0 or (i < len(spans_a) - 1 and i < len(spans_b) - 1)
            ]
            if len(spans_a) == len(spans_b):
                kept.append(n - 1)
            assert int(one.paired.sum()) == len(kept)
            total = rows[f"figure-{figure}/total/position"].ours
            assert total == pytest.approx(by_position[kept].sum(), rel=1e-4)
            m = 1 + sum(start >= len(prompts[a]) + 1 for start, _ in spans_a[1:-1])
            tail_a, tail_b = h_a[8, -m:], h_b[8, -m:]
            by_text = np.linalg.norm(tail_a - tail_b, axis=1).sum()
            by_text += np.linalg.norm(h_a[8, 0] - h_b[8, 0])
            assert rows[f"figure-{figure}/total/text"].ours == pytest.approx(by_text, rel=1e-4)
            assert rows[f"figure-{figure}/mean/text"].ours == pytest.approx(
                by_text / (m + 1), rel=1e-4
            )


class TestMinilm:
    def test_claims_of_single_sentences(self, minilm: af.Encoder) -> None:
        probe = Probe.of_encoder(minilm)
        assert (probe.of, probe.main, probe.layers) == ("another model", 4, (3, 4, 5))
        rows = by_id(paper_model.rows(probe, paper_model.strengths(probe)))
        result = minilm.strength(ONE_TEXT, layers="3-5")
        s = result.strength.astype(np.float64)
        inner, content = s[1, 1:-1], np.isin(result.tokens[1:-1], [c.lower() for c in CONTENT])
        tau = np.quantile(inner, 0.75, method="midpoint")
        above = ", ".join(str(t) for t in result.tokens[1:-1][inner > tau])
        assert rows["table-1/high/layer-4"].ours == above == "prime, canada"
        assert rows["table-1/high/layer-4"].note.startswith("not as the paper says")
        assert rows["table-1/skew/layer-4"].ours == pytest.approx(stats.skew(inner), rel=1e-6)
        assert rows["table-1/cls/layer-4"].ours == f"{(s[1] > s[1, 0]).sum() + 1} of 10"
        words = inner[:-1]
        u = stats.mannwhitneyu(words[content[:-1]], words[~content[:-1]]).statistic
        assert rows["table-1/auc/layer-4"].ours == pytest.approx(u / 12)
        z = stats.zscore(s[1, 1:-2]) - stats.zscore(s[2, 1:-2])
        apart = z[content[:-1]].mean() - z[~content[:-1]].mean()
        assert rows["table-3/difference-z/layer-4"].ours == pytest.approx(apart, rel=1e-6)
        less = s[1] - s[2]
        top = " ".join(rows["table-3/content-sensitive/layer-4"].ours.split()[::2])  # type: ignore[union-attr]
        assert top.split() == [result.tokens[k] for k in np.argsort(-less)[:3]]

    def test_r_h_and_conclusion(self, minilm: af.Encoder) -> None:
        probe = Probe.of_encoder(minilm)
        rows = by_id(paper_pair.rows(probe, paper_pair.shifts(probe)))
        shift = minilm.shift(DAY, WALK)
        for name, value in (
            ("r_h", shift.high_ratio),
            ("chance", shift.high_share),
            ("enrichment", shift.enrichment),
            ("p", shift.p_value),
            ("p-floor", shift.p_floor),
        ):
            assert rows[f"table-4/{name}/layer-4"].ours == value
        for side, result in (("a", shift.a), ("b", shift.b)):
            for word in ("beautiful", "enjoying"):
                (k,) = np.nonzero(result.tokens == word)[0]
                inner = result.strength[0, 1:-1]
                rank = int((inner > result.strength[0, k]).sum()) + 1
                said = f"rank {rank} of {len(inner)}, {result.bucket[0, k]}"
                assert rows[f"section-4/{word}/{side}/layer-4"].ours == said

    def test_another_models_rows_are_never_judged(self, minilm: af.Encoder) -> None:
        found = af.reproduce(minilm)
        verdicts = {row.verdict for row in found.rows if row.of == "another model"}
        assert verdicts == {"not compared"}
        assert found.another
        assert not any("rmse" in row.id or "nearest-layer" in row.id for row in found.rows)


class TestThePapersModel:
    """The name of the model decides; its numbers are what they are."""

    @pytest.fixture
    def named(self, deep: tuple[Any, Any, Path]) -> Probe:
        encoder = af.Encoder.from_pretrained(str(deep[2]), engine="torch")
        encoder.model, encoder.revision = "bert-base-uncased", "86b5e0934494bd15c9632b12f714a8a6"
        return Probe.of_encoder(encoder)

    def test_names(self) -> None:
        commit = "86b5e0934494bd15c9632b12f714a8a67f723594"
        for name in ("bert-base-uncased", "google-bert/bert-base-uncased"):
            assert paper_places.origin(name, commit) == "bert-base-uncased"
            assert paper_places.origin(name, "xxh3:0123") == "another model"
        for name in ("bert-base-cased", "me/bert-base-uncased", "minilm"):
            assert paper_places.origin(name, commit) == "another model"

    def test_rows_are_compared(self, named: Probe) -> None:
        rows = by_id(paper_model.rows(named, paper_model.strengths(named)))
        assert rows["table-1/who/layer-8"].verdict == "differs"
        assert rows["table-1/who/layer-8"].difference is not None
        assert rows["table-5/who/layer-8"].verdict == "illustrative"
        assert rows["table-1/rmse/layer-8"].verdict == "not reported"
        table = next(t for t in paper_model.tables(named, paper_model.strengths(named)))
        apart = np.subtract(np.array(table.columns["ours_layer_8"], float), np.array(ONE))
        assert np.array(table.columns["difference_layer_8"], float) == pytest.approx(apart)

    @pytest.mark.parametrize("k", [0, 1, 2])
    def test_the_layer_that_was_printed_is_named(self, named: Probe, k: int) -> None:
        random = np.random.default_rng(k)
        ours = random.normal(10, 3, (3, 10))
        ours[k] = ONE
        printed = paper.published()["table-1"]["strength"]
        rows = by_id(
            paper_places.beside(named, "t", "", "strength", SENTENCE, printed, ours, [""] * 10, "8")
        )
        layer = (7, 8, 9)[k]
        found = rows["t/nearest-layer"]
        assert found.ours == f"layer {layer}"
        assert found.verdict == ("matches" if layer == 8 else "differs")
        assert f"layer {layer}: RMSE 0.0000, median |difference| 0.0000, 10 of 10" in found.note
        for j, number in enumerate((7, 8, 9)):
            error = np.sqrt(np.mean((ours[j] - ONE) ** 2))
            assert rows[f"t/rmse/layer-{number}"].ours == pytest.approx(error)
        matched = {rows[f"t/{token.lower()}/layer-{layer}"].verdict for token in SENTENCE}
        assert matched == {"matches"}

    def test_a_missing_value_is_left_out_of_the_rmse(self, named: Probe) -> None:
        ours = np.array([ONE, ONE, ONE]) + 1.0
        ours[:, 2] = np.nan
        printed = paper.published()["table-1"]["strength"]
        args = (named, "t", "", "strength", SENTENCE, printed, ours, ["none"] * 10, "8")
        rows = by_id(paper_places.beside(*args))
        assert rows["t/is/layer-8"].ours is None
        assert rows["t/is/layer-8"].verdict == "not compared"
        assert rows["t/rmse/layer-8"].ours == pytest.approx(1.0)
        assert "RMSE of 9 tokens" in rows["t/rmse/layer-8"].what


class TestPlaces:
    @pytest.mark.parametrize(
        "model_type", ["bert", "roberta", "xlm-roberta", "gpt2", "xlnet", "t5"]
    )
    def test_pieces_of_a_printed_word_spell_it(self, tiny: Any, model_type: str) -> None:
        model, tokenizer = tiny(model_type)
        encoder = af.Encoder.from_pretrained((model, tokenizer), engine="torch")
        result = encoder.strength(ONE_TEXT)
        found = places(result, SENTENCE)
        fed = tokenizer(ONE_TEXT, return_offsets_mapping=True, return_special_tokens_mask=True)
        special = fed["special_tokens_mask"]
        assert found[0] == ([0] if special[0] else [])
        assert found[-1] == ([len(special) - 1] if special[-1] else [])
        for token, pieces in zip(SENTENCE[1:-1], found[1:-1], strict=True):
            assert pieces
            spelled = ONE_TEXT[result.start[pieces[0]] : result.end[pieces[-1]]]
            assert spelled.strip().lower() == token.lower()

    def test_without_places_in_the_text_a_token_must_be_spelled_so(
        self, minilm: af.Encoder
    ) -> None:
        import dataclasses

        result = minilm.strength(ONE_TEXT)
        unknown = dataclasses.replace(
            result, start=np.full(len(result), -1), end=np.full(len(result), -1)
        )
        assert places(unknown, SENTENCE) == [[k] for k in range(10)]
        assert places(unknown, ["[CLS]", "who", "premier", "of"]) == [[0], [1], [], [6]]

    def test_the_strongest_piece_stands_for_a_word(self) -> None:
        values = np.array([[1.0, 5.0, 3.0], [2.0, np.nan, np.nan]], dtype=np.float32)
        found = paper_places.at_places(values, [[0], [1, 2], []])
        np.testing.assert_array_equal(found, [[1, 5, np.nan], [2, np.nan, np.nan]])

    def test_a_model_of_one_layer_has_two_layers_to_look_at(self, tiny: Any) -> None:
        model = make_model("bert", tiny("bert")[1], num_hidden_layers=1)
        live = (model, tiny("bert")[1])
        probe = Probe.of_encoder(af.Encoder.from_pretrained(live, engine="torch"))
        assert (probe.main, probe.layers) == (1, (0, 1))
        found = af.reproduce(probe.encoder)
        assert "ours_layer_0" in found.table("table-1").columns


class TestSlowTokenizers:
    def test_where_no_place_in_the_text_is_known(self, tmp_path: Path) -> None:
        live = make_slow("byt5", tmp_path / "model")
        (tmp_path / "x.txt").write_text("the dog sat\nwho is it\n", encoding="utf-8")
        found = af.reproduce(af.Encoder.from_pretrained(live, engine="torch"), tmp_path / "x.txt")
        assert found.steering is not None
        assert found.steering.by_text is None
        assert not any(row.id.endswith("/text") for row in found.rows)
        row = found.row("section-3.1.4/content-ranks")
        assert (row.ours, row.note) == (None, paper_model.NO_KINDS)
        assert found.row("table-1/who/layer-2").ours is None
        assert len(charts_paper.figures(found)) == 7


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first sentences of the paper's corpus, and those with its three examples."""
    lines = data_file("paper-corpus/paper_corpus.txt").read_text(encoding="utf-8").splitlines()
    words = ("unfolds", "connoisseur", "nonchalant")
    kept = lines[:60] + [line for line in lines[60:] if any(word in line for word in words)]
    path = tmp_path_factory.mktemp("corpus") / "some.txt"
    path.write_text("\n".join([*kept, kept[0]]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def whole(
    corpus: Path, minilm: af.Encoder, tmp_path_factory: pytest.TempPathFactory
) -> tuple[af.Reproduction, Path]:
    """The reproduction with minilm and a small corpus, and its folder, with a file of another."""
    out = tmp_path_factory.mktemp("out") / "paper"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    (out / "rows.csv").write_text("old")
    found = af.reproduce(minilm, corpus, out)
    return found, out


class TestCorpus:
    def test_counts_are_those_of_pandas(self, whole: tuple[af.Reproduction, Path]) -> None:
        found, out = whole
        tokens = pd.read_parquet(out / "run" / "tokens")
        texts = pd.read_parquet(out / "run" / "texts")
        assert {*tokens.layer} == {4}

        def ours(name: str) -> Any:
            return found.row(name).ours

        assert ours("section-2.5/sentences") == len(texts)
        assert found.row("section-2.5/sentences").verdict == "differs"
        assert (
            f"{texts.text.nunique()} of them different" in found.row("section-2.5/sentences").note
        )
        part = tokens[tokens.high.notna()]
        high, content = part[part.high.astype(bool)], part[part.kind == "content"]
        lift = (high.kind == "content").mean() / (part.kind == "content").mean()
        assert ours("section-3.1.4/content-ranks") == pytest.approx(lift)
        share = 100 * content.high.astype(bool).mean()
        assert ours("section-3.1.4/content-high") == pytest.approx(share)
        for name, rows in {
            "##fold": tokens[tokens.token == "##fold"],
            "##no": tokens[tokens.token == "##no"],
            "##ant": tokens[tokens.token == "##ant"],
            "cls": tokens[tokens.token == "[CLS]"],
            "punctuation": tokens[tokens.kind == "punctuation"],
            "determiners": tokens[tokens.token.isin(["a", "an", "the"])],
        }.items():
            assert len(rows), name
            assert ours(f"section-3.1.4/{name}") == pytest.approx(rows.percentile.mean()), name
        by_text = tokens.sort_values("token_index").groupby("text_id").strength
        weakest = (by_text.last() == by_text.min()).mean()
        assert ours("section-3.1.4/sep") == pytest.approx(100 * weakest)
        right = 100 * (texts["skew"].dropna() > 0).mean()
        assert ours("section-2.2.1/right-skewed") == pytest.approx(right)
        pooled = stats.skew(part.strength.astype(float))
        assert ours("section-2.2.1/pooled-skew") == pytest.approx(pooled, rel=1e-6)

    def test_a_corpus_of_732_sentences_has_the_papers_size(
        self, minilm: af.Encoder, tmp_path: Path
    ) -> None:
        lines = [f"day {n}" for n in range(706)] + [f"day {n}" for n in range(26)]
        (tmp_path / "x.txt").write_text("\n".join(lines), encoding="utf-8")
        path = tmp_path / "x.txt"
        run = af.run_corpus(minilm, path, out=tmp_path / "run", layers=0, keep_text=True)
        row = paper_corpus._size(run)
        assert (row.paper, row.ours) == ("732", 732)
        assert (row.verdict, row.of) == ("matches", "arithmetic")
        assert row.note.startswith("706 of them different")

    def test_a_corpus_needs_a_model(self, corpus: Path) -> None:
        with pytest.raises(af.ActivationFlowError, match="need a model"):
            af.reproduce(corpus=corpus)


class TestFiles:
    def test_names_and_what_is_left_alone(self, whole: tuple[af.Reproduction, Path]) -> None:
        _, out = whole
        names = {
            *("report.html", "rows.csv", "mine.txt", "run"),
            *(f"table-{n}.csv" for n in range(1, 7)),
            *(f"figure-{n}.png" for n in range(1, 8)),
        }
        assert {path.name for path in out.iterdir()} == names
        assert (out / "mine.txt").read_text() == "keep"
        for n in range(1, 8):
            assert (out / f"figure-{n}.png").read_bytes()[:4] == b"\x89PNG"

    def test_rows_are_the_rows(self, whole: tuple[af.Reproduction, Path]) -> None:
        found, out = whole
        with (out / "rows.csv").open(encoding="utf-8", newline="") as file:
            read = [*csv.DictReader(file)]
        assert [row["id"] for row in read] == [row.id for row in found.rows]
        for row, line in zip(found.rows, read, strict=True):
            assert line["paper"] == (row.paper or "")
            assert line["verdict"] == row.verdict
            if isinstance(row.ours, float):
                assert float(line["ours"]) == row.ours
        frame = found.to_pandas()
        assert [*frame.id] == [row.id for row in found.rows]

    def test_tables_have_the_papers_columns_beside_ours(
        self, whole: tuple[af.Reproduction, Path], minilm: af.Encoder
    ) -> None:
        _, out = whole
        table = pd.read_csv(out / "table-1.csv")
        assert [*table.token] == SENTENCE
        assert [*table.paper_strength] == ONE
        ours = minilm.strength(ONE_TEXT).strength[0]
        assert [*table.ours_layer_4] == pytest.approx(ours.tolist())
        shifts = pd.read_csv(out / "table-4.csv")
        assert [*shifts.paper_shift] == SHIFTS
        expected = [p.shift for p in minilm.shift(DAY, WALK).pairs]
        assert [*shifts.ours_shift_layer_4] == pytest.approx(expected)
        assert [*pd.read_csv(out / "table-6.csv").paper_shift] == [2.1, 1.8, 1.5, 11.2, 1.2, 9.7]

    def test_one_file_by_its_ending(
        self, whole: tuple[af.Reproduction, Path], tmp_path: Path
    ) -> None:
        found, _ = whole
        found.save(tmp_path / "x.json")
        assert json.loads((tmp_path / "x.json").read_text()) == json.loads(
            json.dumps(found.to_dict())
        )
        found.save(tmp_path / "x.csv")
        assert (tmp_path / "x.csv").read_text().startswith("id,place,what,paper,ours,difference")
        with pytest.raises(af.ActivationFlowError, match="must be one of"):
            found.save(tmp_path / "x.parquet")
        assert {path.name for path in tmp_path.iterdir()} == {"x.json", "x.csv"}

    def test_folders_that_cannot_be(self, tmp_path: Path) -> None:
        with pytest.raises(af.ActivationFlowError, match="there is no folder"):
            af.reproduce(out=tmp_path / "a" / "b")
        (tmp_path / "file").write_text("")
        with pytest.raises(af.ActivationFlowError, match="is a file"):
            af.reproduce(out=tmp_path / "file")
        assert {path.name for path in tmp_path.iterdir()} == {"file"}

    def test_without_a_model_nothing_is_drawn_that_needs_one(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "figure-4.png").write_bytes(b"old")
        found = af.reproduce(out=tmp_path)
        assert found.provenance is None
        assert {p.name for p in tmp_path.glob("figure-*.png")} == {
            *(f"figure-{n}.png" for n in (1, 2, 3, 4))
        }
        assert (tmp_path / "figure-4.png").read_bytes() == b"old"
        assert "figure-4.png were there before" in caplog.text
        assert "ours" not in "".join(pd.read_csv(tmp_path / "table-1.csv").columns)
        assert found.to_dict()["model"] is None


class TestPage:
    def test_every_row_is_in_one_section(self, whole: tuple[af.Reproduction, Path]) -> None:
        from activation_flow import paper_sections

        found, _ = whole
        listed = [row.id for part in paper_sections.sections(found) for row in part.rows]
        assert len({*listed}) == len(listed)
        assert {*listed} == {row.id for row in found.rows if not row.cell}

    def test_the_page_shows_every_row_and_repr_counts_them(
        self, whole: tuple[af.Reproduction, Path]
    ) -> None:
        from html import unescape

        found, out = whole
        shown = unescape((out / "report.html").read_text(encoding="utf-8"))
        text = " ".join(repr(found).split())
        for row in found.rows:
            if not row.cell:
                assert f'id="{row.id}"' in shown
                assert row.what in shown
        for verdict, count in found.counts.items():
            assert f"{count} {verdict}" in text
        assert "minilm is not the paper's model" in text
        assert max(map(len, repr(found).splitlines())) <= 100
        assert len(repr(found).splitlines()) < 30
        for n in range(1, 8):
            assert f'id="figure-{n}"' in shown
        assert "<script" not in found._repr_html_()

    def test_the_page_asks_for_nothing(
        self, whole: tuple[af.Reproduction, Path], browser: Any
    ) -> None:
        with browser.open(whole[1] / "report.html") as opened:
            assert opened.problems() == []
            assert opened.js("document.querySelectorAll('.afn-live canvas, .afn-live svg').length")
            assert opened.js("document.querySelectorAll('.afn-figure').length") == 7
        assert (whole[1] / "report.html").stat().st_size < 5e6

    def test_figures_draw_the_tables(self, whole: tuple[af.Reproduction, Path]) -> None:
        found, _ = whole
        figures = {f.name: f.chart.to_dict() for f in charts_paper.figures(found)}  # is valid
        assert [*figures] == [f"figure-{n}" for n in range(1, 8)]
        paper_panel, ours_panel = figures["figure-2"]["hconcat"]
        drawn = paper_panel["data"]["values"]
        assert [row["value"] for row in drawn] == TWO
        high = [row["token"] for row in drawn if row["look"] == "HIGH"]
        assert high == ["president", "?"]
        usual = [value for value in TWO if value not in (TWO[0], TWO[-1])]
        limits = {
            layer["encoding"]["y"]["datum"]
            for layer in paper_panel["layer"]
            if "datum" in layer["encoding"].get("y", {})
        }
        assert limits == {np.quantile(usual, 0.75, method="midpoint")}
        for name in ("figure-1", "figure-2", "figure-3"):
            assert "openvino f32" in figures[name]["hconcat"][1]["title"]["text"]
        for name in ("figure-4", "figure-5", "figure-6"):
            assert "openvino f32" in figures[name]["title"]["subtitle"][0]
        assert [row["value"] for row in ours_panel["data"]["values"]] == [
            *found.table("table-2").columns["ours_layer_4"]
        ]
        three = [panel["data"]["values"] for panel in figures["figure-3"]["hconcat"]]
        assert [row["value"] for row in three[0]] == [*EIGHT, *NINE]
        assert {row["layer"] for row in three[1]} == {"layer 4", "layer 5"}
        panel = figures["figure-7"]["hconcat"][0]
        totals = [row["value"] for row in panel["data"]["values"]]
        ours = [found.row(f"figure-{n}/total/text").ours for n in (5, 4, 6)]
        assert totals == pytest.approx(ours)

    def test_a_figure_alone(self, whole: tuple[af.Reproduction, Path]) -> None:
        from activation_flow import drawing

        found, out = whole
        for figure in charts_paper.figures(found):
            chart = found.chart(figure=int(figure.name[-1]))
            assert " ".join(drawing.spec(chart)["title"]["text"]) == figure.title
        assert drawing.png(found.chart(2)) == (out / "figure-2.png").read_bytes()
        for wrong in (0, 8, "1", True, None):
            with pytest.raises(ActivationFlowError, match=r"there is no figure .*: give 1 to 7"):
                found.chart(wrong)  # type: ignore[arg-type]

    def test_a_figure_that_needs_a_model(self) -> None:
        found = af.reproduce()
        assert found.chart().to_dict()
        with pytest.raises(ActivationFlowError, match="figure 4 needs a model, and none was run"):
            found.chart(figure=4)

    def test_rows_as_a_table(self, whole: tuple[af.Reproduction, Path]) -> None:
        found, _ = whole
        table = found.to_arrow()
        for row, given in zip(found.rows, table.to_pylist(), strict=True):
            ours = given["ours"] if given["ours_words"] is None else given["ours_words"]
            assert ours == row.ours
            for name in ("id", "place", "what", "paper", "difference", "verdict", "note", "of"):
                assert given[name] == getattr(row, name)
        head = json.loads(table.schema.metadata[b"activation_flow"])
        assert (head["schema"], head["model"]) == ("reproduce/1", "minilm")
        assert head["counts"] == found.counts

    def test_what_a_notebook_shows(self, whole: tuple[af.Reproduction, Path]) -> None:
        bundle = whole[0]._repr_mimebundle_(include=None, exclude=None)
        assert bundle == {"text/plain": repr(whole[0]), "text/html": whole[0]._repr_html_()}

    @pytest.mark.parametrize("width", [80, 60, 140])
    @pytest.mark.parametrize("name", [f"table-{n}" for n in range(1, 7)])
    def test_every_number_of_a_table_is_in_one_piece(
        self, whole: tuple[af.Reproduction, Path], name: str, width: int
    ) -> None:
        from rich.console import Console

        found, out = whole[0].table(name), io.StringIO()
        console = Console(file=out, width=width, color_system=None)
        page = report_paper.ReproductionPage(found=whole[0], width=width)
        for part in page._table(found, width):
            console.print(part)
        lines = out.getvalue().splitlines()
        assert max(map(len, lines)) <= width
        rows = list(zip(*paper_sections.shown(found).values(), strict=True))
        words = [line.split() for line in lines]
        for token, *values in rows:
            mine = [word for line in words if line[:1] == [token] for word in line[1:]]
            cells = [paper_sections.cell_text(value) for value in values]
            numbers = [cell for cell in cells if paper.number_of(cell) is not None]
            assert numbers
            assert {*numbers} <= {*mine}


class TestCommand:
    def test_the_column_of_no_corpus(self, afn: Any) -> None:
        code, out, err = afn("reproduce", "--text-column", "foo", "--no-model")
        assert (code, out) == (2, "")
        assert "give --corpus FILE" in " ".join(err.split())

    def test_numbers_of_the_paper_are_whole_at_80_columns(self, afn: Any) -> None:
        code, out, _ = afn("reproduce", "-m", "minilm")
        assert code == 0
        for printed in (*ONE, *TWO, *EIGHT, *NINE, *SHIFTS, 18.2, 21.8):
            assert f"{printed}".rstrip("0") in out

    def test_without_a_model(self, afn: Any) -> None:
        code, out, err = afn("reproduce", "--no-model", "--json")
        assert (code, err) == (0, "")
        document = json.loads(out)
        assert document["schema"] == "reproduce/1"
        assert document["model"] is None
        rows = {row["id"]: row for row in document["rows"]}
        assert rows["table-4/total"]["paper"] == 73.5852
        assert rows["table-4/total"]["ours"] == pytest.approx(73.585195)
        assert rows["table-4/total"]["verdict"] == "arithmetic ok"
        assert document["counts"]["contradicts itself"] > 30

    def test_a_terminal_says_what_holds(self, afn: Any) -> None:
        code, out, _ = afn("reproduce", "--no-model")
        assert code == 0
        assert max(map(len, out.splitlines())) <= 80
        for part in (
            "No model was run",
            "Contradicts itself",
            "4.213263 | 4.213283",
            "Verdicts of",
        ):
            assert part in out
        assert "right-skewed" in out
        assert "rank of “prime” among all" not in out

    def test_it_lists_every_row_where_that_is_asked_for(self, afn: Any) -> None:
        code, out, _ = afn("reproduce", "--no-model", "--rows")
        assert code == 0
        assert max(map(len, out.splitlines())) <= 80
        for part in ("rank of “prime” among", "73.5852", "Verdicts of"):
            assert part in out

    def test_a_model_and_a_corpus(self, afn: Any, corpus: Path, tmp_path: Path) -> None:
        table = tmp_path / "posts.csv"
        lines = corpus.read_text(encoding="utf-8").splitlines()[:5]
        pd.DataFrame({"Text": lines}).to_csv(table, index=False)
        words = ("--corpus", str(table), "--text-column", "Text", "-m", "minilm", "--json")
        code, out, err = afn("reproduce", *words)
        assert (code, err) == (0, "")
        document = json.loads(out)
        rows = {row["id"]: row for row in document["rows"]}
        assert rows["section-2.5/sentences"]["ours"] == 5
        assert document["settings"]["text_column"] == "Text"
        assert document["layers"] == [3, 4, 5]

    def test_the_default_model_out_of_reach_is_never_replaced(self, afn: Any) -> None:
        code, out, err = afn("reproduce")
        assert (code, out) == (1, "")
        assert "bert-base-uncased" in err
        assert "--model minilm" in err

    def test_wrong_usage(self, afn: Any, tmp_path: Path) -> None:
        code, _, err = afn("reproduce", "--no-model", "--corpus", "x.txt")
        assert code == 2
        assert "need a model" in err
        code, _, err = afn("reproduce", "-m", "minilm", "--corpus", str(tmp_path / "none.txt"))
        assert code == 1
        assert "none.txt" in err
        code, _, err = afn("reproduce", "--no-model", "--out", str(tmp_path / "a" / "b"))
        assert code == 1
        assert "there is no folder" in err
