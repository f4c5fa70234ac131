"""The options of a web chat: read, completed, and refused in one sentence that begins with the key."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.errors import UsageError
from supportbot_web import WebAdapter
from supportbot_web.settings import chosen, origin_of, read


def test_without_options_only_the_bots_own_pages_have_the_chat() -> None:
    found = read("web", {})
    assert found.origins == ()
    assert (found.uploads, found.text_limit, found.keep) == (True, 8_000, 180 * 86_400.0)
    assert found.max_upload == 10_000_000


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://www.shop.example", "https://www.shop.example"),
        ("https://www.shop.example/", "https://www.shop.example"),
        ("HTTPS://WWW.Shop.Example", "https://www.shop.example"),
        ("https://www.shop.example:443", "https://www.shop.example"),
        ("http://www.shop.example:80/", "http://www.shop.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://grüße.example", "https://xn--gre-hoa8i.example"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_origin_is_kept_in_the_way_in_which_browsers_send_it(written: str, origin: str) -> None:
    if not written.isascii():
        origin = "https://" + "grüße.example".encode("idna").decode()
    assert read("web", {"origins": [written]}).origins == (origin,)


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "www.shop.example",
        "https://*.shop.example",
        "https://shop.example/path",
        "https://shop.example?q=1",
        "https://shop.example/#f",
        "https://user:pw@shop.example",
        "https://",
        "https://shop.example:99999",
        "https://shop.example:x",
        "ftp://shop.example",
        "javascript:alert(1)",
        "https://shop.example\\@evil.example",
        "https://shop .example",
        "https://" + "ü" * 100 + ".example",
        "https://[::1",
    ],
)
def test_what_is_no_origin_is_refused_with_its_place(origin: str) -> None:
    with pytest.raises(UsageError, match=r"^channels\.web\.origins\[1\] must be a site's origin"):
        read("web", {"origins": ["https://good.example", origin]})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"origin": "https://a.example"}, r"^channels\.web\.origin is not known; this channel has origins, "),
        ({"origins": 5}, r"^channels\.web\.origins must be a list of texts"),
        ({"accent": "red; } body { display: none"}, r"^channels\.web\.accent is not right: .*#0b57d0"),
        ({"accent": "#0b57d0\n"}, r"^channels\.web\.accent "),
        ({"position": "top"}, r"^channels\.web\.position must be right or left"),
        ({"theme": "blue"}, r"^channels\.web\.theme must be auto or light or dark"),
        ({"title": 5}, r"^channels\.web\.title must be a text, or texts by language"),
        ({"title": {"english": "Hi"}}, r"^channels\.web\.title must be a text"),
        ({"greeting": {"en": ["Hi"]}}, r"^channels\.web\.greeting must be a text"),
        ({"uploads": "yes"}, r"^channels\.web\.uploads must be true or false"),
        ({"upload_types": ["*/*"]}, r"^channels\.web\.upload_types\[0\] must be a kind of file"),
        ({"upload_types": ["image/*", "pdf"]}, r"^channels\.web\.upload_types\[1\] must be a kind of file"),
        ({"max_upload": 0}, r"^channels\.web\.max_upload must be a whole number above 0"),
        ({"text_limit": -1}, r"^channels\.web\.text_limit "),
        ({"rate": True}, r"^channels\.web\.rate "),
        ({"keep": "for ever"}, r"^channels\.web\.keep "),
        ({"streams": 0}, r"^channels\.web\.streams "),
    ],
)
def test_a_mistake_is_one_sentence_that_begins_with_the_key(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        read("web", options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["files", "config", "app", "sessions", "messages", "events", "entries"])
def test_a_second_chat_cannot_have_the_address_of_a_part_of_the_first_one(name: str) -> None:
    with pytest.raises(UsageError, match=f"cannot be called '{name}'"):
        WebAdapter(name, {})


def test_a_chat_with_another_name_has_another_address() -> None:
    assert (WebAdapter("web", {}).base, WebAdapter("shop-de", {}).base) == ("/chat", "/chat/shop-de")


def test_texts_are_chosen_by_locale_then_language_then_for_everybody() -> None:
    texts = {"": "x", "de": "d", "pt-BR": "p"}
    assert [chosen(texts, locale) for locale in ("de", "de-AT", "pt-BR", "fr")] == ["d", "d", "p", "x"]
    assert chosen({}, "en") == ""
    assert chosen({"de": "nur deutsch"}, "en") == "nur deutsch"


@given(st.text(max_size=60))
def test_any_text_is_an_origin_or_none(text: str) -> None:
    for address in (text, f"https://{text}", f"http://{text}:80/"):
        origin = origin_of(address)
        assert origin == "" or origin_of(origin) == origin


@given(st.dictionaries(st.sampled_from(("origins", "title", "accent", "rate", "upload_types", "keep")), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text() | st.integers(), max_size=3) | st.dictionaries(st.text(), st.text(), max_size=2)))  # fmt: skip
def test_whatever_is_written_there_is_read_or_refused_in_one_sentence(options: dict[str, Any]) -> None:
    try:
        read("web", options)
    except UsageError as error:
        assert str(error).startswith("channels.web.")
