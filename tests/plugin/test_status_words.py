"""How an application is, in one word and in full."""

import pytest

from ragdeploy_kubectl.status import detail, lines, overview, state


def resource(*conditions, name="docs", **status):
    told = [
        {"type": kind, "status": value, "reason": "Reason", "message": f"About {kind}."}
        for kind, value in conditions
    ]
    return {
        "metadata": {"name": name, "namespace": "shop"},
        "status": {"conditions": told, **status},
    }


@pytest.mark.parametrize(
    ("word", "conditions"),
    [
        ("Ready", [("Ready", "True"), ("Reconciling", "False"), ("Stalled", "False")]),
        ("Working", [("Ready", "True"), ("Reconciling", "True")]),
        ("Stalled", [("Ready", "True"), ("Stalled", "True")]),
        ("Suspended", [("Ready", "False"), ("Suspended", "True")]),
        ("Paused", [("Ready", "True"), ("Paused", "True")]),
        ("NotReady", [("Ready", "False"), ("Reconciling", "False")]),
        ("New", []),
    ],
)
def test_one_word_says_how_it_is(word, conditions):
    assert state(resource(*conditions))[0] == word


def test_the_table_has_pods_documents_and_the_endpoint():
    components = [
        {"kind": "Deployment", "name": "docs-api", "ready": 1, "desired": 2},
        {"kind": "StatefulSet", "name": "docs-cache", "ready": 1, "desired": 1},
    ]
    full = resource(
        ("Ready", "True"), components=components, documents=12345, endpoint="http://rag"
    )
    new = {"metadata": {"name": "new", "namespace": "lab"}}
    head, first, second = lines(overview([full, new], all_namespaces=True))
    assert head.split() == ["NAMESPACE", "NAME", "STATE", "PODS", "DOCUMENTS", "ENDPOINT"]
    assert first.split() == ["shop", "docs", "Ready", "2/3", "12,345", "http://rag"]
    assert second.split() == ["lab", "new", "New", "-", "-", "-"]


def test_in_full_the_worst_comes_first_and_no_line_is_cut():
    long = "word " * 100
    found = resource(("Ready", "False"), ("ApiReady", "True"), ("Stalled", "False"))
    found["status"]["conditions"][1]["message"] = long
    told = list(lines(detail(found)))
    [ready] = [line for line in told if "✗" in line]
    assert ready.split() == ["✗", "Ready", "Reason", "About", "Ready."]
    assert any(long.strip() in line for line in told)
    assert told.index(ready) < min(told.index(line) for line in told if "✓" in line)
