"""Templates can read data, and can neither reach anything else nor run away."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.sandbox import TemplateFailed, Templates
from supportbot.types import User

VALUES: dict[str, Any] = {
    "user": User("u1", "Jo"),
    "order": {"id": "A-1", "items": [{"name": "cup", "price": 3}, {"name": "jug", "price": 9}]},
    "now": datetime(2026, 3, 1, 14, 5, tzinfo=UTC),
    "xs": [3, 1, 2],
}


def render(source: str, **values: Any) -> str:
    return Templates({}).render_text(source, {**VALUES, **values})


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("plain words, 100 % as they are", "plain words, 100 % as they are"),
        ("{{ user.name }} {{ order.id }} {{ order['id'] }}", "Jo A-1 A-1"),
        ("{% for item in order.items %}{{ loop.index }}{{ item.name }} {% endfor %}", "1cup 2jug "),
        ("{% for key, value in order|items %}{{ key }} {% endfor %}", "id items "),
        ("{{ order.get('nothing', 'none') }}", "none"),
        ("{{ order['items']|map(attribute='price')|sum }} {{ order['items']|sum(attribute='price') }}", "12 12"),
        ("{{ xs|sort|join(', ') }} {{ xs|max }} {{ xs|length }}", "1, 2, 3 3 3"),
        ("{{ order['items']|selectattr('price', '>', 5)|map(attribute='name')|list|tojson }}", '["jug"]'),
        ("{{ '%s costs %.2f' % ('tea', 3) }} {{ '{:>4}|{name}'.format(7, name='x') }}", "tea costs 3.00    7|x"),
        ("{{ now.strftime('%Y-%m-%d %H:%M') }} {{ now.year }}", "2026-03-01 14:05 2026"),
        (
            "{{ 'a' ~ 1 ~ none }} {{ 2 + 3 * 4 }} {{ 7 // 2 }} {{ 2 ** 10 }} {{ 'ab' * 2 }}",
            "a1None 14 3 1024 abab",
        ),
        ("{{ user.name or 'there' }} {{ missing|default('there') }}", "Jo there"),
        ("{% set ns = namespace(n=0) %}{% for x in xs %}{% set ns.n = ns.n + x %}{% endfor %}{{ ns.n }}", "6"),
        ("{% macro hi(who) %}hi {{ who }}{% endmacro %}{{ hi('Jo') }}", "hi Jo"),
        ("{% for x in xs if x > 1 %}{{ x }}{% if not loop.last %}-{% endif %}{% endfor %}", "3-2"),
        ("{{ 'one two'.split(' ')[1]|title }} {{ 'abc'[1:] }} {{ 'ABC'.lower() }}", "Two bc abc"),
        ("{% for x in [1, [2]] recursive %}{{ loop(x) if x is iterable else x }}{% endfor %}", "12"),
        ("{{ xs|batch(2)|list }}", "[[3, 1], [2]]"),
        ("{{ 'a\nb'|indent(2) }}", "a\n  b"),
        ("{% if 'cup' in order['items']|map(attribute='name') %}yes{% endif %}", "yes"),
    ],
)
def test_ordinary_templates_work(source: str, text: str) -> None:
    assert render(source) == text


ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''['__class__'] }}",
    "{{ ''|attr('__class__') }}",
    "{{ user['__class__'] }}",
    "{{ user|map(attribute='__class__')|list }}",
    "{{ xs|map(attribute='__class__')|list }}",
    "{{ ().__class__.__base__.__subclasses__() }}",
    "{{ [].class.base.subclasses() }}",
    "{{ self }}",
    "{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ joiner.function }}",
    "{{ range.function }}",
    "{{ lipsum(1) }}",
    "{{ config }}",
    "{{ '{0.__class__}'.format(user) }}",
    "{{ '{x[__class__]}'.format_map({'x': user}) }}",
    "{{ user.__dataclass_fields__ }}",
    "{{ dict.mro() }}",
    "{{ order.clear() }}",
    "{{ order.update({}) }}",
    "{{ xs.append(1) }}",
    "{{ xs.sort() }}",
    "{{ user }}",
    "{{ [user]|string }}",
    "{{ 'x'.encode() }}",
    "{{ now.__reduce__() }}",
    "{{ xs|random }}",
    "{% autoescape true %}{{ user.name }}{% endautoescape %}",
    "{% macro m() %}{% endmacro %}{{ m.__globals__ }}",
    "{% macro m() %}{% endmacro %}{{ m }}",
    "{% for x in xs %}{{ loop.__class__ }}{% endfor %}",
    "{% for x in xs %}{{ loop._iterable }}{% endfor %}",
]


@pytest.mark.parametrize("source", ESCAPES)
def test_a_template_reaches_nothing_but_plain_data(source: str) -> None:
    with pytest.raises(TemplateFailed):
        render(source)


BOMBS = [
    "{{ 'a' * 200000000 }}",
    "{{ 200000000 * 'a' }}",
    "{{ [1] * 10000000 }}",
    "{{ 10 ** 10 ** 10 }}",
    "{{ 2 ** 100000 }}",
    "{{ ('9' * 4000)|int }}",
    "{{ 'x'|center(10 ** 9) }}",
    "{{ 'x'.ljust(10 ** 9) }}",
    "{{ 'x'.zfill(10 ** 9) }}",
    "{{ 'x'|indent(10 ** 9, true) }}",
    "{{ '%999999999d' % 1 }}",
    "{{ '%*d' % (999999999, 1) }}",
    "{{ '%999999999d'|format(1) }}",
    "{{ '{:>999999999}'.format(1) }}",
    "{{ '{:{}}'.format(1, 999999999) }}",
    "{{ ('%(a)s' * 9000)|format(a='x' * 100000) }}",
    "{{ now.strftime('%999999999Y') }}",
    "{{ ('a' * 9999)|replace('', 'b' * 9999) }}",
    "{{ ('a' * 9999).replace('a', 'b' * 9999) }}",
    "{{ (['a' * 1000] * 1000)|join('b' * 1000) }}",
    "{{ ('b' * 1000).join(['a'] * 1000) }}",
    "{{ 1.5|round(10 ** 9, 'ceil') }}",
    "{{ xs|tojson(indent=10 ** 9) }}",
    "{{ xs|batch(10 ** 9, 'x')|list }}",
    "{{ ('a' * 100000)|wordwrap(1) }}",
    "{{ range(10 ** 9)|list }}",
    "{{ range(9999)|map('center', 9999)|join }}",
    "{{ ([[1]] * 9999)|sum(start=[]) }}",
    "{% for i in range(10 ** 9) %}x{% endfor %}",
    "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
    "{% for i in range(9999) if false %}{% endfor %}" * 300,
    "{% for i in range(9999) %}" + "{% if i %}{% endif %}" * 2000 + "{% endfor %}",
    "{% for i in range(9999) %}" + "x" * 40000 + "{% endfor %}",
    "{% macro m() %}{% for i in range(9999) %}" + "x" * 40000 + "{% endfor %}{% endmacro %}{{ m() }}",
    "{% for i in range(9999) %}{{ range(9999)|max }}{% endfor %}",
    "{% for x in [1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
    "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "{% set a = [1] %}" + "{% set a = [a, a] %}" * 40 + "{{ a }}",
    "{% set a = [1] %}" + "{% set a = [a, a] %}" * 15 + "{% for i in range(9999) %}{{ a == [a] }}{% endfor %}",
    "{% set t = (1,) %}"
    + "{% set t = (t, t) %}" * 15
    + "{% for i in range(9999) %}{% set d = {t: 1} %}{% endfor %}",
    "{% set ns = namespace(a='x') %}{% for i in range(99) %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}",
    "{% set ns = namespace(a=[1]) %}{% for i in range(99) %}{% set ns.a = ns.a + ns.a %}{% endfor %}",
    "{% set ns = namespace(a=3) %}{% for i in range(99) %}{% set ns.a = ns.a * ns.a %}{% endfor %}",
    "{% set ns = namespace() %}{% set ns.a = ns %}{{ [ns] }}",
    "{% set a = 'a' * 100000 %}{% for i in range(9999) %}{% set b = a[1:] %}{% endfor %}",
    "{% set a = 'a' * 100000 %}{% for i in range(9999) %}{% set b = a + 'b' in a %}{% endfor %}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{{ " + "+".join(["1"] * 20000) + " }}",
    "{% for a in [1] %}" * 40 + "{% endfor %}" * 40,
    "{" * 49999,
    "{{ " + "1 < " * 12000 + "1 }}",
    "{{ [" + "1," * 24000 + "] }}",
    "{{ " + "not " * 12000 + "1 }}",
    "{{ [" + "[" * 20000 + "]" * 20000 + "] }}",
    "{{ order" + ".b" * 24000 + " }}",
    "{{ 'x'" + "|upper" * 8000 + " }}",
    "{% if 0 %}" + "{% elif 0 %}" * 4000 + "{% endif %}",
    "{{ " + "1" * 40000 + " }}",
    "{{ 1e999999 }}",
    "x" * 50001 + "{{ 1 }}",
]


@pytest.mark.parametrize("source", BOMBS, ids=range(len(BOMBS)))
def test_a_template_that_would_grow_or_run_for_ever_is_stopped_within_a_second(source: str) -> None:
    started = time.process_time()
    with pytest.raises(TemplateFailed) as caught:
        render(source)
    assert time.process_time() - started < 1
    assert len(str(caught.value)) < 300


def test_templates_that_include_each_other_for_ever_are_stopped() -> None:
    templates = Templates(
        {"a.j2": "{% include 'b.j2' %}", "b.j2": "{% include 'a.j2' %}", "c.j2": "{% extends 'c.j2' %}"}
    )
    for name in ("a.j2", "c.j2"):
        with pytest.raises(TemplateFailed, match="deep"):
            templates.render(name, {})


def test_the_same_template_may_be_included_many_times_but_not_without_end() -> None:
    templates = Templates(
        {"row.j2": "{{ x }}", "list.j2": "{% for x in range(n) %}{% include 'row.j2' %}{% endfor %}"}
    )
    assert len(templates.render("list.j2", {"n": 100})) == 190
    with pytest.raises(TemplateFailed, match="includes"):
        templates.render("list.j2", {"n": 5000})


@pytest.mark.parametrize("source", [*ESCAPES, *BOMBS], ids=range(len(ESCAPES) + len(BOMBS)))
def test_template_source_inside_a_value_is_only_text(source: str) -> None:
    assert render("{{ said }}", said=source) == source


@given(st.text(max_size=200))
def test_any_text_is_either_rendered_or_refused(source: str) -> None:
    try:
        render("{{ xs }}" + source)
    except TemplateFailed as error:
        assert error.line >= 0


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("one\n{{ nobody }}", 2, "'nobody' is undefined"),
        ("one\n\n{{ order.nothing }}", 3, "'dict object' has no attribute 'nothing'"),
        ("{{ 1 if }}", 1, "unexpected 'end of print statement'"),
        ("\n{{ 1 / 0 }}", 2, "it divides by zero"),
        ("\n\n{{ 'a'|nofilter }}", 3, "No filter named 'nofilter'."),
        ("{{ xs + 1 }}", 1, "it applies + to a list and a int"),
        ("{% include 'gone.j2' %}", 1, "there is no template 'gone.j2'"),
        ("{{ missing ~ 'x' }}", 1, "'missing' is undefined"),
        ("{{ missing + 1 }}", 1, "'missing' is undefined"),
        ("{{ missing|tojson }}", 1, "'missing' is undefined"),
    ],
)
def test_a_fault_is_told_with_template_line_and_reason(source: str, line: int, reason: str) -> None:
    with pytest.raises(TemplateFailed) as caught:
        Templates({}).render_text(source, VALUES, name="flows/a.yaml")
    assert (caught.value.template, caught.value.line, caught.value.reason) == ("flows/a.yaml", line, reason)
    assert str(caught.value) == f"template 'flows/a.yaml', line {line}: {reason}"


def test_a_fault_in_an_included_template_names_that_template() -> None:
    templates = Templates({"a.j2": "x\n{% include 'b.j2' %}", "b.j2": "\n\n{{ nobody }}"})
    with pytest.raises(TemplateFailed, match=r"template 'b.j2', line 3: 'nobody' is undefined"):
        templates.render("a.j2", {})


def test_a_value_is_not_quoted_in_an_error() -> None:
    with pytest.raises(TemplateFailed) as caught:
        render("{{ 'x'.index(word) }}{{ {}[word] }}", word="secret")
    assert "secret" not in str(caught.value)


def test_problems_are_found_before_any_value_is_known() -> None:
    templates = Templates(
        {
            "good.j2": "{% include 'maybe.j2' ignore missing %}{% include ['x', 'good.j2'] %}{{ later }}",
            "bad.j2": "fine\n{% if %}",
            "lost.j2": "\n{% extends 'gone.j2' %}",
            "dunder.j2": "{{ user.__class__ }}",
            "filter.j2": "{{ 1|attr('x') }}",
        }
    )
    assert templates.problems() == [
        ("bad.j2", 2, "Expected an expression, got 'end of statement block'"),
        ("dunder.j2", 1, "the name '__class__' starts with an underscore"),
        ("filter.j2", 1, "No filter named 'attr'."),
        ("lost.j2", 2, "there is no template 'gone.j2'"),
    ]


def test_variables_are_followed_through_other_templates_and_not_confused_with_own_names() -> None:
    templates = Templates(
        {
            "main.j2": "{% extends 'base.j2' %}{% import 'macros.j2' as m with context %}"
            "{% block body %}{% for p in passages %}{% include 'row.j2' %}{% endfor %}{{ m.hi(user) }}{% endblock %}",
            "base.j2": "{{ bot.name }}{% block body %}{% endblock %}",
            "macros.j2": "{% macro hi(who) %}{{ who }} {{ channel }}{% endmacro %}",
            "row.j2": "{{ p.text }}\n{{ locale }}",
        }
    )
    assert templates.variables("main.j2") == {"passages", "user", "bot", "channel", "locale"}
    assert ("row.j2", 2, "locale") in {(use.template, use.line, use.variable) for use in templates.uses("main.j2")}


def test_blocks_imports_and_call_blocks_work() -> None:
    templates = Templates(
        {
            "base.j2": "<{% block body %}base{% endblock %}>",
            "child.j2": "{% extends 'base.j2' %}{% block body %}{{ super() }}+child{% endblock %}",
            "m.j2": "{% macro box() %}[{{ caller() }}]{% endmacro %}",
            "use.j2": "{% from 'm.j2' import box %}{% call box() %}in{% endcall %}{% import 'm.j2' as m %}{{ m.nothing is defined }}",
        }
    )
    assert templates.render("child.j2", {}) == "<base+child>"
    assert templates.render("use.j2", {}) == "[in]False"
    assert templates.problems() == []


def test_a_shipped_template_can_be_extended_by_name() -> None:
    source = "{% extends 'supportbot/context.j2' %}{% block situation %}{% endblock %}{% block known %}mine{% endblock %}"
    templates = Templates({"context.j2": source})
    assert templates.problems() == []
    assert templates.render("context.j2", {"passages": [], "note": ""}).strip() == "mine"
