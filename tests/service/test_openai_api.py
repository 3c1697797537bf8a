"""OpenAI's own client, unchanged, against a service with documents."""

from __future__ import annotations

import json

import numpy as np
import openai
import pytest

from tests.service.api import BANANAS, SCALING, TIDES, index
from tests.support.keys import with_key, write_keys
from tests.support.llm import DEFAULT_ANSWER, Failure

QUESTION = {"role": "user", "content": "How do I scale the API?"}
MODEL = "ragdeploy"
EMBEDDING_MODEL = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture(scope="module")
def service(keyed_service):
    metadatas = [{"source": "scaling.md", "page": 1}, {"kind": "fruit"}, {"kind": "sea"}]
    index(keyed_service.http, SCALING, BANANAS, TIDES, metadatas=metadatas)
    index(keyed_service.http, "The zoo has three penguins.", collection="animals")
    return keyed_service


@pytest.fixture
def client(service, llm):
    with openai.OpenAI(
        base_url=f"{service.url}/v1", api_key="the-key", max_retries=0, timeout=30
    ) as client:
        yield client


def ask(client, *messages, **options):
    options = {"model": MODEL, "extra_body": {"use_cache": False}} | options
    return client.chat.completions.create(messages=[*messages] or [QUESTION], **options)


def prompt(llm):
    return llm.calls[-1].messages[0]["content"]


# ---- chat ----
def test_a_chat_is_answered_from_the_documents(client, llm):
    answer = ask(client)
    assert answer.choices[0].message.content == DEFAULT_ANSWER
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == 100
    assert answer.usage.total_tokens == 106
    assert answer.model == MODEL
    assert SCALING in prompt(llm)


def test_the_sources_come_with_the_answer(client):
    answer = ask(client)
    assert answer.sources[0]["text"] == SCALING
    assert answer.sources[0]["metadata"]["source"] == "scaling.md"
    assert answer.citations == [1]


def test_a_streamed_chat_is_the_same_text_and_its_last_chunk_has_the_sources(client):
    chunks = list(ask(client, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == DEFAULT_ANSWER
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:]] == [None, "stop"]
    assert chunks[-1].sources[0]["text"] == SCALING
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_says_what_it_took_if_that_is_asked_for(client):
    *_, stop, last = ask(client, stream=True, stream_options={"include_usage": True})
    assert stop.choices[0].finish_reason == "stop"
    assert last.choices == []
    assert last.usage.total_tokens == 106


def test_a_stream_ends_with_done(client, service):
    body = {"model": MODEL, "messages": [QUESTION], "stream": True}
    response = service.http.post("/v1/chat/completions", json=body)
    assert response.text.endswith("data: [DONE]\n\n")


def test_another_collection_is_another_model(client, llm):
    answer = ask(client, {"role": "user", "content": "penguins?"}, model="ragdeploy/animals")
    assert answer.sources[0]["text"] == "The zoo has three penguins."


def test_a_follow_up_is_understood_from_what_was_said_before(client, llm):
    answer = ask(
        client,
        {"role": "system", "content": "Answer like a pirate."},
        {"role": "user", "content": "Where do bananas grow?"},
        {"role": "assistant", "content": "In the tropics [1]."},
        {"role": "user", "content": [{"type": "text", "text": "And what colour are they?"}]},
        extra_body={"use_cache": False, "top_k": 1},
    )
    assert answer.sources[0]["text"] == BANANAS
    for said in ("like a pirate", "Where do bananas grow?", "In the tropics", "what colour are"):
        assert said in prompt(llm)


def test_a_long_question_with_markup_is_taken(client, llm):
    code = "if (a < b) { return <div/>; }\n" * 100
    ask(client, {"role": "user", "content": f"{code}\nHow do I scale the API?"})
    assert "{ return <div/>; }" in prompt(llm)


def test_a_question_is_answered_in_its_own_language(client, llm):
    ask(client, {"role": "user", "content": "成熟的香蕉是什么颜色？"})
    assert "language of the question" in prompt(llm)
    assert prompt(llm).rindex("language") > prompt(llm).index("成熟的香蕉是什么颜色？") - 400


def test_the_same_chat_is_answered_once(client, llm):
    options = {"extra_body": {}}
    first = ask(client, **options)
    again = ask(client, **options)
    assert again.choices[0].message.content == first.choices[0].message.content
    assert again.usage.total_tokens == 0
    assert len(llm.calls) <= 1


def test_what_has_no_effect_is_taken(client):
    answer = ask(
        client, temperature=0.5, top_p=0.9, max_tokens=100, seed=1, user="me", n=1,
        response_format={"type": "text"}, stop=[], presence_penalty=0.1,
    )  # fmt: skip
    assert answer.choices[0].message.content == DEFAULT_ANSWER


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"n": 2}, "n"),
        ({"stop": ["."]}, "stop"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"logprobs": True}, "logprobs"),
        ({"extra_body": {"filterz": {}}}, "filterz"),
        ({"extra_body": {"top_k": 0}}, "top_k"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "assistant", "content": "Hello"}]}, "messages"),
        ({"messages": [{"role": "user", "content": "a" * 8001}]}, "messages"),
    ],
)
def test_what_would_be_another_answer_is_refused(client, options, param):
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(**{"model": MODEL, "messages": [QUESTION]} | options)
    assert error.value.param == param
    assert error.value.type == "invalid_request_error"
    assert error.value.body["message"]


@pytest.mark.parametrize("name", ["gpt-4o", "ragdeploy/", "ragdeploy/elsewhere", "ragdeploy/A b"])
def test_a_model_that_is_not_there_is_not_found(client, name):
    with pytest.raises(openai.NotFoundError):
        ask(client, model=name)


