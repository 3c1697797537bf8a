"""What an answer of the API server means."""

import json

import pytest

from ragdeploy_operator.engine.errors import ApiError


def answer(body):
    return ApiError.from_answer(404, "Not Found", body, {})


def test_an_object_that_is_not_there_is_absent():
    details = {"name": "docs", "group": "ragdeploy.io", "kind": "ragdeployments"}
    status = {"kind": "Status", "code": 404, "reason": "NotFound", "details": details}
    assert answer(json.dumps(status)).is_absent("docs")


@pytest.mark.parametrize(
    "body",
    [
        "404 page not found\n",  # of an API server that does not serve the kind yet
        "<html>nothing here</html>",  # of a proxy
        '{"kind":"Status","code":404,"reason":"NotFound","details":{}}',
        "",
    ],
)
def test_what_is_not_served_is_not_taken_for_absent(body):
    assert not answer(body).is_absent("docs")
