"""``ragdeploy eval``: how often, and how high, the right document is found."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, Field, PositiveInt, ValidationError

from ragdeploy_service.cli.client import ApiClient
from ragdeploy_service.cli.console import DEFAULT_URL, ApiKey, Collection, Failure, Url
from ragdeploy_service.cli.scores import Grades, Scores, score
from ragdeploy_service.rag.models import SearchMode

_DEPTHS = (1, 3, 5, 10)


class Case(BaseModel):
    """One line of a question file: a question, and its relevant documents, perhaps with grades."""

    question: str = Field(min_length=3, max_length=1000)
    relevant: list[str] | dict[str, PositiveInt] = Field(min_length=1)

    @property
    def grades(self) -> Grades:
        """How relevant each document is; 1 where the file does not say."""
        if isinstance(self.relevant, dict):
            return self.relevant
        return dict.fromkeys(self.relevant, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was found for a question, best first, in the names of the file where it is relevant.

    ``rank`` is that of the first relevant source, from 1; None if there is none.
    """

    question: str
    rank: int | None
    found: tuple[str, ...]


def evaluate(
    questions: Annotated[
        Path,
        typer.Argument(
            help='JSON lines of {"question": ..., "relevant": [id or end of a path, ...]}; for '
            "graded relevance, {id: grade, ...}.",
            exists=True,
            dir_okay=False,
        ),
    ],
    *,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    collection: Collection = None,
    top_k: Annotated[
        list[int] | None,
        typer.Option(
            "--top-k", "-k", min=1, max=50, help="Sources to judge; may be given again. 1 3 5 10."
        ),
    ] = None,
    mode: Annotated[
        SearchMode | None, typer.Option(help="How to search; as the service is set up if absent.")
    ] = None,
    rerank: Annotated[
        bool | None,
        typer.Option(help="Whether to rerank; as the service is set up if absent."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Score retrieval: hits, recall, MRR and nDCG at k, from questions with relevant documents.

    A relevant document counts as found if a source's document id or path is it or ends with it.
    """
    cases = read_cases(questions)
    depths = sorted(set(top_k or _DEPTHS))
    with ApiClient(url, api_key) as client:
        results = [
            judge(
                case,
                client.retrieve(
                    case.question,
                    top_k=depths[-1],
                    collection=collection,
                    search_mode=mode,
                    rerank=rerank,
                ),
            )
            for case in cases
        ]
    rankings = [(result.found, case.grades) for result, case in zip(results, cases, strict=True)]
    scores = {k: score(rankings, k=k) for k in depths}
    if as_json:
        typer.echo(json.dumps(_as_json(scores, results), ensure_ascii=False, indent=2))
        return
    for line in _table(scores, results):
        typer.echo(line)


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
            field = str(first["loc"][0]) if first["loc"] else "line"
            raise Failure(f"{path}:{number}: {field}: {first['msg']}.") from error
    if not cases:
        raise Failure(f"{path} holds no questions.")
    return cases


def judge(case: Case, sources: Sequence[Mapping[str, Any]]) -> Result:
    """Find the relevant sources."""
    found = tuple(_name(source, case.grades) for source in sources)
    ranks = (rank for rank, name in enumerate(found, start=1) if name in case.grades)
    return Result(question=case.question, rank=next(ranks, None), found=found)


def _name(source: Mapping[str, Any], relevant: Grades) -> str:
    """The name that the question file has for a source, or else its own."""
    place = str((source.get("metadata") or {}).get("source") or source["doc_id"])
    for name in (source["doc_id"], place):
        for path in relevant:
            if name == path or name.endswith("/" + path):
                return path
    return place


def _as_json(scores: Mapping[int, Scores], results: Sequence[Result]) -> dict[str, Any]:
    return {
        "questions": len(results),
        "at": {str(k): asdict(each) for k, each in scores.items()},
        "results": [asdict(result) for result in results],
    }


def _table(scores: Mapping[int, Scores], results: Sequence[Result]) -> Iterator[str]:
    yield f"{'rank':>4}  {'question':<60}  first source"
    for result in results:
        question = textwrap.shorten(result.question, 60, placeholder="...")
        first = "/".join(Path(result.found[0]).parts[-2:]) if result.found else ""
        yield f"{result.rank or '-':>4}  {question:<60}  {first}".rstrip()
    yield f"\n{len(results)} questions"
    yield f"{'':8}{'hits':>8}{'recall':>8}{'MRR':>8}{'nDCG':>8}"
    for k, each in scores.items():
        row = (each.hits, each.recall, each.mrr, each.ndcg)
        yield f"{f'at {k}':8}" + "".join(f"{value:8.3f}" for value in row)
