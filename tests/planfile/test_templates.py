"""Templates: rendered like Jinja, errors at their place, and limits that a hostile template cannot exceed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, StrictUndefined

from planner.planfile import jinja_environment
from planner.planfile.jinja_environment import FILTERS, TESTS, WORK_PER_PLAN, WORK_PER_RENDER
from planner.planfile.templates import (
    MAX_PROGRAMS,
    MAX_SOURCE,
    MAX_TEXT,
    Interpolation,
    Template,
    TemplateFault,
    Templates,
)

VALUES: dict[str, Any] = {
    "name": "Ana",
    "n": 5,
    "rate": 0.5,
    "yes": True,
    "nothing": None,
    "names": ["Ana", "Bob"],
    "order": {"number": "17", "items": 3, "lines": [{"sku": "a", "price": 2}, {"sku": "b", "price": 1}]},
}


def render(text: str) -> str:
    return Templates().compile(text).render(VALUES)


def fault(text: str) -> tuple[str, str, str | None]:
    """Code, detail, and the part of the template at the reported place."""
    with pytest.raises(TemplateFault) as caught:
        render(text)
    start, end = caught.value.start, caught.value.end
    return caught.value.code, caught.value.detail, text[start:end] if start is not None else None


patient = settings(deadline=None)  # the first example loads Jinja
TAGS = (
    "{|}|{{|}}|{ {|\r\n|%}|\n|\n\n| |{{ name }}|{{name}}|{{ order.number }}|{{- name -}}|{{ n }}|{{ order }}|{{ loop }}"
)
MORE_TAGS = "{{ name.x }}|{{ nothing }}|{{ yes }}|{{ rate }}|{{\tname }}"
pieces = st.text(max_size=8) | st.sampled_from(f"{TAGS}|{MORE_TAGS}".split("|"))


def outcome(template: Template, values: dict[str, Any]) -> tuple[str, str]:
    """The text, or the code of the fault."""
    try:
        return "text", template.render(values)
    except TemplateFault as found:
        return "fault", found.code


@patient
@given(st.lists(pieces, max_size=8).map("".join))
def test_plain_names_render_as_jinja_renders_them(text: str) -> None:
    """Where the short way takes a template, it gives what Jinja gives: the same text, or a fault of the same kind."""
    templates = Templates()
    short = templates.interpolation(text)
    if short is not None:
        assert outcome(short, VALUES) == outcome(templates.program(text), VALUES)


@patient
@given(st.lists(pieces, max_size=8).map("".join))
def test_no_text_breaks_the_compiler(text: str) -> None:
    """Any text either renders or has an error with a place inside it."""
    try:
        template = Templates().compile(text)
        template.render({name: VALUES.get(name, "x") for name in template.names})
    except TemplateFault as found:
        start, end = found.start or 0, found.end or 0
        assert 0 <= start <= end <= len(text)


@pytest.mark.parametrize(
    "text",
    [
        "{% for x in names %}{{ loop.index }}. {{ x }}{% if not loop.last %}, {% endif %}{% endfor %}",
        "{% if n > 3 and name in names %}big{% elif n %}small{% else %}none{% endif %}",
        "{{ names | join(', ') }} {{ names | map('upper') | join(' and ') }} {{ names | first }} {{ names | length }}",
        "{{ name | upper }} {{ name.lower() }} {{ name | replace('A', 'E') | trim }} {{ 'x' ~ n ~ name }}",
        "{{ n + 2 * 3 - 1 }} {{ n // 2 }} {{ n % 2 }} {{ -n }} {{ n if n else 0 }} {{ 7.46 | round(1) }}",
        "{{ 'a' + name }} {{ name[0] }} {{ name[1:] }} {{ names[-1] }} {{ missing | default('d') }}",
        "{% set total = n + 1 %}{{ total }} {{ range(3) | list | join('-') }} {{ names | sort | last }}",
        "{% raw %}{{ x }}{% endraw %}{# comment #}{{ order['number'] }} {{ order.get('number') }}",
        "{% for line in order.lines | sort(attribute='price') %}{{ line.sku }}{% endfor %}",
        "{{ order.lines | map(attribute='sku') | join }} {{ order.lines | selectattr('price', 'odd') | list | length }}",
        "{% for k in order | list | sort %}{{ k }} {% endfor %}",
        "a\n  {%- if n %} b {%- endif %}\n",
        "{{ name is defined }}{{ n is odd }}{{ n is divisibleby 5 }}".replace("{{", "{% if ").replace(
            "}}", " %}1{% endif %}"
        ),
    ],
)
def test_language_is_jinjas(text: str) -> None:
    """What plan templates may do gives what plain Jinja gives."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701 - text, not HTML
    assert render(text) == environment.from_string(text).render(VALUES)


