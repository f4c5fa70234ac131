"""A channel's options: read with their defaults, and every mistake one sentence that shows no value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from supportbot.errors import UsageError
from supportbot.options import Options

ENVIRONMENT = {"token": "SHOP_TOKEN"}
HIDDEN = "s3cr3t-value"


def options(**given: Any) -> Options:
    return Options("shop", given, ("token", "url", "mode", "on", "list", "size", "wait"), ENVIRONMENT)


def token(found: Options) -> str:
    return found.text("token", pattern=r"[a-z]{3,}", like="a word of small letters, such as abc")


def url(found: Options) -> str:
    return found.url("url", "https://example.org/base/")


def mode(found: Options) -> str:
    return found.choice("mode", ("polling", "webhook"))


def flag(found: Options) -> bool:
    return found.flag("on", True)


def words(found: Options) -> tuple[str, ...]:
    return found.words("list")


def size(found: Options) -> int:
    return found.count("size", 20)


def wait(found: Options) -> float:
    return found.duration("wait", 0.5)


Read = Callable[[Options], Any]
RIGHT: list[tuple[Read, dict[str, Any], Any]] = [
    (token, {"token": "abc"}, "abc"),
    (url, {}, "https://example.org/base"),
    (url, {"url": "http://localhost:8080/a//"}, "http://localhost:8080/a"),
    (url, {"url": "https://[::1]/x?y=1"}, "https://[::1]/x?y=1"),
    (mode, {}, "polling"),
    (mode, {"mode": None}, "polling"),
    (mode, {"mode": "webhook"}, "webhook"),
    (flag, {}, True),
    (flag, {"on": False}, False),
    (words, {}, ()),
    (words, {"list": "one"}, ("one",)),
    (words, {"list": ["one", "two"]}, ("one", "two")),
    (size, {}, 20),
    (size, {"size": 512}, 512),
    (size, {"size": "512KB"}, 512_000),
    (size, {"size": " 2 MB "}, 2_000_000),
    (wait, {}, 0.5),
    (wait, {"wait": 0}, 0.0),
    (wait, {"wait": 2}, 2.0),
    (wait, {"wait": 0.25}, 0.25),
    (wait, {"wait": "800ms"}, 0.8),
    (wait, {"wait": "1 m"}, 60.0),
]


@pytest.mark.parametrize(("read", "given", "found"), RIGHT)
def test_an_option_is_read_as_it_is_meant(read: Read, given: dict[str, Any], found: Any) -> None:
    assert read(options(**given)) == found


WRONG: list[tuple[Read, str, Any]] = [
    *((token, "token", value) for value in (f"{HIDDEN}!", HIDDEN, 31337, ["abc"], {"a": 1}, True, "abc\n")),
    *(
        (url, "url", value)
        for value in (
            HIDDEN,
            f"ftp://{HIDDEN}",
            "https://",
            f"https://{HIDDEN}:99999",
            f"https://{HIDDEN}:0",
            f"https://{HIDDEN}:x",
            f"https://{HIDDEN}/a b",
            "https://[::1",
            f"//{HIDDEN}",
        )
    ),
    *((mode, "mode", value) for value in (HIDDEN, "", "Polling", 31337, True, ["polling"], {"polling": 1})),
    *((flag, "on", value) for value in (HIDDEN, "true", 1, 0, [True], "")),
    *((words, "list", value) for value in ("", [""], [HIDDEN, ""], [HIDDEN, 31337], {HIDDEN: 1}, 31337, True)),
    *(
        (size, "size", value)
        for value in (0, -31337, "0KB", HIDDEN, "5GB", 1.5, True, False, [], "9" * 13, "", "1e3")
    ),
    *(
        (wait, "wait", value)
        for value in (
            -31337,
            "61s",
            "2m",
            "1h",
            HIDDEN,
            "",
            True,
            "nan",
            "inf",
            float("nan"),
            float("inf"),
            [],
            "1d",
        )
    ),
]


@pytest.mark.parametrize(("read", "key", "value"), WRONG)
def test_a_wrong_option_is_named_in_full_and_its_value_is_not_shown(read: Read, key: str, value: Any) -> None:
    with pytest.raises(UsageError) as caught:
        read(options(**{key: value}))
    sentence = str(caught.value)
    assert sentence.startswith(f"channels.shop.{key} ") and "\n" not in sentence
    assert HIDDEN not in sentence and "31337" not in sentence


@pytest.mark.parametrize("given", [{}, {"token": ""}, {"token": None}])
def test_a_missing_option_says_which_variable_would_do_and_what_it_looks_like(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        token(options(**given))
    assert str(caught.value) == (
        "channels.shop.token is missing and the environment has no SHOP_TOKEN: "
        "a word of small letters, such as abc"
    )


def test_a_missing_option_without_a_variable_says_so_plainly() -> None:
    with pytest.raises(UsageError, match=r"^channels\.shop\.url is missing\.$"):
        options().text("url")


def test_a_default_is_taken_for_what_is_empty_and_not_checked_again() -> None:
    assert options(token="").text("token", "NOT SMALL", pattern="[a-z]+") == "NOT SMALL"


def test_an_unknown_option_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        options(tokne=HIDDEN)
    sentence = str(caught.value)
    assert sentence.startswith("channels.shop.tokne is not known") and "token, url" in sentence
    assert HIDDEN not in sentence


def test_the_delay_that_the_house_reads_is_always_known() -> None:
    assert options(burst_wait="1s").get("burst_wait") == "1s"


def test_a_longer_time_may_be_allowed() -> None:
    assert options(wait="1h").duration("wait", 1.0, most=3600) == 3600.0
