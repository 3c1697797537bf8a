"""The page, in a browser: what a person sees and does there."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.conftest import IN_CI
from tests.service.api import BANANAS, CHINESE, SCALING, TIDES, counter, index
from tests.support import browser
from tests.support.llm import Failure
from tests.support.waiting import eventually

QUESTION = "How do I scale the API?"
COUNTED = "rag_feedback_total"
HOSTILE = "<img src=x onerror=\"document.title='taken'\"> The API scales, says this page."


@pytest.fixture(scope="module")
def programs():
    found = browser.find()
    if found is None:
        if IN_CI:
            pytest.fail(f"{browser.MISSING}; in CI it must be there")
        pytest.skip(browser.MISSING)
    return found


@pytest.fixture(scope="module")
def _service(keyed_service):
    metadatas = [{"title": "Scaling"}, {"source": "tides.md"}, {}, {}]
    index(keyed_service.http, SCALING, TIDES, BANANAS, CHINESE, metadatas=metadatas)
    index(keyed_service.http, HOSTILE, collection="hostile")
    return keyed_service


@pytest.fixture
def service(_service, llm):
    llm.answer = "The API scales with its **replicas** [1]. So does `api` [1]."
    return _service


@pytest.fixture
def visit(programs, service):
    """Opens the page; with a key, unless told otherwise."""
    opened = []

    def open_page(*, key="the-key", **look):
        chrome = browser.start(programs, **{"width": 1280, "height": 900} | look)
        opened.append(chrome)
        if key:
            before = {"source": f"sessionStorage.setItem('ragdeploy-key', '{key}')"}
            chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", before)
        chrome.get(f"{service.url}/playground")
        return Page(chrome)

    yield open_page
    for chrome in opened:
        chrome.quit()


class Page:
    def __init__(self, chrome):
        self.chrome = chrome

    def __getitem__(self, name):
        return self.chrome.find_element(By.ID, name)

    def all(self, selector):
        return self.chrome.find_elements(By.CSS_SELECTOR, selector)

    def ask(self, question):
        self["question"].clear()
        self["question"].send_keys(question + Keys.ENTER)

    def answered(self):
        eventually(
            lambda: "ms" in self["facts"].text or "毫秒" in self["facts"].text, what="an end"
        )
        return self["answer"].text

    def fits(self):
        return self.chrome.execute_script(
            "return document.documentElement.scrollWidth <= window.innerWidth"
        )

    def complaints(self):
        """What the browser complains of, such as its content security policy."""
        return [entry["message"] for entry in self.chrome.get_log("browser")]


def test_a_question_is_answered_with_its_sources(visit):
    page = visit()
    page.ask(QUESTION)
    assert page.answered() == "The API scales with its replicas 1. So does api 1."
    first, *_ = page.all("#sources li")
    assert "Scaling" in first.text
    assert "score 0." in first.text
    assert "The API scales with its replicas." in [mark.text for mark in page.all("mark")]
    assert "Written by the language model" in page["facts"].text
    assert "not cited" in page.all("#sources li")[1].text
    assert page.complaints() == []


def test_the_answer_is_seen_while_it_is_written(visit, llm):
    llm.fail(Failure.STALLS)
    page = visit()
    page.ask("When is high tide?")
    eventually(lambda: "The API scales" in page["answer"].text, what="the first words are there")
    assert page["answer"].get_attribute("aria-busy") == "true"
    assert page.all("#sources li")
    page["stop"].click()
    eventually(lambda: "Stopped" in page["facts"].text, what="it is stopped")
    eventually(lambda: llm.abandoned == 1, what="the model is told to stop")


def test_who_asks_for_reranked_sources_where_there_is_no_reranker_is_told_why(visit):
    page = visit()
    page["options"].click()
    page["rerank"].click()
    page.ask(QUESTION)
    eventually(lambda: "RAG_RERANK_BACKEND" in page["problem"].text, what="the reason is told")


def test_an_answer_is_rated_and_the_mind_is_changed(visit, service):
    page = visit()
    assert not page["rating"].is_displayed()
    page.ask(QUESTION)
    page.answered()
    before = {each: counter(service.http, COUNTED, rating=each) for each in ("up", "down")}
    for rating, other in (("up", "down"), ("down", "up")):
        page[f"rate-{rating}"].send_keys(Keys.ENTER)
        eventually(
            lambda name=f"rate-{rating}": page[name].get_attribute("aria-pressed") == "true",
            what="it is noted",
        )
        assert page[f"rate-{other}"].get_attribute("aria-pressed") == "false"
        assert counter(service.http, COUNTED, rating=rating) == before[rating] + 1
    page.ask("When is high tide?")
    page.answered()
    assert page["rate-down"].get_attribute("aria-pressed") == "false"
    assert page.complaints() == []


def test_a_citation_leads_to_its_source(visit):
    page = visit()
    page.ask(QUESTION)
    page.answered()
    page.all("#answer .cite")[0].click()
    assert page.chrome.switch_to.active_element.get_attribute("id") == "source-1"
    assert "pointed" in page["source-1"].get_attribute("class")


def test_a_text_and_files_are_indexed_with_progress(visit, service, tmp_path):
    note, second = tmp_path / "penguins.md", tmp_path / "zebras.txt"
    note.write_text("# Penguins\n\nThe penguin is a bird that cannot fly.")
    second.write_text("A zebra has stripes.")
    page = visit()
    page["collection"].send_keys("zoo")
    page["files"].send_keys(f"{note}\n{second}")
    assert "penguins.md, zebras.txt" in page["chosen"].text
    page["text"].send_keys("The zoo opens at nine.")
    page["add"].click()
    eventually(lambda: "3 documents indexed" in page["job-state"].text, what="they are indexed")
    page.ask("Which bird cannot fly?")
    page.answered()
    assert "penguins.md" in page["sources"].text or "Penguins" in page["sources"].text


def test_a_file_that_cannot_be_read_says_why(visit, tmp_path):
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"this is no PDF")
    page = visit()
    page["files"].send_keys(str(broken))
    page["add"].click()
    eventually(lambda: "Not indexed" in page["job-state"].text, what="it says so")
    assert "files" in page["job-state"].text


def test_without_a_key_the_page_asks_for_one_and_keeps_it_in_the_tab(visit):
    page = visit(key=None)
    eventually(lambda: page["key"].is_displayed(), what="it asks for a key")
    page["key"].send_keys("wrong" + Keys.ENTER)
    eventually(lambda: "not accepted" in page["problem"].text, what="it says what is wrong")
    page["key"].clear()
    page["key"].send_keys("the-key" + Keys.ENTER)
    eventually(lambda: not page["key"].is_displayed(), what="it is content")
    page.ask(QUESTION)
    page.answered()
    store = "return [sessionStorage.length, localStorage.length, document.cookie]"
    assert page.chrome.execute_script(store) == [1, 0, ""]
    assert "the-key" not in page.chrome.current_url


def test_a_problem_is_told_in_words(visit):
    page = visit()
    page.ask("What is <this>?")
    eventually(lambda: "question: The characters" in page["problem"].text, what="it is told")


def test_what_a_document_holds_is_text_and_nothing_else(visit, llm):
    llm.answer = "<img src=x onerror=\"document.title='taken'\"> [1]"
    page = visit()
    page["collection"].send_keys("hostile")
    page.ask(QUESTION)
    page.answered()
    assert "<img src=x" in page["sources"].text
    assert page.all("#result img") == []
    assert page.chrome.title == "ragdeploy"


def test_it_works_on_a_phone(visit):
    page = visit(width=390, height=844)
    page.ask(QUESTION)
    page.answered()
    assert page.fits()
    page["options"].find_element(By.TAG_NAME, "summary").click()
    assert page["mode"].is_displayed()
    assert page.fits()


def test_it_works_by_keyboard_alone(visit):
    page = visit()

    def press(*keys):
        ActionChains(page.chrome).send_keys(*keys).perform()

    assert page.chrome.switch_to.active_element.get_attribute("id") == "question"
    press(QUESTION, Keys.ENTER)
    page.answered()
    reached = []
    for _ in range(16):
        press(Keys.TAB)
        active = page.chrome.switch_to.active_element
        reached.append(active.get_attribute("id") or active.get_attribute("class") or active.text)
    assert {"send", "cite", "rate-up", "rate-down", "passage"} <= set(reached)
    assert {"files", "text", "add"} <= set(reached) | {
        element.get_attribute("id")
        for element in page.all("#indexing :is(input, textarea, button)")
    }


def test_it_is_dark_where_the_system_is(visit):
    def paper(page):
        colour = page.all("body")[0].value_of_css_property("background-color")
        return sum(int(part) for part in colour.strip("rgba()").split(",")[:3])

    assert paper(visit(dark=True)) < 3 * 64
    assert paper(visit()) > 3 * 192


def test_it_speaks_chinese_to_those_who_do(visit, llm):
    llm.answer = "成熟的香蕉是黄色的 [1]。"
    page = visit(language="zh-CN")
    assert page["send"].text == "提问"
    page.ask("成熟的香蕉是什么颜色？")
    assert page.answered() == "成熟的香蕉是黄色的 1。"
    assert "成熟的香蕉是黄色的" in page.all("mark")[0].text


def test_the_page_lets_nothing_in_from_elsewhere(service):
    for name in ("", "/app.js", "/style.css"):
        response = service.http.get(f"/playground{name}", headers={"X-API-Key": ""})
        assert response.status_code == 200
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
    assert service.http.get("/playground/other.py").status_code == 404