def test_values_are_written_as_in_json() -> None:
    """Booleans and numbers are written as case ids write them."""
    assert render("{{ yes }} {{ rate }} {{ n }} {% if yes %}{{ not yes }}{% endif %}") == "true 0.5 5 false"


def test_keys_of_a_mapping_come_before_its_methods() -> None:
    """`order.items` is the author's key, not Python's method."""
    assert render("{{ order.items }}") == "3"
    assert render("{% if n %}{{ order.items }}{% endif %}") == "3"


def test_names_are_what_the_template_takes() -> None:
    """Names are those from outside, with the place of their first use; what the template sets itself is not among them."""
    template = Templates().compile(
        "{% set a = n %}{{ a }} {% for x in names %}{{ x }}{{ loop.index }}{{ q.n }}{% endfor %} {{ n }}"
    )
    assert dict(template.names) == {"n": 11, "names": 35, "q": 69}
    assert dict(Templates().compile("x {{ b.c }} {{ a }} {{ b }}").names) == {"b": 5, "a": 15}
    assert dict(Templates().compile("plain").names) == {}


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("{{ order.numbr }}", "template-undefined", "numbr"),
        ("{% if n %}{{ order.numbr }}{% endif %}", "template-undefined", "numbr"),
        ("a\n{% if n %}\n{{ order.lines[7].sku }}{% endif %}", "template-undefined", "{{ order.lines[7].sku }}"),
        ("{{ names }}", "template-failed", "names"),
        ("{{ order }}", "template-failed", "order"),
        ("{{ nothing }}", "template-failed", "nothing"),
        ("{{ name.upper }}", "template-failed", "name.upper"),
        ("{{ n.real }}", "template-undefined", "real"),
        ("{{ n.__class__ }}", "template-forbidden", "__class__"),
        ("{{ n['__class__'] }}", "template-undefined", "{{ n['__class__'] }}"),
        (
            "{{ names | map(attribute='__class__') | join }}",
            "template-undefined",
            "{{ names | map(attribute='__class__') | join }}",
        ),
        ("{{ _private }}", "template-forbidden", "_private"),
        ("{{ self | list }}", "template-forbidden", "self"),
        ("{{ 'x'.format(1) }}", "template-undefined", "format"),
        ("{{ names.append(1) }}", "template-undefined", "append"),
        ("{{ order.items() }}", "template-failed", "{{ order.items() }}"),
        ("{{ n / 0 }}", "template-failed", "{{ n / 0 }}"),
        ("{{ 'a' ~ (names ~ 'x') }}", "template-failed", "{{ 'a' ~ (names ~ 'x') }}"),
        ("{{ n + 'x' }}", "template-failed", "{{ n + 'x' }}"),
        ("{{ n < name }}", "template-failed", "{{ n < name }}"),
        ("{{ name | attr('x') }}", "template-syntax", "attr"),
        ("{{ name | uper }}", "template-syntax", "uper"),
        ("{{ n is od }}", "template-syntax", "od"),
        ("{{ n ** 2 }}", "template-forbidden", "{{ n ** 2 }}"),
        ("{{ {'a': 1} }}", "template-forbidden", "{{ {'a': 1} }}"),
        ("{% macro m() %}{% endmacro %}", "template-forbidden", "macro"),
        ("x\n{% include 'y' %}", "template-forbidden", "include"),
        ("{% import 'y' as z %}", "template-forbidden", "import"),
        ("{% extends 'y' %}", "template-forbidden", "extends"),
        ("{% block b %}{% endblock %}", "template-forbidden", "block"),
        ("{% filter upper %}{% endfilter %}", "template-forbidden", "{% filter upper %}"),
        ("{% set q %}{% endset %}", "template-forbidden", "{% set q %}"),
        ("{% call x() %}{% endcall %}", "template-forbidden", "call"),
        ("{% autoescape true %}{% endautoescape %}", "template-forbidden", "autoescape"),
        ("{% for x in names recursive %}{% endfor %}", "template-forbidden", "recursive"),
        ("{% for x in n %}{% endfor %}", "template-failed", "{% for x in n %}"),
        ("{{ n", "template-syntax", "{{ n"),
        ("{{ n }} {{ n + }}", "template-syntax", "{{ n + }}"),
        ("a\n{% for x in names %}", "template-syntax", "{% for x in names %}"),
        ("{% endfor %}", "template-syntax", "{% endfor %}"),
        ("{% nonsense %}", "template-syntax", "{% nonsense %}"),
        ("{{ 'x }}", "template-syntax", "{{ 'x }}"),
        ("{# x", "template-syntax", "{# x"),
        ("{{ range('x') }}", "template-failed", "{{ range('x') }}"),
        ("{{ name | round }}", "template-failed", "{{ name | round }}"),
        ("{{ names | join(', ', 'x') }}", "template-undefined", "{{ names | join(', ', 'x') }}"),
        ("{{ name | default }} {{ n() }}", "template-failed", "{{ n() }}"),
        ("{{ n }} {{ n ** 2 }}", "template-forbidden", "{{ n ** 2 }}"),
        ("{{ name | default }} {{ n }} {{ [n]() }}", "template-failed", "{{ [n]() }}"),
        ("{{ names | map('uper') | join }}", "template-failed", "{{ names | map('uper') | join }}"),
        ("{{ names | select('nonsense') | join }}", "template-failed", "{{ names | select('nonsense') | join }}"),
        ("{{ names | map('upper', 1) | join }}", "template-failed", "{{ names | map('upper', 1) | join }}"),
        ("{{ range }}{% if n %}{% endif %}", "template-failed", "{{ range }}"),
        ("{{ name | truncate('x') }}", "template-failed", "{{ name | truncate('x') }}"),
    ],
)
def test_place_of_an_error(text: str, code: str, part: str | None) -> None:
    """The place is the smallest part of the template that shows the error."""
    found, _, place = fault(text)
    assert (found, place) == (code, part)


