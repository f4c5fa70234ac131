"""Business hours and rules as they are written in YAML, and the sentence for each mistake."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import jsonschema
import pytest

from supportbot.config.validate import validate
from supportbot.config.yamlfile import parse
from supportbot.errors import ConfigError
from supportbot.handofffiles import HoursSettings, RuleList, compile_hours, compile_rules
from supportbot.shapes import Section
from supportbot.triggers import Facts, judge


class Handoff(Section):
    hours: HoursSettings | None = None
    """When humans work."""
    rules: RuleList = ()
    """When one is called."""


class File(Section):
    handoff: Handoff
    """As in the config."""


FULL = """
handoff:
  hours:
    timezone: Europe/Berlin
    weekly: {mon-fri: "09:00-18:00", sat: ["14:00-16:00", "10:00-13:00"], sun: closed}
    holidays: [2026-12-25, 2026-12-26, 01-01]
    special: {2026-12-24: "09:00-12:00", 2026-12-28: closed}
  rules:
    - name: safety
      words: {en: [smoke, caught fire, electric shock], de: rauch}
      priority: urgent
      tags: [safety]
      desk: front
      say: {en: "Switch it off.", de: "Schalten Sie es aus."}
    - {name: angry, anger: true}
    - {name: lost, misunderstood: 3}
    - {name: no_source, unsourced: 2}
    - {name: unsure, confidence_below: 0.4}
    - {name: big_money, when: "money > 500"}
    - {name: vip, customers: [u-17, u-99], priority: high}
    - {name: lawyers, words: [lawyer, abogad*], channels: [telegram], say: One moment.}
