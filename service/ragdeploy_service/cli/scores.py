"""How good a ranking is: the usual measures, as trec_eval computes them.

ranx brings numba and scipy, and ir-measures a C extension, for what is four lines each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Grades = Mapping[str, int]
"""How relevant each relevant document is, from 1 up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Means over all questions, each 0 to 1.

    Attributes:
        hits: Share of the questions with a relevant document among the first k.
        recall: Share of the relevant documents that are among the first k.
        mrr: 1 / rank of the first relevant document, 0 if none is among the first k (Voorhees,
            TREC-8).
        ndcg: Gain of the first k, where a document at rank r counts grade / log2(1 + r), as a
            share of the best that could be (Jarvelin and Kekalainen, 2002).

    """

    hits: float
    recall: float
    mrr: float
    ndcg: float


def score(rankings: Sequence[tuple[Sequence[str], Grades]], *, k: int) -> Scores:
    """Judge rankings, at least one, each with what is relevant to its question.

    A document counts where it stands first: passages of one document do not count twice.
    """
    gains = [_gains(ranking[:k], grades) for ranking, grades in rankings]
    ideals = [sorted(grades.values(), reverse=True)[:k] for _, grades in rankings]
    sizes = [len(grades) for _, grades in rankings]
    return Scores(
        hits=_mean([float(any(gain)) for gain in gains]),
        recall=_mean([sum(map(bool, gain)) / n for gain, n in zip(gains, sizes, strict=True)]),
        mrr=_mean([next((1 / r for r, g in enumerate(gain, 1) if g), 0.0) for gain in gains]),
        ndcg=_mean([_dcg(gain) / _dcg(best) for gain, best in zip(gains, ideals, strict=True)]),
    )


def _gains(ranking: Sequence[str], grades: Grades) -> list[int]:
    """Grade of each document of a ranking, 0 for one that is not relevant or came before."""
    return [
        0 if document in ranking[:place] else grades.get(document, 0)
        for place, document in enumerate(ranking)
    ]


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
