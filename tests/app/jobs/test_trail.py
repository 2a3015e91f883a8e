"""What a run reported: curves that survive a kill, and nothing that cannot be read."""

from __future__ import annotations

from app.jobs import Trail
from app.jobs.trail import MOST_POINTS
from app.teach import plots


def step(number: int, loss: float = 1.0, **more: object) -> dict[str, object]:
    return {"event": "step", "step": number, "steps": 1000, "loss": loss, **more}


def evaluation(number: int, **values: float) -> dict[str, object]:
    measures = {name: {"value": value} for name, value in values.items()}
    return {"event": "eval", "step": number, "measures": measures, "samples": f"{number}.json"}


def test_a_run_that_went_on_from_earlier_has_one_curve() -> None:
    trail = Trail()
    trail.follow([step(n) for n in range(10, 60, 10)])
    trail.follow([evaluation(20, AP=0.1), evaluation(50, AP=0.2)])
    trail.follow([step(30, loss=0.5), step(40, loss=0.4)])  # killed after 50, saved at 20
    assert [point.step for point in trail.steps] == [10, 20, 30, 40]
    assert trail.steps[2].loss == 0.5
    assert [e.step for e in trail.evaluations] == [20]
    assert trail.share == 0.04


def test_what_cannot_be_read_or_drawn_is_passed_over() -> None:
    trail = Trail()
    bad = [{}, {"event": "step"}, {"event": "eval", "step": 1, "measures": [1]}, {"event": 3},
           {"event": "step", "step": 10, "loss": "x"}, step(20, loss=float("nan"), eta=None),
           {"event": "progress", "done": None}]  # fmt: skip
    trail.follow(bad)
    assert trail.steps == []
    assert trail.evaluations == []
    assert plots.losses(trail) is None
    assert plots.measures(trail) is None
    assert trail.share is None
    trail.follow([{"event": "progress", "done": 3, "total": 4}])
    assert trail.share == 0.75


def test_a_long_curve_is_thinned_out_but_ends_where_it_ends() -> None:
    trail = Trail()
    trail.follow([step(n) for n in range(10, 100_000, 10)])
    points = trail.losses()
    assert len(points) <= MOST_POINTS
    assert points[-1].step == trail.steps[-1].step
    found = plots.losses(trail)
    assert found is not None
    assert list(found["step"]) == [point.step for point in points]


def test_the_most_telling_measures_are_drawn() -> None:
    trail = Trail()
    trail.follow([evaluation(10, zeta=0.4, count=12.0, AP=0.2, AP50=0.3, eta=0.5)])
    found = plots.measures(trail)
    assert found is not None
    assert list(found["measure"]) == ["AP50", "AP", "zeta"]