def doubling(count: int) -> str:
    return "".join(f"{{% set x{i + 1} = x{i} ~ x{i} %}}" for i in range(count))


HOSTILE = {
    "loops in loops": "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "endless range": "{% for a in range(10**18) %}{% endfor %}".replace("10**18", "1000000000000000000"),
    "range behind a filter": "{{ range(1000000000) | list | length }}",
    "long body": "{% for a in range(90000) %}{% if n %}{{ n }}{{ n }}{{ n }}{% endif %}{% endfor %}",
    "multiplied text": "{{ 'a' * 1000000000 }}",
    "multiplied list": "{{ ([1] * 1000000000) | length }}",
    "doubled text": "{% set x0 = 'aaaaaaaaaaaaaaaa' %}" + doubling(60) + "{{ x60 }}",
    "added text": "{% set x0 = 'aaaaaaaaaaaaaaaa' %}" + doubling(60).replace("~", "+") + "{{ x60 }}",
    "doubled lists": "{% set x0 = [1] %}" + doubling(60).replace("~", "+") + "{{ x60 | length }}",
    "nested lists": "{% set x0 = [1] %}"
    + "".join(f"{{% set x{i + 1} = [x{i}, x{i}] %}}" for i in range(60))
    + "{{ x60 == x59 }}",
    "nested tuples": "{% set x0 = (1, 1) %}"
    + "".join(f"{{% set x{i + 1} = (x{i}, x{i}) %}}" for i in range(60))
    + "{{ x60 == x59 }}",
    "squared numbers": "{% set x0 = 99999 %}" + doubling(60).replace("~", "*") + "{{ x60 }}",
    "padding": "{{ '%1000000000d' % 1 }}",
    "format": "{{ '{:>1000000000}'.format(1) }}",
    "centre": "{{ 'a' | center(1000000000) }}",
    "replace": "{{ ('a' ~ 'a') | replace('', name * 99) }}",
    "replace grows": "{{ ('aaaaaaaaaa' | replace('a', 'bbbbbbbbbbbbbbbb')) | replace('b', 'c' | replace('c', '"
    + "d" * 3000
    + "')) }}",
    "join": "{{ range(9000) | join('" + "x" * 100 + "') }}",
    "repeated output": "{% for a in range(3000) %}{{ name }} and some more text{% endfor %}",
    "filters in a loop": "{% for a in range(30000) %}{{ name | upper | lower | title | trim }}{% endfor %}",
    "comparisons in a loop": "{% for a in range(30000) %}{% if names == names %}{% endif %}{% endfor %}",
    "slices": "{% for a in range(5000) %}{% set b = names[0:2] %}{% endfor %}" * 20,
    "deep parentheses": "{{ " + "(" * 20_000 + "n" + ")" * 20_000 + " }}",
    "deep not": "{{ " + "not " * 15_000 + "n }}",
    "deep sums": "{{ " + "n+" * 20_000 + "n }}",
    "deep ifs": "{% if n %}" * 2_500 + "{% endif %}" * 2_500,
    "deep loops": "{% for i in names %}" * 30 + "{% endfor %}" * 30,
    "digits": "{{ " + "9" * 60_000 + " }}",
    "exponent": "{{ 1e" + "9" * 400 + " }}",
    "too long": "{{ n }}" + "x" * MAX_SOURCE,
    "long interpolation": "{{ n }}" + "x" * MAX_TEXT,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_template_is_stopped(name: str) -> None:
    """A prompt template loops without end, doubles a text 60 times, pads to a billion characters or nests 20,000
    parentheses.

    Before: without a limit, it takes hours or gigabytes.
    Now: it stops with a diagnostic after a fixed number of steps.
    """
    code, *_ = fault(HOSTILE[name])
    assert code.removeprefix("template-") in {"too-costly", "too-large", "failed", "syntax", "undefined"}


def test_steps_are_counted_not_timed() -> None:
    """The same template stops at the same place on any machine: one round of an empty loop is one step."""
    templates = Templates()
    rounds = WORK_PER_RENDER - 100
    assert templates.compile(f"{{% for a in range({rounds}) %}}{{% endfor %}}x").render({}) == "x"
    with pytest.raises(TemplateFault):
        templates.compile(f"{{% for a in range({rounds + 100}) %}}{{% endfor %}}x").render({})


@pytest.mark.parametrize(
    ("value", "work"),
    [
        ("range(5000)", "v | max"),
        ("prices.values()", "v | min"),
        ("prices.values()", "-1 in v"),
        ("prices.items()", "v == v"),
        ("text", "v is lower"),
    ],
)
def test_work_is_counted_by_the_size_of_what_is_worked_on(value: str, work: str) -> None:
    """A range, the values of a mapping and a long text are one value each, and take as long as their parts."""
    values = {"prices": {f"k{number}": number for number in range(5_000)}, "text": "a b " * 20_000}
    once = f"{{% set v = {value} %}}{{% for i in range(ROUNDS) %}}{{% if {work} %}}{{% endif %}}{{% endfor %}}"
    assert Templates().compile(once.replace("ROUNDS", "1")).render(values) == ""
    with pytest.raises(TemplateFault) as caught:
        Templates().compile(once.replace("ROUNDS", "20")).render(values)
    assert caught.value.code == "template-too-costly"


def test_budget_of_a_plan_spans_its_renders_and_is_new_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many renders that are each allowed stop together; the next plan starts afresh."""
    assert WORK_PER_PLAN == 20 * WORK_PER_RENDER
    monkeypatch.setattr(jinja_environment, "WORK_PER_PLAN", WORK_PER_PLAN // 10)
    templates = Templates()
    template = templates.compile("{% for a in range(60000) %}{% endfor %}x")

    def render_many() -> None:
        for _ in range(4):
            template.render({})

    with pytest.raises(TemplateFault) as caught:
        render_many()
    assert caught.value.code == "template-too-costly"
    templates.new_plan()
    assert template.render({}) == "x"


def test_programs_of_a_plan_are_bounded_together() -> None:
    """Compiling is slow, so that a plan may have so much of what needs it; plain names and text hardly count."""
    templates = Templates()
    filler = "x" * 60_000
    tags = "{% if n %}{% endif %}" * 1_000

    def compile_many() -> None:
        for number in range(MAX_PROGRAMS // len(tags)):
            templates.compile(f"{number}{tags}")
        templates.compile(tags)

    with pytest.raises(TemplateFault, match="all templates of a plan"):
        compile_many()
    assert isinstance(templates.compile("{{ n }}" + filler), Interpolation)
    templates.new_plan()
    templates.compile("{% if n %}{% endif %} again")


NAMES = "name|n|rate|yes|nothing|names|order|order.lines|names[0]|'x'|[1, 'a']|range(3)|name.upper|(n, name)"
ARGUMENTS = (
    "|()|(1)|('x')|(n, name)|(names)|(attribute='sku')|('upper')|('a.b', 1)|(nothing)|(-1)|(order)|(x=1)|(10000000)"
)
SOME_NAMES, SOME_ARGUMENTS = (st.sampled_from(texts.split("|")) for texts in (NAMES, ARGUMENTS))
expressions = st.recursive(
    SOME_NAMES,
    lambda inner: (
        st.builds(
            "({} {} {})".format,
            inner,
            st.sampled_from(["+", "-", "*", "/", "//", "%", "~", "<", "==", "in", "and", "is not"]),
            inner,
        )
        | st.builds("{} | {}{}".format, inner, st.sampled_from(sorted(FILTERS)), SOME_ARGUMENTS)
        | st.builds("({}) is {}".format, inner, st.sampled_from(sorted(TESTS)))
        | st.builds("({})[{}]".format, inner, inner)
        | st.builds("({}){}".format, inner, SOME_ARGUMENTS)
    ),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(expressions)
def test_no_expression_escapes(expression: str) -> None:
    """Any expression over any values gives a text or a `TemplateFault`, never another exception."""
    program = "{% for x in names %}{{ " + expression + " }}{% endfor %}{% if " + expression + " %}{% endif %}"
    for text in (program, "{{ " + expression + " }}"):
        try:
            assert isinstance(Templates().compile(text).render(VALUES), str)
        except TemplateFault as found:
            assert found.detail  # noqa: PT017 - most expressions have one
