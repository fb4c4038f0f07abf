"""Variants of a model: tried for real, and kept only while their answers stay right."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from data import load
from nets import linear, records, save
from onnx import numpy_helper

from opdeploy.artifact.evidence import at_least, centred_cosine, gather, judge
from opdeploy.artifact.optimize import NOISE, Goal, Optimised, Trial, fastest, optimize
from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples
from opdeploy.artifact.variants import Candidate, candidates
from opdeploy.errors import OpdeployError
from opdeploy.runtime.choosing import choose
from opdeploy.runtime.manifest import Evidence
from opdeploy.runtime.package import opened
from opdeploy.runtime.session import Session
from opdeploy.runtime.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from opdeploy.artifact.optimize import State

    Propose = Callable[[Path, Samples, int | None], Sequence[Candidate]]

QUICK = Goal(batch=4, rounds=2, seconds=0.01)


@pytest.fixture(scope="module")
def digits(root: Path) -> Path:
    """Return the model of the digits example."""
    return root / "examples" / "digits" / "model.onnx"


@pytest.fixture(scope="module")
def held_out() -> Samples:
    """Return the digits that the model was not trained on, with their labels."""
    images = load()[1]
    return Samples({"image": images.images}, "held-out digits", labels=images.labels)


@pytest.fixture(scope="module")
def optimised(digits: Path, held_out: Samples, tmp_path_factory: pytest.TempPathFactory) -> Optimised:
    """Return what comes of trying everything on the digits model."""
    return optimize(digits, held_out, QUICK, tmp_path_factory.mktemp("variants"))


def trial(result: Optimised, name: str) -> Trial:
    """Return what came of one variant."""
    return next(item for item in result.trials if item.name == name)


def only(*proposed: Candidate) -> Propose:
    """Return what proposes these variants alone."""
    return lambda _model, _calibration, _batch: list(proposed)


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("fp32", {"accepted", "best"}),
        ("fp32-extended", {"accepted", "best"}),
        ("fp32-basic", {"accepted", "best"}),
        ("fp32-as-exported", {"accepted", "best"}),
        ("fp32-fused", {"skipped"}),
        ("int8-dynamic", {"accepted", "best"}),
        ("int8-static", {"accepted", "best"}),
        ("int8-static-reduced", {"accepted", "best"}),
        ("int8-static-tensor", {"accepted", "best"}),
    ],
)
def test_every_variant_is_tried_and_told(optimised: Optimised, name: str, state: set[str]) -> None:
    """The report has each variant, with its speed and evidence, or the reason why it was not tried."""
    found = trial(optimised, name)
    assert found.state in state
    assert found.why
    if found.state != "skipped":
        assert found.records_per_second
        assert found.speed_up
        assert found.evidence
        assert found.evidence.records == 225  # the half that does not calibrate
        assert found.evidence.reference_accuracy == pytest.approx(222 / 225)


def test_the_fastest_accepted_variant_is_kept(optimised: Optimised) -> None:
    """Of all that may be served the best one is as fast as the fastest, and it is the only one so called."""
    accepted = [item for item in optimised.trials if item.state in ("accepted", "best")]
    assert (optimised.best.speed_up or 0) * NOISE >= max(item.speed_up or 0 for item in accepted)
    assert sum(item.state == "best" for item in optimised.trials) == 1


def made(name: str, speed_up: float, cosine: float, state: State = "accepted") -> Trial:
    """Return what might come of a variant."""
    found = Evidence("records", 100, classes=True, agreement=1.0, cosine=cosine)
    return Trial(name, "int8", Settings(), state, "why", 100 * speed_up, 100, speed_up, None, found)


@pytest.mark.parametrize(
    ("trials", "name"),
    [
        ([made("fp32", 1, 1)], "fp32"),
        ([made("fp32", 1, 1), made("slow", 1.04, 0.99)], "fp32"),
        ([made("fp32", 1, 1), made("fast", 2, 0.9)], "fast"),
        ([made("fp32", 1, 1), made("fast", 3, 0.85), made("right", 2.9, 0.99)], "right"),
        ([made("fp32", 1, 1), made("fast", 3, 0.85), made("slower", 2.8, 0.99)], "fast"),
        ([made("fp32", 1, 1), made("wrong", 9, 0.99, "rejected")], "fp32"),
    ],
)
def test_of_those_as_fast_the_one_with_the_best_answers_is_kept(trials: list[Trial], name: str) -> None:
    """Less than 5 % is lost in the noise, so that it decides nothing; what was rejected is out of the question."""
    assert fastest(trials).name == name


def test_int8_is_int8_with_weights_of_a_quarter(optimised: Optimised, digits: Path) -> None:
    """A quantised graph holds its weights as 8-bit integers, with inputs and outputs as they were."""
    graph = trial(optimised, "int8-static").graph
    assert graph
    weights = [numpy_helper.to_array(tensor) for tensor in onnx.load_model(graph).graph.initializer]
    assert sum(array.size for array in weights if array.dtype == np.int8) > 40_000
    assert graph.stat().st_size < 0.5 * digits.stat().st_size
    assert Session(graph).inputs == Session(digits).inputs


def test_a_reduced_range_leaves_one_bit_free(optimised: Optimised) -> None:
    """With the reduced range weights have 7 bits, so that two products cannot saturate 16 bits."""
    spans = {}
    for name in ("int8-static", "int8-static-reduced"):
        graph = trial(optimised, name).graph
        assert graph
        arrays = [numpy_helper.to_array(tensor) for tensor in onnx.load_model(graph).graph.initializer]
        spans[name] = max(int(np.abs(array.astype(int)).max()) for array in arrays if array.dtype == np.int8)
    assert spans["int8-static"] > 100
    assert spans["int8-static-reduced"] <= 64


def spoilt(model: Path, target: Path, *, change: float) -> None:
    """Write the model with one of its weights changed, as a broken kernel or tool would."""
    proto = onnx.load_model(model)
    for tensor in proto.graph.initializer:
        if tensor.dims == [10]:
            array = numpy_helper.to_array(tensor).copy()
            array[3] += change
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    onnx.save_model(proto, target)


def test_a_wrong_variant_is_rejected(digits: Path, held_out: Samples, tmp_path: Path) -> None:
    """A variant that calls every digit a three is measured, told, and not kept, however fast it is."""
    wrong = Candidate("wrong", "int8", make=partial(spoilt, digits, change=100))
    result = optimize(digits, held_out, QUICK, tmp_path, only(wrong))
    found = trial(result, "wrong")
    assert found.state == "rejected"
    assert found.why == "accuracy 9.78% where the reference has 98.67%: loses more than 1.00%"
    assert result.best.name != "wrong"


def test_what_is_slightly_wrong_is_a_question_of_the_accuracy_that_may_be_lost(
    digits: Path, held_out: Samples, tmp_path: Path
) -> None:
    """The same variant is rejected under a strict bound and accepted under a loose one."""
    states = []
    for most in (0.0, 1.0):
        (tmp_path / str(most)).mkdir()
        candidate = Candidate("off", "int8", make=partial(spoilt, digits, change=4))
        result = optimize(
            digits, held_out, replace(QUICK, max_accuracy_loss=most), tmp_path / str(most), only(candidate)
        )
        states.append(trial(result, "off").state)
    assert states[0] == "rejected"
    assert states[1] in ("accepted", "best")


def fails(_target: Path) -> None:
    """Fail as a tool does."""
    raise NotImplementedError("no kernel\nfor this")


def test_a_variant_that_cannot_be_made_is_told_in_one_line(digits: Path, held_out: Samples, tmp_path: Path) -> None:
    """What a tool raises is the result of that variant, and the others go on."""
    result = optimize(digits, held_out, QUICK, tmp_path, only(Candidate("broken", "int8", make=fails)))
    assert (trial(result, "broken").state, trial(result, "broken").why) == ("failed", "no kernel for this")
    assert result.best


def test_a_provider_that_is_not_there_fails(digits: Path, held_out: Samples, tmp_path: Path) -> None:
    """ONNX Runtime would fall back to the CPU without a word; a variant that did so would be a lie."""
    candidate = Candidate("gpu", "fp32", Settings(provider="CUDAExecutionProvider"))
    found = trial(optimize(digits, held_out, QUICK, tmp_path, only(candidate)), "gpu")
    assert found.state == "failed"
    assert "CUDAExecutionProvider" in found.why


def test_drawn_records_prove_nothing(digits: Path, held_out: Samples, tmp_path: Path) -> None:
    """On records drawn at random, a variant that changes answers is not kept, even where the classes agree."""
    drawn = Samples(held_out.inputs, "drawn at random", synthetic=True)
    result = optimize(digits, drawn, QUICK, tmp_path, lambda *all_: candidates(*all_)[5:6])
    assert (result.trials[1].name, result.trials[1].state) == ("int8-static", "rejected")
    assert result.trials[1].why == "other answers, and no real data to judge them by"


def test_one_class_for_all_records_is_no_evidence(tmp_path: Path) -> None:
    """Where the reference gives one class for everything, agreement with it says nothing."""
    model = linear(tmp_path / "m.onnx", softmax=False, bias=50)
    samples = Samples({"x": records(64)}, "records")
    goal = replace(QUICK, task="classification")
    result = optimize(model, samples, goal, tmp_path, lambda *all_: candidates(*all_)[5:6])
    assert (result.trials[1].name, result.trials[1].state) == ("int8-static", "rejected")
    assert "the reference gives one class for all records" in result.trials[1].why


def test_a_graph_of_fixed_batch_is_run_with_that_batch(tmp_path: Path) -> None:
    """A graph that takes four records at a time is judged and measured with four, whatever was asked for."""
    model = linear(tmp_path / "m.onnx", batch=4)
    result = optimize(model, Samples({"x": records(30)}, "records"), replace(QUICK, batch=1), tmp_path)
    assert result.batch == 4
    assert trial(result, "int8-static").evidence


def test_answers_that_are_not_finite_stop_it(tmp_path: Path) -> None:
    """Nothing can be compared with what is not a number."""
    model = linear(tmp_path / "m.onnx", softmax=False, bias=np.inf)
    with pytest.raises(OpdeployError, match="not a finite number in 'y'"):
        optimize(model, Samples({"x": records(8)}, "records"), QUICK, tmp_path)


Y = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.6, 0.3, 0.1]])


def evidence_of(answers: Any, **given: Any) -> Any:  # noqa: ANN401  an array, and Samples' fields
    """Gather the evidence for answers against those above."""
    return gather({"y": np.array(answers)}, {"y": Y}, Samples({"x": Y}, "four", **given))


@pytest.mark.parametrize(
    "answers", [np.where(np.arange(12).reshape(4, 3) == 11, np.nan, Y), np.hstack([Y, Y[:, :1]])], ids=["NaN", "wider"]
)
def test_what_is_no_number_or_of_another_shape_is_rejected(answers: Any) -> None:  # noqa: ANN401  an array
    """One such answer is enough, whatever the share of right ones, and however much may be lost."""
    verdict = judge({"y": answers}, {"y": Y}, Samples({"x": Y}, "four"), 1)
    assert (verdict.accepted, verdict.why) == (False, "answers of another shape, or that are not finite numbers")


def test_where_nothing_is_quantised_int8_is_skipped(tmp_path: Path) -> None:
    """A graph that quantisation leaves as it was is no variant of INT8, and not called one."""
    model = save(tmp_path / "m.onnx", [onnx.helper.make_node("Tan", ["x"], ["y"])], {})
    result = optimize(
        model, Samples({"x": records(8)}, "records"), QUICK, tmp_path, lambda *all_: candidates(*all_)[4:6]
    )
    assert [(item.name, item.state) for item in result.trials[1:3]] == [
        ("int8-dynamic", "skipped"),
        ("int8-static", "skipped"),
    ]


def test_agreement_and_accuracy_are_those_of_the_best_class() -> None:
    """Computed by hand: one of four classes differs, and the labels agree with the reference on three."""
    answers = Y.copy()
    answers[3] = [0.3, 0.6, 0.1]
    found = evidence_of(answers, labels=np.array([0, 1, 1, 0]))
    assert (found.agreement, found.accuracy, found.reference_accuracy) == (0.75, 0.5, 0.75)


def test_the_cosine_is_taken_about_the_mean_answer() -> None:
    """Answers that share a large part look alike without that; with it, opposite ones are opposite."""
    reference = np.array([[100.0, 1.0], [100.0, -1.0]])
    opposite = np.array([[100.0, -1.0], [100.0, 1.0]])
    assert centred_cosine({"y": opposite}, {"y": reference}) == pytest.approx(-1)
    assert centred_cosine({"y": reference[:1]}, {"y": reference[:1]}) is None


def test_embeddings_are_judged_by_their_cosine() -> None:
    """Where no output is a class, what is lost is what the cosine about the mean lacks to one."""
    generator = np.random.default_rng(0)
    reference = generator.standard_normal((50, 16))
    samples = Samples({"x": reference}, "fifty")
    near, far = (reference + scale * generator.standard_normal((50, 16)) for scale in (0.05, 0.5))
    assert judge({"y": near}, {"y": reference}, samples, 0.01).accepted
    verdict = judge({"y": far}, {"y": reference}, samples, 0.01)
    assert not verdict.accepted
    assert verdict.evidence.agreement is None


@pytest.mark.parametrize(("share", "count", "least"), [(1, 10, 0.7871), (1, 1000, 0.9973), (0.9, 100, 0.8396)])
def test_few_records_prove_little(share: float, count: int, least: float) -> None:
    """Wilson's lower bound, computed with scipy 1.17: binomtest(k, n).proportion_ci(0.90, "wilson").low."""
    assert at_least(share, count) == pytest.approx(least, abs=1e-4)


def test_a_graph_that_came_quantised_is_taken_as_it_is(optimised: Optimised, held_out: Samples, tmp_path: Path) -> None:
    """Its reference is what ONNX Runtime makes of it, not what it would be in fp32, and the artefact takes it."""
    graph = trial(optimised, "int8-static").graph
    assert graph
    result = optimize(graph, held_out, QUICK, tmp_path, lambda *all_: candidates(*all_)[:6])
    assert trial(result, "int8-static").why == "it is quantised already"
    assert [item.name for item in result.trials[:4]] == ["int8", "int8-extended", "int8-basic", "int8-as-exported"]
    assert {item.precision for item in result.trials} == {"int8"}
    for number, found in enumerate((result, None)):
        build(Contents("digits", graph, held_out, optimised=found), tmp_path / f"{number}")
        with opened(tmp_path / f"{number}") as package:
            assert not choose(package).rejected
            assert package.manifest.variants[-1].tolerance["probabilities"].atol < 0.05
