from __future__ import annotations

import json
import math

from model.metrics.measures import Counts, Measure, Metrics, TaskReport

METRICS = Metrics(
    pictures=2,
    malformed=1,
    tasks={
        "refer": TaskReport(
            Counts(expected=8, missing=3),
            {
                "acc50": Measure(0.5, 0.25, 0.75, 8),
                "boxes": Measure(1.5, math.nan, math.nan, 8, share=False),
            },
        )
    },
)


def test_shares_are_printed_as_percentages_and_faults_are_named() -> None:
    table = METRICS.table()
    assert "2 pictures, 1 malformed lines" in table
    assert "refer: 8 queries, 3 missing\n" in table
    assert "50.0 [25.0, 75.0]" in table
    assert "1.50 [nan, nan]" in table


def test_json_is_strict_and_says_what_numbers_mean() -> None:
    written = json.loads(json.dumps(METRICS.to_json(), allow_nan=False))
    measures = written["tasks"]["refer"]["measures"]
    assert measures["acc50"] == {"value": 0.5, "low": 0.25, "high": 0.75, "count": 8}
    assert measures["boxes"]["low"] is None
    assert "CIDEr-D" in written["definitions"]["caption"]
