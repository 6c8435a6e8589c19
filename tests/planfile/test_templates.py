"""Templates: rendered like Jinja, errors at their place, and limits that a hostile template cannot exceed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, StrictUndefined

from planner.planfile import budget
from planner.planfile.budget import Budget
from planner.planfile.jinja import FILTERS, MAX_SOURCE, MAX_TEXT, TESTS, TemplateError
from planner.planfile.templates import Templates

VALUES: dict[str, Any] = {
    "name": "Ana",
    "n": 5,
    "rate": 0.5,
    "yes": True,
    "nothing": None,
    "names": ["Ana", "Bob"],
    "order": {"number": "17", "items": 3, "lines": [{"sku": "a", "price": 2}, {"sku": "b", "price": 1}]},
}


def render(text: str, values: dict[str, Any] = VALUES) -> str:
    return Templates(Budget()).compile(text).render(values)


def error_of(text: str, values: dict[str, Any] = VALUES) -> tuple[str, str, str | None]:
    """Code, detail, and the part of the template at the reported place."""
    with pytest.raises(TemplateError) as caught:
        render(text, values)
    start, end = caught.value.start, caught.value.end
    return caught.value.code, caught.value.detail, text[start:end] if start is not None else None


TAGS = (
    "{|}|{{|}}|{ {|\r\n|%}|\n|\n\n| |{{ name }}|{{name}}|{{ order.number }}|{{- name -}}|{{ n }}|{{ order }}|{{ loop }}"
)
MORE_TAGS = "{{ name.x }}|{{ nothing }}|{{ yes }}|{{ rate }}|{{\tname }}"
pieces = st.text(max_size=8) | st.sampled_from(f"{TAGS}|{MORE_TAGS}".split("|"))


@settings(deadline=None)
@given(st.lists(pieces, max_size=8).map("".join))
def test_no_text_breaks_the_compiler(text: str) -> None:
    """Any text either renders or has an error with a place inside it."""
    try:
        template = Templates(Budget()).compile(text)
        template.render({name: VALUES.get(name, "x") for name in template.names})
    except TemplateError as found:
        start, end = found.start or 0, found.end or 0
        assert 0 <= start <= end <= len(text)


@pytest.mark.parametrize(
    "text",
    [
        "{% for x in names %}{{ loop.index }}. {{ x }}{% if not loop.last %}, {% endif %}{% endfor %}",
        "{% if n > 3 and name in names %}big{% elif n %}small{% else %}none{% endif %}",
        "{{ names | join(', ') }} {{ names | map('upper') | join(' and ') }} {{ names | first }} {{ names | length }}",
        "{{ name | upper }} {{ name | lower }} {{ name | replace('A', 'E') | trim }}",
        "{{ -1 }} {{ n if n else 0 }} {{ name[0] }} {{ names[-1] }} {{ missing | default('d') }}",
        "{{ names | sort | last }} {% if name in ['Ana', 'Eva'] %}known{% endif %}",
        "{% raw %}{{ x }}{% endraw %}{# comment #}{{ order['number'] }}",
        "{% for line in order.lines | sort(attribute='price') if line.price > 1 %}{{ line.sku }}{% endfor %}",
        "{{ order.lines | map(attribute='sku') | join }} {{ order.lines | selectattr('price', 'odd') | list | length }}",
        "{% for k in order | list | sort %}{{ k }} {% endfor %}{% for k, v in order.lines[0] | items %}{{ v }}{% endfor %}",
        "{% for x in names %}{{ x }}{% endfor %}{% for x in names %}{{ x }}{% endfor %}",
        "a\n  {%- if n %} b {%- endif %}\n",
        "{% if name is defined %}1{% endif %}{% if n is odd %}1{% endif %}{% if n is divisibleby 5 %}1{% endif %}",
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
    assert error_of("{{ order.keys }}")[0] == "template-undefined"


def test_names_are_what_the_template_takes() -> None:
    """Names are those from outside, with the place of their first use; those of a loop are not among them."""
    templates = Templates(Budget())
    template = templates.compile("{{ n }} {% for x in names %}{{ x }}{{ loop.index }}{{ q.n }}{% endfor %} {{ n }}")
    assert dict(template.names) == {"n": 3, "names": 20, "q": 54}
    assert dict(templates.compile("{% for x in y %}{{ x }}{% endfor %}{{ x }}").names) == {"x": 7, "y": 12}
    assert dict(templates.compile("x {{ b.c }} {{ a }} {{ b }}").names) == {"b": 5, "a": 15}
    assert dict(templates.compile("plain").names) == {}


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("{{ order.numbr }}", "template-undefined", "numbr"),
        ("{% if n %}{{ order.numbr }}{% endif %}", "template-undefined", "numbr"),
        ("a\n{% if n %}\n{{ order.lines[7].sku }}{% endif %}", "template-undefined", "7"),
        ("a\r\n\r\n{{ n }} {{ order.numbr }}", "template-undefined", "numbr"),
        ("{{ names }}", "template-failed", "{{ names }}"),
        ("{{ n }} {{ order }}", "template-failed", "{{ n }} {{ order }}"),
        ("{{ nothing }}", "template-failed", "{{ nothing }}"),
        ("{{ name.upper }}", "template-undefined", "upper"),
        ("{{ n.real }}", "template-undefined", "real"),
        ("{{ n.__class__ }}", "template-forbidden", "__class__"),
        ("{{ n['__class__'] }}", "template-undefined", "__class__"),
        ("{{ names | map(attribute='__class__') | join }}", "template-undefined", "__class__"),
        ("{{ _private }}", "template-forbidden", "_private"),
        ("{{ self | list }}", "template-forbidden", "self"),
        ("{{ 'x'.format(1) }}", "template-forbidden", "{{ 'x'.format(1) }}"),
        ("{{ order.items() }}", "template-forbidden", "{{ order.items() }}"),
        ("{{ range(3) }}", "template-forbidden", "{{ range(3) }}"),
        ("{{ n / 0 }}", "template-forbidden", "{{ n / 0 }}"),
        ("{{ -n }}", "template-forbidden", "{{ -n }}"),
        ("{{ 'a' ~ name }}", "template-forbidden", "{{ 'a' ~ name }}"),
        ("{{ n ** 2 }}", "template-forbidden", "{{ n ** 2 }}"),
        ("{{ name[1:] }}", "template-forbidden", "{{ name[1:] }}"),
        ("{{ [names | list, n] }}", "template-forbidden", "{{ [names | list, n] }}"),
        ("{{ n | default(names | list) }}", "template-forbidden", "default"),
        ("{{ n | default(*names) }}", "template-forbidden", "default"),
        ("{{ {'a': 1} }}", "template-forbidden", "{{ {'a': 1} }}"),
        ("{% set q = n %}", "template-forbidden", "{% set q = n %}"),
        ("{% macro m() %}{% endmacro %}", "template-forbidden", "{% macro m() %}{% endmacro %}"),
        ("x\n{% include 'y' %}", "template-forbidden", "{% include 'y' %}"),
        ("{% import 'y' as z %}", "template-forbidden", "{% import 'y' as z %}"),
        ("{% extends 'y' %}", "template-forbidden", "{% extends 'y' %}"),
        ("{% filter upper %}{% endfilter %}", "template-forbidden", "{% filter upper %}{% endfilter %}"),
        ("{% autoescape true %}{% endautoescape %}", "template-forbidden", "{% autoescape true %}{% endautoescape %}"),
        ("{% for x in names recursive %}\n{% endfor %}", "template-forbidden", "{% for x in names recursive %}"),
        (
            "{% for x in names %}\n{% for y in x %}\n{% endfor %}{% endfor %}",
            "template-forbidden",
            "{% for y in x %}",
        ),
        ("{{ name | attr('x') }}", "template-syntax", "attr"),
        ("{% if nothing %}{{ name | uper }}{% endif %}", "template-syntax", "uper"),
        ("{{ n is od }}", "template-syntax", "od"),
        ("{{ n < name }}", "template-failed", "{{ n < name }}"),
        ("{% for x in n %}\n{% endfor %}", "template-failed", "{% for x in n %}"),
        ("{{ n", "template-syntax", "{{ n"),
        ("{{ n }} {{ n > }} {{ n < }}", "template-syntax", "{{ n > }}"),
        ("{{ n }} {{ name } {{ n }}", "template-syntax", "{{ name } "),
        ("a\n{% for x in names %}", "template-syntax", "{% for x in names %}"),
        ("{% endfor %}", "template-syntax", "{% endfor %}"),
        ("{{ 'x }}", "template-syntax", "{{ 'x }}"),
        ("{# x", "template-syntax", "{# x"),
        ("{{ names | map('uper') | join }}", "template-failed", "uper"),
        ("{{ name | truncate('x') }}", "template-failed", "{{ name | truncate('x') }}"),
    ],
)
def test_place_of_an_error(text: str, code: str, part: str | None) -> None:
    """The place is the word that is wrong, or else the tags of its line."""
    found, _, place = error_of(text)
    assert (found, place) == (code, part)


MANY = list(range(200_000))
LONG = {"v": "x" * MAX_TEXT, "many": MANY, "text": "a b " * 5_000_000}
HOSTILE = {
    "loops in loops": "{% for a in many %}{% for b in many %}{% endfor %}{% endfor %}",
    "a range of a billion": "{{ range(1000000000) | list | length }}",
    "multiplied text": "{{ 'a' * 1000000000 }}",
    "doubled text": "{{ v ~ v }}",
    "padding": "{{ '%1000000000d' % 1 }}",
    "format": "{{ '{:>1000000000}'.format(1) }}",
    "centre": "{{ 'a' | center(1000000000) }}",
    "a replacement that multiplies": "{{ v | replace('x', 'xx') }}",
    "join": "{{ many | join(v) }}",
    "repeated output": "{% for a in many %}some more text{% endfor %}",
    "a long text, again and again": "{{ text | upper | lower }}",
    "many copies": "{{ [" + "many | list, " * 5_000 + "] | length }}",
    "comparisons that never end": "{% for a in many %}" + "{% if many == many %}{% endif %}" * 1_800 + "{% endfor %}",
    "a chain of comparisons": "{{ many" + " <= copy" * 6_000 + " }}",
    "filters in a loop": "{% for a in many %}{{ '' | upper | lower | title | trim }}{% endfor %}" * 900,
    "empty loops": "{% for a in many %}{% endfor %}" * 2_000,
    "deep parentheses": "{{ " + "(" * 20_000 + "v" + ")" * 20_000 + " }}",
    "deep not": "{{ " + "not " * 15_000 + "v }}",
    "filters in a row": "{{ v" + " | string" * 3_000 + " }}",
    "deep ifs": "{% if v %}" * 2_500 + "{% endif %}" * 2_500,
    "digits": "{{ " + "9" * 60_000 + " }}",
    "too long": "{{ v }}" + "x" * MAX_SOURCE,
    "too long a text": "{{ v }}x",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_template_is_stopped(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt template loops without end, multiplies a string, pads to a billion characters or nests 20,000 parentheses.

    Before: without a limit, it takes hours or gigabytes.
    Now: loops in loops and arithmetic are refused, and each file's templates have three seconds together.
    """
    monkeypatch.setattr(budget, "MAX_SECONDS", 0.2)
    code, *_ = error_of(HOSTILE[name], LONG | {"copy": [float(each) for each in MANY]})
    assert code.removeprefix("template-") in {"takes-too-long", "too-large", "forbidden", "syntax"}