def test_a_failing_model_is_an_extract(client, llm):
    llm.fail(Failure.REFUSED)
    assert "Extract from the documents" in ask(client).choices[0].message.content


def test_a_model_that_breaks_off_in_a_stream_is_an_error(client, llm):
    llm.fail(Failure.BREAKS_OFF)
    with pytest.raises(openai.APIError, match="broke off"):
        list(ask(client, stream=True))


# ---- models ----
def test_each_collection_is_a_model(client):
    models = [model.id for model in client.models.list()]
    assert models[0] == MODEL
    assert {"ragdeploy/documents", "ragdeploy/animals", EMBEDDING_MODEL} <= set(models)
    assert client.models.retrieve("ragdeploy/animals").owned_by == "ragdeploy"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("ragdeploy/elsewhere")


# ---- embeddings ----
def test_texts_are_embedded_in_order(client):
    texts = ["bananas", "the tides of the sea", "ripe yellow bananas"]
    one, two, three = (
        np.array(item.embedding)
        for item in client.embeddings.create(model=EMBEDDING_MODEL, input=texts).data
    )
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    assert one @ three > one @ two


def test_floats_and_base64_are_the_same_numbers(client):
    def numbers(**options):
        answer = client.embeddings.create(model=EMBEDDING_MODEL, input="bananas", **options)
        assert answer.usage.prompt_tokens > 0
        return answer.data[0].embedding

    assert numbers() == pytest.approx(
        numbers(encoding_format="float")
    )  # the client asks for base64


@pytest.mark.parametrize(
    "options",
    [{"input": []}, {"input": [1, 2]}, {"input": ""}, {"dimensions": 5}, {"input": ["a"] * 257}],
)
def test_what_cannot_be_embedded_is_refused(client, options):
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(**{"model": EMBEDDING_MODEL, "input": "bananas"} | options)


def test_another_embedding_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="text-embedding-3-small", input="bananas")


# ---- vector stores ----
def search(client, store="documents", query="How do I scale the API?", **options):
    return list(client.vector_stores.search(store, query=query, **options))


def test_a_collection_is_searched_as_a_vector_store(client):
    best, *_ = search(client)
    assert best.content[0].text == SCALING
    assert best.filename == "scaling.md"
    assert best.attributes == {"source": "scaling.md", "page": 1}
    assert best.score > 0.5


def test_results_can_be_filtered(client):
    fruit = {"type": "eq", "key": "kind", "value": "fruit"}
    assert [hit.content[0].text for hit in search(client, filters=fruit)] == [BANANAS]
    either = {"type": "or", "filters": [fruit, {"type": "in", "key": "kind", "value": ["sea"]}]}
    assert {hit.content[0].text for hit in search(client, filters=either)} == {BANANAS, TIDES}


def test_results_can_be_fewer_and_better(client):
    assert len(search(client, max_num_results=1)) == 1
    sure = search(client, ranking_options={"score_threshold": 0.5})
    assert [hit.content[0].text for hit in sure] == [SCALING]


def test_several_queries_are_searched_at_once(client):
    found = search(client, query=["yellow bananas", "the moon and the tide"], max_num_results=2)
    assert {hit.content[0].text for hit in found} == {BANANAS, TIDES}


def test_what_cannot_be_searched_is_refused(client):
    with pytest.raises(openai.NotFoundError):
        search(client, store="elsewhere")
    with pytest.raises(openai.BadRequestError) as error:
        search(client, filters={"type": "like", "key": "kind", "value": "fruit"})
    assert error.value.param.startswith("filters")
    with pytest.raises(openai.BadRequestError):
        search(client, rewrite_query=True)


# ---- errors ----
@pytest.mark.parametrize(
    ("key", "status", "kind"), [("", 401, "authentication_error"), ("x", 403, "permission_error")]
)
def test_a_wrong_key_is_told_in_openais_envelope(service, key, status, kind):
    response = service.http.get("/v1/models", headers={"X-API-Key": key})
    assert response.status_code == status
    assert response.json()["error"]["type"] == kind


def test_a_key_that_is_used_up_is_told_in_openais_envelope(run_service, llm):
    service = run_service(RAG_API_KEYS="the-key", RAG_RATE_LIMIT_REQUESTS_PER_MINUTE="1")
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="the-key", max_retries=0) as client:
        ask(client, QUESTION)
        client.models.list()  # looking costs nothing
        with pytest.raises(openai.RateLimitError) as error:
            ask(client, QUESTION)
    assert int(error.value.response.headers["retry-after"]) > 0
    assert error.value.response.headers["ratelimit"].startswith('"requests";r=0;t=')
    assert error.value.code == "limit_exceeded"


def test_a_budget_that_is_spent_is_told_in_openais_envelope(run_service, llm, tmp_path):
    keys = write_keys(tmp_path / "keys", saver={"budget": {"tokens": 50, "period": "day"}})
    service = run_service(RAG_API_KEYS_DIR=str(keys), OPENAI_BASE_URL=llm.url)
    index(with_key(service, "saver"), SCALING)
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="saver", max_retries=0) as client:
        ask(client, QUESTION)
        with pytest.raises(openai.RateLimitError, match="50 tokens a day 0 are left"):
            ask(client, {"role": "user", "content": "What is yellow?"})
    assert len(llm.calls) == 1


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/v1/nothing", b"", 404),
        ("GET", "/v1/chat/completions", b"", 405),
        ("POST", "/v1/chat/completions", b"{", 400),
        ("POST", "/v1/chat/completions", json.dumps({"a": "x" * 600_000}).encode(), 413),
    ],
)
def test_every_error_is_in_openais_envelope(service, method, path, content, status):
    headers = {"Content-Type": "application/json"}
    response = service.http.request(method, path, content=content, headers=headers)
    assert response.status_code == status
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