"""


def read(text: str) -> Handoff:
    return validate(File, parse(text.encode(), "config.yaml")).handoff


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(f"handoff: {{{text}}}")
    return [f"{problem.column}: {problem.message}" for problem in caught.value.problems]


def test_hours_are_compiled() -> None:
    settings = read(FULL).hours
    assert settings is not None
    hours = compile_hours(settings)
    assert hours.weekly == (*[((540, 1080),)] * 5, ((600, 780), (840, 960)), ())
    assert hours.holidays == {date(2026, 12, 25), date(2026, 12, 26)}
    assert hours.yearly == {(1, 1)}
    assert hours.special == {date(2026, 12, 24): ((540, 720),), date(2026, 12, 28): ()}
    assert hours.is_open(datetime(2026, 12, 24, 11, tzinfo=ZoneInfo("Europe/Berlin")))


def test_rules_are_compiled_in_their_order() -> None:
    rules = compile_rules(read(FULL).rules)
    assert [(rule.name, rule.phase) for rule in rules] == [
        ("safety", "before"),
        ("angry", "before"),
        ("lost", "after"),
        ("no_source", "after"),
        ("unsure", "after"),
        ("big_money", "before"),
        ("vip", "before"),
        ("lawyers", "before"),
    ]
    verdict, _ = judge(rules, Facts("Da ist Rauch", locale="de"), "before")
    assert verdict is not None
    assert (verdict.rule, verdict.priority, verdict.tags, verdict.desk) == (
        "safety",
        "urgent",
        ("safety",),
        "front",
    )
    assert verdict.say["de"] == "Schalten Sie es aus."
    verdict, _ = judge(rules, Facts("mi abogada", channel="telegram"), "before")
    assert verdict is not None
    assert (verdict.rule, verdict.say) == ("lawyers", {"": "One moment."})


def test_the_editors_schema_takes_the_same_and_explains_every_key() -> None:
    schema = File.model_json_schema()
    text = parse(FULL.encode(), "config.yaml").data
    jsonschema.Draft202012Validator(schema).validate(text)
    text["handoff"]["hours"]["weekly"]["mon-fri"] = "9 to 5"
    assert not jsonschema.Draft202012Validator(schema).is_valid(text)
    for name in ("HoursSettings", "RuleSettings"):
        assert all(key.get("description") for key in schema["$defs"][name]["properties"].values())


HOURS = "hours: {timezone: UTC, weekly: "


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hours: {timezone: Berlin, weekly: {mon: '09:00-18:00'}}", "'Berlin' is no timezone; did you mean Europe/Berlin?"),
        ("hours: {timezone: Mars, weekly: {mon: '09:00-18:00'}}", "'Mars' is no timezone; write one such as Europe/Berlin"),
        ("hours: {timezone: UTC}", "the key 'weekly' is missing in 'hours'"),
        (HOURS + "{}}", "'weekly' must not be empty"),
        (HOURS + "{mon: 9-18}}", "'mon' must be hours such as 09:00-18:00, not '9-18'"),
        (HOURS + "{mon: 900}}", "'mon' must be hours such as 09:00-18:00, or closed"),
        (HOURS + "{mon: }}", "'mon' must be hours such as 09:00-18:00, or closed"),
        (HOURS + "{mon: ['09:00-10:00', soon]}}", "entry 2 of 'mon' must be hours such as 09:00-18:00, not 'soon'"),
        (HOURS + "{mon: '18:00-18:00'}}", "'18:00-18:00' ends when it begins; for the whole day write 00:00-24:00"),
        (HOURS + "{mon: '09:00-25:00'}}", "'09:00-25:00' has a time that no clock shows; a day goes from 00:00 to 24:00"),
        (HOURS + "{mon: ['09:00-12:00', '11:00-13:00']}}", "09:00-12:00 and 11:00-13:00 overlap: make one of them"),
        (HOURS + "{mon: '22:00-02:00', tue: '01:00-05:00'}}", "mon 22:00-02:00 overlaps tue 01:00-05:00: make one of them"),
        (HOURS + "{mon-fri: '09:00-10:00', wed: '11:00-12:00'}}", "wed has hours under 'mon-fri' already"),
        (HOURS + "{montag: '09:00-10:00'}}", "'montag' is no weekday; write mon, mon-fri or mon,wed"),
        (HOURS + "{mon: closed}}", "it is closed on every day: write the hours of at least one"),
        (HOURS + "{mon: '09:00-10:00'}, holidays: [25.12.]}", "entry 1 of 'holidays' must be a day such as 2026-12-25, or 12-25 for every year, not '25.12.'"),
        (HOURS + "{mon: '09:00-10:00'}, holidays: [2026-02-30]}", "there is no day 2026-02-30: write year-month-day, such as 2026-12-25"),
        (HOURS + "{mon: '09:00-10:00'}, special: {12-24: closed}}", "'12-24' needs its year, such as 2026-12-24"),
        (HOURS + "{mon: '09:00-10:00'}, special: {2026-12-24: closed}, holidays: [2026-12-24]}", "2026-12-24 is a holiday and has special hours: keep one of them"),
        ("rules: [{name: A b, anger: true}]", "'name' must be a name of small letters, digits, _ and -, at most 64"),
        ("rules: [{anger: true}]", "the key 'name' is missing in entry 1 of 'rules'"),
        ("rules: [{name: a}]", "the rule 'a' needs a condition: words, anger, misunderstood, unsourced, confidence_below, when or customers"),
        ("rules: [{name: a, anger: false}]", "the rule 'a' needs a condition: words, anger, misunderstood, unsourced, confidence_below, when or customers"),
        ("rules: [{name: a, channels: [x]}]", "the rule 'a' needs a condition beside 'channels': words, anger, misunderstood, unsourced, confidence_below, when or customers"),
        ("rules: [{name: a, anger: true}, {name: a, anger: true}]", "the rule name 'a' stands here twice: each rule needs its own"),
        ("rules: [{name: a, when: 'money >'}]", "column 8 of the expression: a value is missing at the end"),
        ("rules: [{name: a, when: 'user.age > 3'}]", "column 6 of the expression: `user.age` is not known here; there are user.id, user.name"),
        ("rules: [{name: a, words: []}]", "'words' must not be empty"),
        ("rules: [{name: a, words: {}}]", "'words' must not be empty"),
        ("rules: [{name: a, words: {en: []}}]", "'en' must not be empty"),
        ("rules: [{name: a, words: {english: [x]}}]", "'english' is not a language code such as en, de or pt-BR"),
        ("rules: [{name: a, words: [x, '!!!']}]", "'!!!' has no word in it"),
        ("rules: [{name: a, words: [911]}]", "entry 1 of 'words' must be text: put 911 in quotes"),
        ("rules: [{name: a, words: {en: a*}}]", "'a*' stands for too much: write 3 letters or more before the *"),
        ("rules: [{name: a, words: a*}]", "'a*' stands for too much: write 3 letters or more before the *"),
        ("rules: [{name: a, anger: true, say: {}}]", "'say' must not be empty"),
        ("rules: [{name: a, anger: true, say: ''}]", "'say' must not be empty"),
        ("rules: [{name: a, confidence_below: 40}]", "'confidence_below' must be 1 or less, not 40"),
        ("rules: [{name: a, misunderstood: 0}]", "'misunderstood' must be 1 or more, not 0"),
        ("rules: [{name: a, misunderstood: true}]", "'misunderstood' must be a whole number"),
        ("rules: [{name: a, customers: [17]}]", "entry 1 of 'customers' must be text: put 17 in quotes"),
        ("rules: [{name: a, anger: true, priority: highest}]", "'priority' must be 'normal', 'high' or 'urgent', not 'highest': did you mean 'high'?"),
        ("rules: [{name: a, anger: true, tags: [a b]}]", "entry 1 of 'tags' must be one word of at most 40 letters"),
        ("rules: [{name: a, anger: true, say: {en: ''}}]", "'en' must not be empty"),
        ("rules: [{name: a, anger: true, sya: x}]", "unknown key 'sya': did you mean 'say'?"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_one_sentence(text: str, problem: str) -> None:
    assert [found.partition(": ")[2] for found in problems(text)] == [problem]


def test_a_mistake_is_shown_where_it_stands() -> None:
    places = {
        HOURS + "{mon-fri: '09:00-10:00', wed: '11:00-12:00'}}": "wed: '11",
        HOURS + "{mon: '22:00-02:00', tue: '01:00-05:00'}}": "'01:00",
        HOURS + "{montag: '09:00-10:00'}}": "montag",
        "rules: [{name: a, anger: true}, {name: a, anger: true}]": "{name: a, anger: true}]",
        "rules: [{name: a, words: {en: [x, a*]}}]": "a*",
        "rules: [{name: a, when: 'money >'}]": "'money",
        "rules: [{name: a, channels: [x]}]": "[x]",
    }
    for text, there in places.items():
        column = int(problems(text)[0].partition(":")[0])
        whole = f"handoff: {{{text}}}"
        shown = {whole.index(there) + 1, whole.index(there) + 1 + (5 if there.startswith("wed") else 0)}
        assert column in shown, (text, column)