class CountingBudget(Budget):
    """Never exhausted; counts how often it is asked."""

    asked = 0

    @property
    def exhausted(self) -> bool:
        self.asked += 1
        return False


@pytest.mark.parametrize(
    "text",
    [
        "{% for x in hundred %}{% endfor %}",
        "{{ n" + " <= n" * 100 + " }}",
        "{{ n" + " | abs" * 100 + " }}",
        "{{ n is odd" + " and n is odd" * 99 + " }}",
        "{{ hundred | map('abs') | list | length }}",
        "{{ hundred | join }}",
        "{{ n }}" * 100,
    ],
)
def test_every_step_checks_the_time(text: str) -> None:
    """Rounds, comparisons, filters, tests and output: none of a hundred runs without a look at the time that is left."""
    counting = CountingBudget()
    Templates(counting).compile(text).render({"n": 5, "hundred": list(range(100))})
    assert counting.asked >= 100


def test_templates_of_a_file_have_their_time_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one template used is gone for the others, also for compiling; the next file starts anew."""
    monkeypatch.setattr(budget, "MAX_SECONDS", 0.2)
    shared = Budget()
    templates = Templates(shared)
    plain = templates.compile("{{ n | upper }}")
    with pytest.raises(TemplateError, match="take too long"):
        templates.compile("{% for a in many %}{% endfor %}" * 2_000).render(LONG)
    for work in (lambda: templates.compile("{{ n }}"), lambda: plain.render({"n": "a"})):
        with pytest.raises(TemplateError) as caught:
            work()
        assert caught.value.code == "takes-too-long"
    shared.start()
    assert plain.render({"n": "a"}) == "A"


NAMES = "name|n|rate|yes|nothing|names|order|order.lines|names[0]|'x'|[1, 'a']|name.upper|(n, name)"
ARGUMENTS = (
    "|(1)|('x')|(n, name)|(names)|(attribute='sku')|('upper')|('a.b', 1)|(nothing)|(-1)|(order)|(x=1)|(10000000)"
)
SOME_NAMES, SOME_ARGUMENTS = (st.sampled_from(texts.split("|")) for texts in (NAMES, ARGUMENTS))
expressions = st.recursive(
    SOME_NAMES,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["<", "==", "in", "and", "is not", "+"]), inner)
        | st.builds("{} | {}{}".format, inner, st.sampled_from(sorted(FILTERS)), SOME_ARGUMENTS)
        | st.builds("({}) is {}".format, inner, st.sampled_from(sorted(TESTS)))
        | st.builds("({})[{}]".format, inner, SOME_NAMES)
    ),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(expressions)
def test_no_expression_escapes(expression: str) -> None:
    """Any expression over any values gives a string or a `TemplateError`, never another exception."""
    program = "{% for x in names %}{{ " + expression + " }}{% endfor %}{% if " + expression + " %}{% endif %}"
    for text in (program, "{{ " + expression + " }}"):
        try:
            assert isinstance(render(text), str)
        except TemplateError as found:
            assert found.detail  # noqa: PT017 - most expressions have one
