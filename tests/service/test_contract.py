"""The OpenAPI document and the service say the same: no 5xx, and no answer that is not described.

Schemathesis writes requests from the document, good and bad ones, the same in every run.
"""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ragdeploy_service import openapi
from tests.service.api import BANANAS, SCALING, index
from tests.support.service import ServiceProcess
from tests.support.waiting import eventually

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def running(tmp_path_factory, model):
    """A service with documents."""
    settings = {
        "RAG_EMBEDDING_MODEL_DIR": str(model.folder),
        "RAG_LOG_LEVEL": "WARNING",
    }
    with ServiceProcess(settings, folder=tmp_path_factory.mktemp("service")) as service:
        index(service.http, SCALING, BANANAS, ids=["0", "1"], metadatas=[{"a": 1}, {}])
        yield service


described = schemathesis.openapi.from_path(openapi.FILE)


@described.parametrize()
@settings(
    max_examples=15,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_the_document_describes(case, running):
    # A deadline of a millisecond is kept, and 504 the answer that was asked for.
    if isinstance(case.body, dict) and isinstance(case.body.get("timeout_ms"), int):
        case.body["timeout_ms"] = max(case.body["timeout_ms"], 10_000)

    def answered():
        """The answer, once it is another than that this is not the moment (503, Retry-After)."""
        response = case.call(base_url=running.url, timeout=30)
        busy = response.status_code == 503 and "retry-after" in response.headers
        return None if busy else response

    case.validate_response(eventually(answered, what="an answer that stands"), checks=CHECKS)
