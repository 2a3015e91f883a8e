"""Does the model say so when a thing is not in the picture. The positive class is "absent"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.metrics.bootstrap import Floats, of_sums, ratio
from model.metrics.items import Item
from model.metrics.measures import Measure

_RIGHTLY, _SAID, _TRULY, _AGREED, _ASKED = range(5)


def absences(items: Sequence[Item]) -> dict[str, Measure]:
    """Returns F1, precision and recall of "not present", and plain accuracy.

    A missing answer counts as the wrong one.
    """
    sums: dict[str, Floats] = {}
    for item in items:
        truly = item.query.value not in {thing.label for thing in item.record.objects}
        said = not item.prediction.present if item.prediction else not truly
        row = sums.setdefault(item.record.id, np.zeros(5))
        row += (truly and said, said, truly, truly == said, 1)
    columns = np.array(list(sums.values())).reshape(-1, 5)
    shares = {
        "f1": ([_RIGHTLY, _RIGHTLY], [_SAID, _TRULY]),
        "precision": ([_RIGHTLY], [_SAID]),
        "recall": ([_RIGHTLY], [_TRULY]),
        "accuracy": ([_AGREED], [_ASKED]),
    }
    return {
        name: of_sums(ratio, _top_and_bottom(columns, top, bottom), len(items))
        for name, (top, bottom) in shares.items()
    }


def _top_and_bottom(columns: Floats, top: list[int], bottom: list[int]) -> Floats:
    return np.stack([columns[:, top].sum(1), columns[:, bottom].sum(1)], 1)
