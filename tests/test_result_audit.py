"""An audit as values: its document and back, its tables, files, errors, and its command."""

import json
import math
import shlex
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audit_results import EVIL, SETTINGS, audit_result, hostile_result
from click.testing import CliRunner

import activation_flow as af
from activation_flow import command_audit, document_audit, result_audit
from activation_flow.audit_tables import VERDICTS
from activation_flow.data import ActivationFlowError
from activation_flow.result_audit import AuditResult

FOUND = audit_result()


def strict(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


class TestDocument:
    def test_it_is_as_the_design_says(self) -> None:
        document = FOUND.to_dict()
        head = [*FOUND.provenance.head("audit/1", FOUND.layers, layer=4)]
        names = [*document_audit.ROWS, "counts", "notes", "input"]
        assert [*document] == [*head, *names]
        assert (document["schema"], document["layer"], document["layers"][-1]) == ("audit/1", 4, 6)
        first = document["claims"][0]
        assert {"id", "test", "verdict", "effect", "interval", "p", "n", "sentence"} <= {*first}
        assert (first["id"], first["interval"]) == ("C1", [0.79, 0.856])
        assert first["details"][0]["interval"] == [0.468, 0.559]
        norm = next(s for s in document["scores"] if s["score"] == "norm" and s["layer"] == 4)
        assert (norm["auc"], norm["seconds_per_1000_tokens"]) == (0.823, 0.21)
        assert norm["top_share"] == [0.083, 0.171]
        assert [c["auc"] for c in document["controls"]] == [
            0.513,
            0.499,
            0.561,
            0.5,
            0.52,
            None,
            None,
        ]

    def test_every_field_of_every_row_is_in_it(self) -> None:
        document = FOUND.to_dict()
        for name, kind in document_audit.ROWS.items():
            rows = getattr(FOUND, name)
            assert rows
            assert len(document[name]) == len(rows)
            for row, written in zip(rows, document[name], strict=True):
                assert [*written] == [field.name for field in fields(kind)]
                assert isinstance(row, kind)

    def test_no_number_is_null(self) -> None:
        text = json.dumps(hostile_result().to_dict(), allow_nan=False)
        document = strict(text)
        assert {row["interval"] for row in document["scores"]} == {None}
        assert document["settings"][EVIL] is None
        odd = replace(FOUND.scores[0], auc=np.float32("nan"), pooled=np.float64(0.25), tokens=9)
        infinite = replace(FOUND.ratios[0], interval=(0.1, math.inf))
        (score,), ratios = (
            replace(FOUND, scores=(odd,), ratios=(infinite,)).to_dict()[name]
            for name in ("scores", "ratios")
        )
        assert (score["auc"], score["pooled"], type(score["pooled"])) == (None, 0.25, float)
        assert ratios[0]["interval"] is None

    def test_back_again(self) -> None:
        back = document_audit.from_dict(strict(json.dumps(FOUND.to_dict())))
        assert back.to_dict() == FOUND.to_dict()
        for field in fields(AuditResult):
            if field.name != "provenance":
                assert getattr(back, field.name) == getattr(FOUND, field.name), field.name
        assert back.provenance == FOUND.provenance

    def test_what_an_earlier_version_did_not_say_is_the_default(self) -> None:
        document = FOUND.to_dict()
        for rows, name in (("claims", "method"), ("controls", "p")):
            for row in document[rows]:
                del row[name]
        back = document_audit.from_dict(document)
        assert {claim.method for claim in back.claims} == {""}
        assert {control.p for control in back.controls} == {None}
        del document["claims"][0]["verdict"]
        with pytest.raises(LookupError, match="verdict"):
            document_audit.from_dict(document)

    def test_what_a_later_version_adds_is_left_alone(self) -> None:
        document = FOUND.to_dict()
        document["claims"][0]["new"] = document["new"] = 1
        assert document_audit.from_dict(document).claims == FOUND.claims


class TestTables:
    def test_arrow_holds_the_scores_and_all_else_as_metadata(self) -> None:
        table = FOUND.to_arrow()
        assert table.num_rows == len(FOUND.scores)
        assert table.column_names == [*result_audit.TABLE]
        for row, score in zip(table.to_pylist(), FOUND.scores, strict=True):
            assert (row["auc"], row["layer"], row["note"]) == (score.auc, score.layer, score.note)
            assert (row["low"], row["high"]) == (score.interval or (None, None))
            assert (row["top_share_1"], row["top_share_3"]) == (score.top_share or (None, None))
        head = strict(table.schema.metadata[b"activation_flow"].decode())
        rest = {name: value for name, value in FOUND.to_dict().items() if name != "scores"}
        assert head == {**rest, "rows": table.num_rows}

    def test_pandas(self) -> None:
        frame = FOUND.to_pandas()
        assert frame.auc.dropna().tolist() == [s.auc for s in FOUND.scores if s.auc is not None]
        assert frame.layer.isna().sum() == sum(s.layer is None for s in FOUND.scores)


class TestAsking:
    def test_verdicts_and_claims(self) -> None:
        assert [*FOUND.verdicts] == [f"C{n}" for n in range(1, 12)]
        assert {*FOUND.verdicts.values()} == {*VERDICTS}
        assert FOUND.claim("C8").effect == -1.204
        with pytest.raises(ActivationFlowError, match=r"no claim 'c1'; there are: C1, C2"):
            FOUND.claim("c1")
        with pytest.raises(ActivationFlowError, match="there are: none"):
            audit_result(claims=()).claim("C1")


class TestFiles:
    @pytest.mark.parametrize("made", [audit_result, hostile_result])
    def test_json_comes_back(self, made: Any, tmp_path: Path) -> None:
        made().save(tmp_path / "audit.json")
        back = af.load(tmp_path / "audit.json")
        assert isinstance(back, AuditResult)
        assert back.to_dict() == made().to_dict()
        strict((tmp_path / "audit.json").read_text("utf-8"))

    def test_csv_and_parquet_are_the_scores(self, tmp_path: Path) -> None:
        import pandas
        from pyarrow import parquet

        FOUND.save(tmp_path / "a.csv")
        FOUND.save(tmp_path / "a.parquet")
        assert len(pandas.read_csv(tmp_path / "a.csv")) == len(FOUND.scores)
        assert parquet.read_table(tmp_path / "a.parquet").equals(FOUND.to_arrow())
        with pytest.raises(ActivationFlowError, match="json of the audit holds all of it"):
            af.load(tmp_path / "a.parquet")

    def test_what_cannot_be_written_or_read(self, tmp_path: Path) -> None:
        with pytest.raises(ActivationFlowError, match=r"ending '.xlsx'; it must be one of .json"):
            FOUND.save(tmp_path / "a.xlsx")
        with pytest.raises(ActivationFlowError, match="there is no folder"):
            FOUND.save(tmp_path / "no" / "a.json")
        broken = {**FOUND.to_dict()}
        del broken["counts"]
        (tmp_path / "b.json").write_text(json.dumps(broken))
        with pytest.raises(ActivationFlowError, match=r"damaged .*'counts' is missing"):
            af.load(tmp_path / "b.json")
        (tmp_path / "b.json").write_text(json.dumps({**FOUND.to_dict(), "claims": [1]}))
        with pytest.raises(ActivationFlowError, match="holds no results"):
            af.load(tmp_path / "b.json")


class TestCommand:
    """The command of an audit gives the command line the settings of the audit."""

    def test_of_the_defaults_only_what_must_be(self) -> None:
        line = "afn audit -m minilm --kinds list sentences.txt"
        assert FOUND.command == line

    def test_all_that_differs_stands_in_it_and_is_understood(self) -> None:
        asked = {
            **{"kinds": "gold", "pairs": "p.csv", "sample": 50, "texts": 700, "draws": 99},
            **{"frequency": "a b.txt", "seed": 3, "controls": False, "text_column": "body"},
            **{"format": "csv", "max_length": 64},
        }
        settings = {**SETTINGS, **asked}
        found = audit_result(
            layer=2,
            input="-odd name.csv",
            provenance=replace(FOUND.provenance, settings=settings, precision="bf16"),
        )
        words = shlex.split(found.command)
        context = command_audit.audit_command.make_context("audit", words[2:])
        expected = {**asked, "layer": "2", "model": "minilm", "precision": "bf16"}
        assert {name: context.params[name] for name in expected} == expected
        assert context.params["corpus"] == "-odd name.csv"

    def test_of_standard_input(self) -> None:
        first, second = audit_result(input="-").command.split("\n")
        assert first == "afn audit -m minilm --kinds list -"
        assert second.startswith("# - is standard input")

    def test_of_pairs_on_standard_input(self) -> None:
        settings = {**SETTINGS, "pairs": "-"}
        found = audit_result(provenance=replace(FOUND.provenance, settings=settings))
        first, second = found.command.split("\n")
        assert "--pairs - " in first
        assert second.startswith("# - is standard input")

    def test_where_there_is_none(self) -> None:
        live = replace(FOUND.provenance, model="BertModel (live)")
        assert audit_result(provenance=live).command == ""
        assert audit_result(input="").command == ""


class TestRefused:
    """What is wrong is told before a model is loaded."""

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["no.txt"], "no.txt"),
            (["in.txt", "--save", "a.xlsx"], "it must be one of .json"),
            (["in.txt", "--pairs", "no.csv"], "--pairs: there is no file no.csv"),
            (["in.txt", "--frequency", "Corpus"], "--frequency: there is no file Corpus"),
            (["in.txt", "--format", "docx"], "--format docx is not one of"),
        ],
    )
    def test_files(
        self, afn: Any, words: list[str], said: str, tmp_path: Path, monkeypatch: Any
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("in.txt").write_text("One text.\n")
        code, out, err = afn("audit", *words, "-m", "no/such-model")
        assert (code, out) == (1, "")
        assert said in err

    def test_usage(self) -> None:
        for words in (["x", "--draws", "0"], ["x", "--seed", "-1"], [], ["a", "b"]):
            assert CliRunner().invoke(command_audit.audit_command, words).exit_code == 2
