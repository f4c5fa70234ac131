from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest

from supportbot.errors import ModelBilling, ModelError, ModelFiltered, ModelRefused, ModelUnavailable
from supportbot.models.failures import Origin, complaint, from_complaint, from_connection

ORIGIN = Origin("gpt-4.1-mini", "api.openai.com")
SECRET = "sk-live-0123456789"


def body(code: str | None = None, message: str = SECRET, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "code": code, "type": "invalid_request_error", **more}}


@pytest.mark.parametrize(
    ("status", "code", "error", "says"),
    [
        (401, "invalid_api_key", ModelRefused, "the model server refused the key (401): check OPENAI_API_KEY"),
        (403, "unsupported_country_region_territory", ModelRefused, "may not use gpt-4.1-mini"),
        (404, "model_not_found", ModelRefused, "does not know gpt-4.1-mini"),
        (400, "context_length_exceeded", ModelRefused, "history.max_tokens"),
        (400, "invalid_value", ModelRefused, "400, invalid_value"),
        (413, None, ModelRefused, "too large"),
        (422, None, ModelRefused, "422"),
        (302, None, ModelRefused, "redirects"),
        (400, "content_filter", ModelFiltered, "content filter"),
        (402, None, ModelBilling, "no quota or credit"),
        (429, "insufficient_quota", ModelBilling, "insufficient_quota"),
        (429, "credit_balance_exhausted", ModelBilling, "credit"),
        (429, "project_spend_limit_exceeded", ModelBilling, "credit"),
        (429, "rate_limit_exceeded", ModelUnavailable, "limits the rate"),
        (408, None, ModelUnavailable, "408"),
        (409, None, ModelUnavailable, "409"),
        (500, None, ModelUnavailable, "failed (500)"),
        (503, None, ModelUnavailable, "failed (503)"),
        (529, None, ModelUnavailable, "failed (529)"),
    ],
)
def test_every_status_has_its_error_and_sentence(
    status: int, code: str | None, error: type[ModelError], says: str
) -> None:
    found = from_complaint(complaint(status, body(code), {}), ORIGIN)
    assert type(found) is error
    assert says in str(found)
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    "odd",
    [
        SECRET,
        None,
        [],
        [body()],
        {"detail": SECRET},
        {"error": SECRET},
        {"error": {"code": SECRET}},
        {"error": {"code": 3}},
    ],
)
def test_no_shape_of_body_gets_its_words_into_the_sentence(odd: Any) -> None:
    found = from_complaint(complaint(400, odd, {}), ORIGIN)
    assert SECRET not in str(found)


def test_a_parameter_with_free_text_is_not_shown() -> None:
    found = from_complaint(complaint(400, body("invalid_value", param="my name is Ana"), {}), ORIGIN)
    assert "Ana" not in str(found)


@pytest.mark.parametrize(
    ("status", "code", "message", "blamed"),
    [
        (400, "unsupported_parameter", "", True),
        (400, "unsupported_value", "", True),
        (400, None, "Unrecognized request argument supplied: seed", True),
        (422, None, "Extra inputs are not permitted", True),
        (400, "invalid_value", "Invalid 'temperature': too high.", False),
        (500, "unsupported_parameter", "", False),
    ],
)
def test_only_a_refused_parameter_blames_a_parameter(
    status: int, code: str | None, message: str, blamed: bool
) -> None:
    assert complaint(status, body(code, message), {}).blames_parameter is blamed


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_the_wait_a_server_asks_for_is_read_and_bounded(headers: dict[str, str], seconds: float | None) -> None:
    found = from_complaint(complaint(429, body("rate_limit_exceeded"), headers), ORIGIN)
    assert isinstance(found, ModelUnavailable)
    assert found.retry_after == seconds


@pytest.mark.parametrize(
    ("cause", "error", "says"),
    [
        (socket.gaierror(-2, "Name or service not known"), ModelUnavailable, "cannot be resolved"),
        (ConnectionRefusedError(), ModelUnavailable, "connection refused"),
        (ConnectionResetError(), ModelUnavailable, "closed the connection"),
        (TimeoutError(), ModelUnavailable, "within 20 s"),
        (ssl.SSLError("handshake"), ModelUnavailable, "TLS"),
        (ssl.SSLCertVerificationError("self-signed"), ModelRefused, "certificate"),
        (OSError(SECRET), ModelUnavailable, "broke"),
    ],
)
def test_every_way_a_connection_ends_has_its_sentence(
    cause: Exception, error: type[ModelError], says: str
) -> None:
    outer = RuntimeError(SECRET)
    outer.__cause__ = cause
    found = from_connection(outer, ORIGIN, seconds=20.0)
    assert type(found) is error
    assert says in str(found)
    assert SECRET not in str(found)


def test_a_circle_of_causes_ends() -> None:
    first, second = OSError(), OSError()
    first.__cause__, second.__cause__ = second, first
    assert isinstance(from_connection(first, ORIGIN, seconds=1), ModelUnavailable)
