"""``ragdeploy eval``: how often the right page is among the sources."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, Field, ValidationError

from ragdeploy_service.cli.client import ApiClient
from ragdeploy_service.cli.console import DEFAULT_URL, ApiKey, Failure, Url


class Case(BaseModel):
    """One line of a question file."""

    question: str = Field(min_length=3, max_length=1000)
    relevant: list[str] = Field(min_length=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The rank of the first relevant source, from 1; None if it is not among the sources."""

    question: str
    rank: int | None
    found: tuple[str, ...]


def evaluate(
    questions: Annotated[
        Path,
        typer.Argument(
            help='JSON lines of {"question": ..., "relevant": [path, ...]}.',
            exists=True,
            dir_okay=False,
        ),
    ],
    *,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, max=50)] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Ask questions whose pages are known, and count how often they are among the sources.

    A relevant path counts as found if a source's path is it or ends with it.
    """
    cases = read_cases(questions)
    with ApiClient(url, api_key) as client:
        results = [
            judge(case, client.query(case.question, top_k=top_k, use_cache=False)["sources"])
            for case in cases
        ]
    summary = summarise(results, top_k=top_k)
    if as_json:
        typer.echo(json.dumps({**summary, "results": [asdict(r) for r in results]}, indent=2))
        return
    typer.echo(f"{'rank':>4}  {'question':<60}  first source")
    for result in results:
        typer.echo(_line(result))
    typer.echo(
        f"\nhits at {top_k}: {summary['hits']} of {summary['questions']}, "
        f"hits at 1: {summary['hits_at_1']}, mean reciprocal rank: {summary['mrr']:.2f}"
    )


def read_cases(path: Path) -> list[Case]:
    """Read the question file.

    Raises:
        Failure: a line is not a case; the message names it.
    """
    cases = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            cases.append(Case.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "line"
            raise Failure(f"{path}:{number}: {field}: {first['msg']}.") from error
    if not cases:
        raise Failure(f"{path} holds no questions.")
    return cases


def judge(case: Case, sources: Sequence[dict[str, Any]]) -> Result:
    """Find the first relevant source."""
    found = tuple(_place(source) for source in sources)
    ranks = (rank for rank, place in enumerate(found, start=1) if _is_any(place, case.relevant))
    return Result(question=case.question, rank=next(ranks, None), found=found)


def summarise(results: Sequence[Result], *, top_k: int) -> dict[str, float]:
    """Count hits. MRR is the mean of 1/rank, 0 where nothing was found (Voorhees, TREC-8)."""
    ranks = [result.rank for result in results]
    return {
        "questions": len(results),
        "top_k": top_k,
        "hits": sum(rank is not None for rank in ranks),
        "hits_at_1": sum(rank == 1 for rank in ranks),
        "mrr": sum(1 / rank for rank in ranks if rank) / len(ranks),
    }


def _place(source: dict[str, Any]) -> str:
    metadata = source.get("metadata") or {}
    return str(metadata.get("source") or source.get("doc_id") or "")


def _is_any(place: str, relevant: Sequence[str]) -> bool:
    return any(place == path or place.endswith("/" + path) for path in relevant)


def _line(result: Result) -> str:
    rank = str(result.rank) if result.rank else "-"
    question = textwrap.shorten(result.question, 60, placeholder="...")
    first = "/".join(Path(result.found[0]).parts[-2:]) if result.found else ""
    return f"{rank:>4}  {question:<60}  {first}".rstrip()
