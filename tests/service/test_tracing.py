"""Traces, as a collector receives them over OTLP."""

from __future__ import annotations

import pytest

from tests.service.api import SCALING, ask, index
from tests.support.llm import DEFAULT_ANSWER
from tests.support.service import ServiceProcess
from tests.support.traces import TraceCollector
from tests.support.waiting import eventually

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
QUESTION = "How do I scale the API?"


@pytest.fixture(scope="module")
def collector():
    with TraceCollector() as collector:
        yield collector


@pytest.fixture(scope="module")
def traced(tmp_path_factory, model, _llm, collector):
    settings = {
        "RAG_EMBEDDING_MODEL_DIR": str(model.folder),
        "OPENAI_BASE_URL": _llm.url,
        "RAG_TRACING_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    with ServiceProcess(settings, folder=tmp_path_factory.mktemp("traced")) as service:
        index(service.http, SCALING)
        yield service


def arrived(collector, name, trace):
    """The span of a trace with this name."""
    found = eventually(
        lambda: [span for span in collector.named(name) if span.trace == trace],
        what=f"a span {name!r} arrives",
    )
    return found[0]


def test_a_question_is_a_trace_of_its_stages_in_the_callers_trace(traced, collector, llm):
    body = {"question": QUESTION, "use_cache": False}
    traced.http.post("/query", json=body, headers={"traceparent": PARENT})
    request = arrived(collector, "POST /query", TRACE)
    assert request.parent == "b7ad6b7169203331"
    assert request.attributes["http.response.status_code"] == 200
    embed = arrived(collector, "embeddings sentence-transformers/all-MiniLM-L6-v2", TRACE)
    chat = arrived(collector, "chat gpt-4o-mini", TRACE)
    stages = [embed, arrived(collector, "retrieval", TRACE), chat]
    assert {span.parent for span in stages} == {request.id}
    assert [span.attributes["gen_ai.operation.name"] for span in stages] == [
        "embeddings",
        "retrieval",
        "chat",
    ]
    assert chat.attributes["gen_ai.request.model"] == "gpt-4o-mini"
    assert chat.attributes["gen_ai.usage.input_tokens"] == 100
    assert chat.attributes["gen_ai.usage.output_tokens"] > 0
    # The model's server goes on in the same trace.
    assert llm.calls[-1].headers["traceparent"] == f"00-{TRACE}-{chat.id}-01"


def test_what_is_said_stays_out_of_the_traces(traced, collector, llm):
    ask(traced.http, QUESTION, use_cache=False)
    eventually(lambda: collector.named("chat gpt-4o-mini"), what="a trace arrives")
    said = [value for span in collector.spans for value in span.attributes.values()]
    assert not [value for value in said if "scale" in str(value)]


def test_what_is_said_is_in_the_traces_where_that_is_wanted(run_service, llm):
    with TraceCollector() as collector:
        service = run_service(
            OPENAI_BASE_URL=llm.url,
            RAG_TRACING_ENDPOINT=collector.url,
            RAG_TRACING_CAPTURE_CONTENT="true",
        )
        index(service.http, SCALING)
        ask(service.http, QUESTION)
        service.stop()  # what waits is sent at the end
        [chat] = collector.named("chat gpt-4o-mini")
    assert QUESTION in chat.attributes["gen_ai.input.messages"]
    assert DEFAULT_ANSWER in chat.attributes["gen_ai.output.messages"]


def test_a_job_belongs_to_the_trace_of_its_request(traced, collector):
    trace = TRACE[::-1]
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    traced.http.post("/index", json={"documents": [SCALING]}, headers=headers)
    request = arrived(collector, "POST /index", trace)
    job = arrived(collector, "job index", trace)
    assert job.parent == request.id
    assert arrived(collector, "rag.store", trace).parent == job.id


def test_probes_are_not_traced(traced, collector):
    traced.http.get("/health")
    traced.http.get("/metrics")
    ask(traced.http, QUESTION)
    eventually(lambda: collector.named("POST /query"), what="a trace arrives")
    assert not {span.name for span in collector.spans} & {"GET", "GET /health", "GET /metrics"}


def test_a_collector_that_is_gone_costs_no_answer(run_service, llm):
    with TraceCollector() as gone:
        pass
    service = run_service(OPENAI_BASE_URL=llm.url, RAG_TRACING_ENDPOINT=gone.url)
    index(service.http, SCALING)
    assert ask(service.http, QUESTION)["mode"] == "generated"
    assert service.stop() == 0
