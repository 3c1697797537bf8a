"""The stand-in for a language model behaves as OpenAI's own client expects of a server."""

from __future__ import annotations

import threading

import openai
import pytest

from tests.support.llm import DEFAULT_ANSWER, Failure, LanguageModelServer, embedding
from tests.support.waiting import eventually

QUESTION = [{"role": "user", "content": "Where are the vectors?"}]


@pytest.fixture
def client(llm: LanguageModelServer):
    with openai.OpenAI(base_url=llm.url, api_key="key", max_retries=0, timeout=10) as client:
        yield client


def ask(client: openai.OpenAI, **options):
    return client.chat.completions.create(model="m", messages=QUESTION, **options)


def test_a_question_is_answered_whole(client, llm):
    assert ask(client).choices[0].message.content == DEFAULT_ANSWER
    (call,) = llm.calls_to("chat/completions")
    assert call.messages == QUESTION
    assert call.authorization == "Bearer key"


def test_a_streamed_answer_is_the_same_text_in_pieces(client):
    pieces = [chunk.choices[0].delta.content or "" for chunk in ask(client, stream=True)]
    assert len(pieces) > 2
    assert "".join(pieces) == DEFAULT_ANSWER


def test_an_answer_can_depend_on_the_question(client, llm):
    llm.answer = lambda messages: messages[-1]["content"].upper()
    assert ask(client).choices[0].message.content == "WHERE ARE THE VECTORS?"


def test_texts_that_share_words_have_near_embeddings(client):
    texts = ["the cat sat", "the cat slept", "quarterly revenue figures"]
    found = client.embeddings.create(model="m", input=texts, encoding_format="float")
    cat, same, other = (item.embedding for item in found.data)

    def similarity(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True))

    assert similarity(cat, same) > similarity(cat, other)
    assert similarity(cat, cat) == pytest.approx(1)
    assert cat == pytest.approx(embedding("the cat sat"))


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (Failure.OVERLOADED, openai.InternalServerError),
        (Failure.BROKEN, openai.InternalServerError),
        (Failure.RATE_LIMITED, openai.RateLimitError),
        (Failure.UNAUTHORIZED, openai.AuthenticationError),
        (Failure.REFUSED, openai.BadRequestError),
        (Failure.NONSENSE, ValueError),
        (Failure.BREAKS_OFF, openai.APIConnectionError),
    ],
)
def test_it_fails_as_often_as_it_is_told_to(client, llm, failure, error):
    llm.fail(failure, times=1)
    with pytest.raises(error):
        ask(client)
    assert ask(client).choices[0].message.content == DEFAULT_ANSWER


def test_a_stream_can_break_off_in_the_middle(client, llm):
    llm.fail(Failure.BREAKS_OFF)
    stream = ask(client, stream=True)
    assert next(stream).choices[0].delta.content
    with pytest.raises(openai.APIConnectionError):
        list(stream)


def test_the_end_of_a_stream_says_what_it_took_if_that_is_asked_for(client):
    assert all(chunk.usage is None for chunk in ask(client, stream=True))
    *_, last = ask(client, stream=True, stream_options={"include_usage": True})
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (100, 6)


@pytest.mark.parametrize("stream", [True, False])
def test_it_notices_a_client_that_leaves(client, llm, stream):
    llm.fail(Failure.STALLS)
    with pytest.raises(openai.APITimeoutError):
        list(ask(client.with_options(timeout=0.2), stream=stream))
    eventually(lambda: llm.abandoned == 1, what="it is noticed")


def test_silence_lasts_until_the_client_gives_up(client, llm):
    llm.fail(Failure.SILENCE, times=1)
    with pytest.raises(openai.APITimeoutError):
        ask(client.with_options(timeout=0.2))
    assert ask(client).choices


def test_only_the_right_key_is_accepted_if_one_is_set(client, llm):
    llm.api_key = "another"
    with pytest.raises(openai.AuthenticationError):
        ask(client)


def test_it_knows_how_many_asked_at_once(client, llm):
    both = threading.Barrier(2, timeout=10)
    llm.answer = lambda messages: "late"
    llm.delay = 0.3

    def one():
        both.wait()
        ask(client)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert llm.most_at_once == 2
    assert len(llm.calls) == 2
