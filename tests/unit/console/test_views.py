"""Pages and the small words in them."""

from __future__ import annotations

import time

import pytest
from jinja2 import UndefinedError
from starlette.requests import Request

from supportbot.console import views
from supportbot.types import User


def request(cookie: str = "", **headers: str) -> Request:
    sent = [(b"cookie", cookie.encode()), *((name.encode(), value.encode()) for name, value in headers.items())]
    return Request({"type": "http", "method": "GET", "path": "/console/x", "headers": sent, "query_string": b""})


@pytest.mark.parametrize(
    ("count", "words"),
    [(-1, ""), (999, "999 bytes"), (2_000, "2 kB"), (123_456, "123.5 kB"), (10_000_000, "10 MB")],
)
def test_a_size_is_said_roughly(count: int, words: str) -> None:
    assert views.size(count) == words


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (User("v_4GiGY_LtONI4gXPUJz7GxA", "Ada"), "Ada"),
        (User("v_4GiGY_LtONI4gXPUJz7GxA"), "Visitor 7GxA"),
        (User("jana.berger@example.org"), "jana.berger@example.org"),
        (User("U0123"), "U0123"),
        (User(""), "Unnamed customer"),
    ],
)
def test_a_customer_is_called_by_name_or_by_as_much_of_their_id_as_says_something(user: User, words: str) -> None:
    assert views.person(user) == words
    assert views.person(user, "Ada") == "Ada"


def test_a_time_is_sent_in_utc_for_the_page_to_show_in_its_own_zone() -> None:
    assert 'datetime="2025-11-28T16:53:20Z"' in views.when(1_764_348_800.5)
    assert ">2025-11-28 16:53 UTC<" in views.when(1_764_348_800.5)
    assert ">5 min ago<" in views.ago(time.time() - 301)
    assert ">in 4 min<" in views.ago(time.time() + 299)
    assert ">2 h<" in views.lasting(time.time() - 7_201)
    assert views.when(None) == views.ago(None) == views.lasting(None) == ""


def test_what_a_template_lacks_is_an_error_and_no_gap() -> None:
    with pytest.raises(UndefinedError):
        views.render(request(), "problem.html")


def test_a_problem_is_a_page_for_people_and_a_sentence_for_a_script() -> None:
    page = views.problem(request(), 404, "There is <nothing> here.")
    assert page.status_code == 404 and b"<h1>There is &lt;nothing&gt; here.</h1>" in page.body
    part = views.problem(request(**{"hx-request": "true"}), 404, "There is <nothing> here.")
    assert part.media_type == "text/plain" and part.body == b"There is <nothing> here."
    for answer in (page, part):
        assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("cookie", "start"),
    [
        ("supportbot_theme=dark", b'<html lang="en" data-theme="dark">'),
        ("supportbot_theme=light", b'<html lang="en" data-theme="light">'),
        ('supportbot_theme="><script>', b'<html lang="en">'),
        ("", b'<html lang="en">'),
    ],
)
def test_the_theme_comes_from_its_cookie_if_it_is_one(cookie: str, start: bytes) -> None:
    assert start in views.problem(request(cookie), 404, "x").body
