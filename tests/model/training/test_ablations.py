from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from model.config import MECHANISMS
from model.errors import ConfigError
from model.training import ablations
from model.training.__main__ import main
from model.training.ablations import STUDIES, Row, as_table, at_budget, rows, three_stages
from model.training.config import Recipe, Stage
from tests.model import tiny
from tests.model.training import small_recipe

BASE = small_recipe.recipe(tiny.tree(), stages=(Stage(steps=100),))


def of(study: str) -> dict[str, Recipe]:
    return {row.name: row.recipe for row in rows(BASE, [study])}


def test_every_row_has_the_same_budget_data_and_seed() -> None:
    for row in rows(BASE, STUDIES):
        assert sum(stage.steps for stage in row.recipe.stages) == 100, row
        assert {stage.batch for stage in row.recipe.stages} == {BASE.stages[0].batch}
        assert (row.recipe.seed, row.recipe.sources) == (BASE.seed, BASE.sources)
        assert row.recipe.model.trunk == BASE.model.trunk


def test_rows_differ_in_what_the_study_is_about() -> None:
    assert [r.model.mechanism for r in of("mechanisms").values()] == list(MECHANISMS)
    assert {n: r.model.decoder.num_links for n, r in of("links").items()} == {
        "1": 1, "4": 4, "8": 8
    }  # fmt: skip
    assert {n: r.model.language.num_bins for n, r in of("bins").items()} == {
        "257": 257, "1025": 1025
    }  # fmt: skip
    assert {r.model.mechanism for r in of("bins").values()} == {"coordinates"}
    assert [r.model.decoder.conditioned for r in of("conditioning").values()] == [True, False]
    assert [len(r.stages) for r in of("stages").values()] == [1, 3]
    assert [r.model.decoder.num_guided for r in of("guidance").values()] == [0, 8]
    aids = of("aids")
    assert [(r.losses.many, r.noise) for r in aids.values()] == [(0, 0), (1, 0), (0, 0.3)]


def test_the_same_recipe_is_one_row_whatever_it_is_called() -> None:
    keys = {(row.study, row.name): row.key for row in rows(BASE, STUDIES)}
    base = keys["mechanisms", "queries"]
    same = [place for place, key in keys.items() if key == base]
    assert same == [("mechanisms", "queries"), ("links", "4"), ("conditioning", "with"),
                    ("stages", "one"), ("guidance", "none"), ("aids", "none")]  # fmt: skip
    assert keys["bins", "257"] == keys["mechanisms", "coordinates"]
    assert len(set(keys.values())) == 11


def test_three_stages_talk_then_join_then_decode() -> None:
    talk, joint, decoders = three_stages(BASE).stages
    assert (talk.steps, joint.steps, decoders.steps) == (30, 50, 20)
    assert "prefixed" in talk.trains
    assert "box_decoder" not in talk.trains
    assert joint.trains == BASE.stages[0].trains
    assert "box_decoder" in decoders.trains
    assert "prefixed" not in decoders.trains
    assert talk.lessons.names == 0 < talk.lessons.captions
    assert decoders.lessons.questions == 0 < decoders.lessons.refs


def test_a_budget_is_shared_as_before() -> None:
    two = replace(BASE, stages=(Stage(steps=30), Stage(steps=10)))
    scaled = at_budget(two, 8, batch=3)
    assert [(s.steps, s.batch) for s in scaled.stages] == [(6, 3), (2, 3)]
    with pytest.raises(ConfigError, match="steps is 1"):
        at_budget(two, 1)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ConfigError, match="'colours'"):
        rows(BASE, ["colours"])
    with pytest.raises(ConfigError, match="2 stages"):
        rows(replace(BASE, stages=(Stage(), Stage())), ["links"])


def test_the_table_shows_values_with_intervals() -> None:
    measure = {"value": 0.5, "low": 0.25, "high": None, "count": 3}
    text = as_table([(Row("links", "4", BASE), {"measures": {"AP": measure}})])
    assert text.splitlines()[-1] == "| links | 4 |  |  |  | 50.0 [25.0, ] |  |"


def test_rows_are_trained_measured_and_never_trained_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, trunk = small_recipe.records(tmp_path / "data"), small_recipe.trunk(tmp_path / "t.onnx")
    recipe = small_recipe.written(small_recipe.recipe(tiny.tree()), tmp_path / "tiny.json")
    out = tmp_path / "out"
    words = ["ablate", f"--recipe={recipe}", f"--data={data}", f"--records={data / 'train.jsonl'}",
             f"--out={out}", f"--cache={tmp_path / 'cache'}", f"--trunk={trunk}", "--steps=3",
             "--limit=1", "--studies=stages,guidance"]  # fmt: skip

    def run() -> list[dict[str, object]]:
        capsys.readouterr()
        assert main(words) == 0
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [event for event in told if event["event"] == "row"]

    first = run()
    assert [(row["study"], row["name"]) for row in first] == [
        ("stages", "one"), ("stages", "three"), ("guidance", "none"), ("guidance", "8 tokens")
    ]  # fmt: skip
    assert first[0]["run"] == first[2]["run"]
    for row in first:
        assert {"refer", "position", "ground", "AP", "VQA"} == set(row["measures"])  # type: ignore[arg-type]
    assert len(list(out.glob("*/log.jsonl"))) in (0, 3)
    assert not list(out.glob("*/state")), "what is finished needs no state"
    table = (out / "table.md").read_text()
    assert table.count("\n| ") == 4
    monkeypatch.setattr(ablations, "build_trainer", None)
    assert run() == first, "nothing is trained twice"
    assert (out / "table.md").read_text() == table


def test_a_row_that_was_stopped_is_told_and_goes_on(tmp_path: Path) -> None:
    data, trunk = small_recipe.records(tmp_path / "data"), small_recipe.trunk(tmp_path / "t.onnx")
    place = ablations.Place(data, tmp_path / "cache", tmp_path / "out", trunk)
    table = rows(small_recipe.recipe(tiny.tree()), ["stages"])[:1]
    row, found = next(ablations.run(table, [], place, lambda: True))
    assert found is None
    assert not (tmp_path / "out" / "results.json").exists()
    assert row == table[0]
