"""Settings that change while the service runs."""

import threading

import pytest

from tests.support.waiting import eventually

QUESTION = "How are volumes kept?"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "config"
    made.mkdir()
    return made


@pytest.fixture
def service(run_service, folder, llm):
    running = run_service(
        RAG_CONFIG_DIR=str(folder),
        OPENAI_BASE_URL=llm.url,
        RAG_API_KEYS="the-key",
        RAG_RATE_LIMIT_REQUESTS_PER_MINUTE="0",
    )
    running.http.headers["X-API-Key"] = "the-key"
    texts = [f"Passage {number} says how volumes are kept." for number in range(9)]
    job = running.http.post("/index", json={"documents": texts}).json()
    eventually(
        lambda: running.http.get(f"/jobs/{job['job_id']}").json()["state"] == "succeeded",
        what="the passages to be indexed",
    )
    return running


def write(folder, **settings):
    """As the kubelet does it: what is new is whole before it has its name."""
    for name, value in settings.items():
        fresh = folder / ".fresh"
        fresh.write_text(value, encoding="utf-8")
        fresh.replace(folder / f"RAG_{name.upper()}")


def ask(service, question=QUESTION, **body):
    return service.http.post("/query", json={"question": question, **body})


def metric(service, name):
    lines = service.http.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def test_the_number_of_passages_changes_and_no_question_is_refused(service, folder):
    answers, done = [], threading.Event()

    def go_on_asking():
        while not done.is_set():
            answers.append(ask(service).status_code)

    asking = threading.Thread(target=go_on_asking)
    asking.start()
    try:
        assert len(ask(service).json()["sources"]) == 3
        write(folder, top_k="5")
        eventually(lambda: len(ask(service).json()["sources"]) == 5, what="five passages")
    finally:
        done.set()
        asking.join()
    assert set(answers) == {200}
    assert metric(service, "rag_config_reloads_total") == 1


def test_an_answer_in_the_old_wording_is_not_given_out_in_the_new_one(service, folder, llm):
    ask(service)
    assert ask(service).json()["cached"] == "exact"
    write(folder, llm_prompt_template="Speak like a pirate. {context}\n{question}")
    eventually(lambda: metric(service, "rag_config_reloads_total") == 1, what="the new wording")
    answered = ask(service).json()
    assert answered["cached"] != "exact"
    assert "pirate" in llm.calls[-1].messages[0]["content"]


def test_a_limit_counts_for_keys_that_are_known_already(service, folder):
    assert "ratelimit-policy" not in {name.lower() for name in ask(service).headers}
    write(folder, rate_limit_requests_per_minute="2")
    eventually(lambda: metric(service, "rag_config_reloads_total") == 1, what="the new limit")
    assert [ask(service).status_code for _ in range(4)][-1] == 429
    write(folder, rate_limit_requests_per_minute="0")
    eventually(lambda: ask(service).status_code == 200, what="no limit again")


def test_what_cannot_be_used_changes_nothing_and_is_told(service, folder):
    write(folder, top_k="many", min_score="0.1")
    eventually(lambda: metric(service, "rag_config_reload_failing") == 1, what="the complaint")
    assert len(ask(service).json()["sources"]) == 3
    assert "RAG_TOP_K" in service.log
    assert "many" not in service.log  # no value: it may be a secret in the wrong place
    write(folder, top_k="4")
    eventually(lambda: len(ask(service).json()["sources"]) == 4, what="four passages")
    assert metric(service, "rag_config_reload_failing") == 0


def test_what_needs_another_process_is_not_taken_from_the_folder(service, folder):
    write(folder, llm_model="another", top_k="2")
    eventually(lambda: len(ask(service).json()["sources"]) == 2, what="two passages")
    assert "another" not in service.http.get("/v1/models").text


def test_a_setting_whose_file_goes_is_as_at_the_start(service, folder):
    write(folder, top_k="5")
    eventually(lambda: len(ask(service).json()["sources"]) == 5, what="five passages")
    (folder / "RAG_TOP_K").unlink()
    eventually(lambda: len(ask(service).json()["sources"]) == 3, what="three passages")
