"""Answers of the page: the library's own results, each computed once, nothing beyond its bounds."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from page_models import OneModel
from run_folders import make_run

import activation_flow as af
from activation_flow.app_answers import Answers
from activation_flow.app_inputs import Compare, Corpus, Explore, Steer
from activation_flow.app_settings import Bounds, Settings
from activation_flow.data import ActivationFlowError

LONG = "The connoisseur was nonchalant as the story unfolds. " * 60
SERVED = {"host": "0.0.0.0", "auth": ("a", "b")}


@pytest.fixture(scope="module")
def encoder(tiny_encoder):
    return tiny_encoder


@pytest.fixture
def models(encoder):
    return OneModel(encoder)


@pytest.fixture
def answers(models):
    return Answers(Settings(model="minilm"), models)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "a run"
    make_run(path)
    return path


@pytest.fixture(scope="module")
def compared(tmp_path_factory, encoder):
    path = tmp_path_factory.mktemp("compared")
    (path / "texts.txt").write_text("A day.\nA walk in the park.\n")
    return af.run_corpus(
        encoder, path / "texts.txt", out=path / "run", prompts=["Summarize", "Translate"]
    ).path


class TestExplore:
    @pytest.mark.parametrize("text", ["The connoisseur unfolds 日本語 😀.", LONG])
    @pytest.mark.parametrize(
        ("inputs", "options"),
        [
            (Explore(), {}),
            (Explore(layer=0, quantile=0.5), {"layers": 0, "quantile": 0.5}),
            (Explore(layer=-1, words=True), {"layers": -1, "words": "max"}),
            (
                Explore(layer=2, quantile=1, words=True),
                {"layers": 2, "quantile": 1.0, "words": "max"},
            ),
        ],
    )
    def test_it_is_what_the_library_gives(self, answers, encoder, text, inputs, options):
        found = answers.explore(replace(inputs, text=text))
        assert found.at == encoder.strength(text, **options)
        assert found.everywhere == encoder.layers(text, **options | {"layers": "all"})

    def test_only_another_text_runs_the_model(self, answers, models):
        for layer in (None, *range(4)):
            for quantile in (0.75, 0.9):
                for words in (False, True):
                    answers.explore(Explore(layer=layer, quantile=quantile, words=words))
        assert models.uses == 1
        answers.explore(Explore(text="a"))
        answers.explore(Explore(text="a", model="minilm"))
        assert models.uses == 2

    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            (Explore(text="x" * 11), "the text has 11 characters; this page takes up to 10"),
            (Explore(text=3), "the text is int, not a text"),
            (Explore(text="a", quantile=float("nan")), "quantile nan is not between 0 and 1"),
            (Explore(text="a", quantile="0.5"), "quantile '0.5' is not a number"),
            (Explore(text="a", layer=True), "layer True is not a whole number"),
            (Explore(text="a", layer=2.0), "layer 2.0 is not a whole number"),
            (Explore(text="a", words="no"), "words is 'no'; give true or false"),
            (Explore(text="a", model="other"), "not served here"),
            (Explore(text="a", model=None), "the name of the model is NoneType, not a text"),
        ],
    )
    def test_what_is_out_of_bounds_runs_no_model(self, models, inputs, message):
        answers = Answers(Settings(bounds=Bounds(characters=10)), models)
        with pytest.raises(ActivationFlowError, match=message):
            answers.explore(inputs)
        assert not models.uses

    @pytest.mark.parametrize("text", ["", " \n ", "a\ud800"])
    def test_a_text_without_a_result_has_the_librarys_error(self, answers, encoder, text):
        with pytest.raises(ActivationFlowError) as ours:
            answers.explore(Explore(text=text))
        with pytest.raises(ActivationFlowError) as the_librarys:
            encoder.strength(text)
        assert str(ours.value) == str(the_librarys.value)

    def test_a_layer_that_is_not_there(self, answers):
        with pytest.raises(ActivationFlowError, match="layer 7 is out of range"):
            answers.explore(Explore(layer=7))

    def test_ten_at_once(self, answers, models, encoder):
        texts = [f"text number {n} is {'long ' * (n % 7)}here" for n in range(20)]

        def ask(k):
            text, layer = texts[k % 20], k % 4
            return answers.explore(Explore(text=text, layer=layer, quantile=(0.75, 0.5)[k % 2]))

        with ThreadPoolExecutor(10) as pool:
            found = [*pool.map(ask, range(60))]
        assert models.uses == len(texts)
        for k, one in enumerate(found):
            quantile = (0.75, 0.5)[k % 2]
            assert one.at == encoder.strength(texts[k % 20], layers=k % 4, quantile=quantile)


class TestCompare:
    @pytest.mark.parametrize(
        ("inputs", "options"),
        [
            (Compare(), {}),
            (Compare(layer=1, quantile=0.6), {"layers": 1, "quantile": 0.6}),
            (
                Compare(words=True, align="position", quantile=0.5),
                {"words": "max", "align": "position", "quantile": 0.5},
            ),
            (Compare(a="a", b="a longer one", quantile=0), {"quantile": 0.0}),
        ],
    )
    def test_it_is_what_the_library_gives(self, answers, encoder, inputs, options):
        assert answers.compare(inputs) == encoder.shift(inputs.a, inputs.b, **options)

    def test_another_quantile_runs_no_model(self, answers, models):
        for quantile in (0.75, 0.5, 0.9, 0.75):
            answers.compare(Compare(quantile=quantile))
        assert models.uses == 1

    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            (Compare(a="x" * 5001), "text A has 5,001 characters"),
            (Compare(b="x" * 5001), "text B has 5,001 characters"),
            (Compare(align="other"), "'other' is not one of"),
            (Compare(quantile=2), "quantile 2 is not between"),
        ],
    )
    def test_what_is_not_taken_runs_no_model(self, answers, models, inputs, message):
        with pytest.raises(ActivationFlowError, match=message):
            answers.compare(inputs)
        assert not models.uses

    @pytest.mark.parametrize("a", ["", LONG])
    def test_a_text_without_a_result_has_the_librarys_error(self, answers, encoder, a):
        with pytest.raises(ActivationFlowError) as ours:
            answers.compare(Compare(a=a, b="b"))
        with pytest.raises(ActivationFlowError) as the_librarys:
            encoder.shift(a, "b")
        assert str(ours.value) == str(the_librarys.value)


class TestSteer:
    @pytest.mark.parametrize(
        ("inputs", "options"),
        [
            (Steer(), {}),
            (Steer(baseline=True, quantile=0.5), {"baseline": True, "quantile": 0.5}),
        ],
    )
    def test_it_is_what_the_library_gives(self, answers, encoder, inputs, options):
        own = encoder.prompts(inputs.text, [*inputs.prompts], layers="all", **options)
        assert answers.steer(inputs) == own

    def test_only_another_text_or_prompt_runs_the_model(self, answers, models):
        few = Steer(prompts=("a", "b"))
        for layer in (None, 0, 3):
            for quantile in (0.75, 0.5):
                answers.steer(replace(few, layer=layer, quantile=quantile, a=1, b=0))
        assert models.uses == 1
        answers.steer(replace(few, prompts=("b", "a")))
        answers.steer(replace(few, prompts=("a",), baseline=True))
        assert models.uses == 3

    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            (Steer(prompts=("a",) * 9), "9 prompts came; this page takes up to 8"),
            (Steer(prompts=("a", "x" * 5001)), "prompt 2 has 5,001 characters"),
            (Steer(prompts=("a", 3)), "prompt 2 is int"),
            (Steer(prompts=("a", "a")), "prompt 'a' is given twice"),
            (Steer(prompts=("a",)), "compared in pairs"),
            (Steer(b=3), "prompt b is 3; give one of 0 to 2"),
            (Steer(b=0), "compared with another one"),
        ],
    )
    def test_what_is_not_taken_runs_no_model(self, answers, models, inputs, message):
        with pytest.raises(ActivationFlowError, match=message):
            answers.steer(inputs)
        assert not models.uses


class TestCorpus:
    def test_it_is_what_the_library_gives(self, answers, folder):
        found = answers.corpus(Corpus(run=str(folder)))
        assert found.summary.to_dict() == af.Run(folder).summary().to_dict()
        assert (found.layers, found.layer, found.found) == ((3, 4), 4, None)  # that of the paper

    def test_what_is_looked_for(self, answers, folder):
        found = answers.corpus(Corpus(run=str(folder), layer=4, find=" canada ")).found
        assert found.to_dict() == af.Run(folder).occurrences("canada", 4).to_dict()
        assert found.n_places > 0

    def test_a_run_is_summarized_once_and_again_when_it_has_changed(
        self, answers, tmp_path, monkeypatch
    ):
        calls, summary = [], af.Run.summary
        monkeypatch.setattr(
            af.Run, "summary", lambda run, *a, **k: calls.append(1) or summary(run, *a, **k)
        )
        make_run(tmp_path / "run", texts=20)
        for layer in (None, 3, 4):
            answers.corpus(Corpus(run=str(tmp_path / "run"), layer=layer))
        assert len(calls) == 1
        make_run(tmp_path / "run", texts=30, seed=1)
        found = answers.corpus(Corpus(run=str(tmp_path / "run")))
        assert (len(calls), found.summary.counts["texts"]) == (2, 30)

    def test_an_unfinished_run_is_read_again_when_more_is_done(self, answers, tmp_path):
        make_run(tmp_path / "run", finished=False, done=(0,))
        few = answers.corpus(Corpus(run=str(tmp_path / "run"))).summary
        part = tmp_path / "whole" / "x"
        make_run(part, finished=False, done=(0, 1))
        for table in ("tokens", "texts"):
            name = f"{table}/part-00001.parquet"
            (tmp_path / "run" / name).write_bytes((part / name).read_bytes())
        assert answers.corpus(Corpus(run=str(tmp_path / "run"))).summary.shards == (2, 3)
        assert few.shards == (1, 3)

    def test_in_a_run_that_compares_nothing_can_be_looked_for(self, answers, compared):
        found = answers.corpus(Corpus(run=str(compared)))
        assert found.summary.to_dict() == af.Run(compared).summary().to_dict()
        with pytest.raises(ActivationFlowError, match="this run compares texts, and keeps no"):
            answers.corpus(Corpus(run=str(compared), find="day"))

    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            (Corpus(), "choose a run"),
            (Corpus(run=" "), "choose a run"),
            (Corpus(run=3), "the path of the run is int"),
            (Corpus(run="/no/such"), "there is no folder /no/such"),
            (Corpus(run="a\0b"), "is no path of a folder"),
            (Corpus(run="~nobody-of-this-name/x"), "is no path of a folder"),
            (Corpus(run="x" * 5000), "cannot be read: File name too long"),
            (Corpus(run="/etc/hostname"), "/etc/hostname"),
        ],
    )
    def test_what_is_no_run(self, answers, inputs, message):
        with pytest.raises(ActivationFlowError, match=message):
            answers.corpus(inputs)

    def test_a_layer_that_the_run_does_not_hold(self, answers, folder):
        with pytest.raises(ActivationFlowError, match="this run holds layers 3 and 4, not 2"):
            answers.corpus(Corpus(run=str(folder), layer=2))

    def test_beyond_this_machine_only_what_is_served_is_opened(self, models, folder, tmp_path):
        make_run(tmp_path / "own", texts=5)
        (tmp_path / "link").symlink_to(folder)
        (tmp_path / "circle").symlink_to(tmp_path / "circle")
        served = Answers(Settings(runs=(str(tmp_path / "link"),), **SERVED), models)
        for name in (folder, tmp_path / "link", tmp_path / "own" / ".." / "link"):
            opened = served.corpus(Corpus(run=str(name)))
            assert opened.layers == (3, 4)
            assert opened.run.path == tmp_path / "link"  # as it was offered
        others = (tmp_path / "own", tmp_path / "link" / ".." / "own", tmp_path, tmp_path / "none")
        others = (*others, "/etc/passwd", "~nobody-of-this-name", "a\0b", tmp_path / "circle")
        told = set()
        for name in others:
            with pytest.raises(ActivationFlowError) as problem:
                served.corpus(Corpus(run=str(name)))
            told.add(str(problem.value))
        assert told == {
            f"this page opens only the runs that it is served with: {tmp_path / 'link'}"
        }
        (tmp_path / "link").unlink()
        (tmp_path / "link").symlink_to(tmp_path / "none")
        with pytest.raises(ActivationFlowError, match="only the runs"):
            served.corpus(Corpus(run=str(folder)))
