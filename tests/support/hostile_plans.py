"""Repositories of hostile pull requests: each is at or beyond a bound of plans."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HEAD = """\
version: 1
plan: p
targets: {support: {agent: 12}}
"""
CALL = "defaults: {expect: [{check: call, status: completed}]}\n"
SCENARIO = "scenarios:\n  s:\n"
PLAIN = HEAD + CALL + SCENARIO + "    prompt: Ask.\n"

LIBRARY = "version: 1\nkind: library\n"
_LIKE_ANOTHER = frozenset(
    {
        "50 MB on one line",
        "a planner.yaml with 200,000 patterns",
        "comparisons of a long list, again and again",
        "one text of 15 MiB",
        "one template of 15 MiB",
        "an unclosed quote of 15 MiB",
        "990,000 values in a variable",
        "990,000 values in an axis",
        "990,000 phrases",
        "490,000 keys of a plan",
        "the same key 490,000 times",
        "ten thousand cases with 300 expectations",
        "an axis of a million lines",
        "a library of 50,000 expectations",
        "400,000 wrong rates",
        "100,000 targets that may be called",
        "5,000 patterns of 1,000 states each",
        "5,000 expressions",
        "19,000 programs",
        "a chain of comparisons of a long list",
        "the largest of a list, again and again",
        "filters of filters of filters",
        "a thousand cases of templates that work hard",
        "20,000 undefined names",
        "1,000 mistyped exclusions among 9,000 values",
        "1,000 mistyped anchors among 9,000",
        "1,000 mistyped names among 9,000 variables",
        "ten thousand cases of 30 patterns",
        "ten thousand cases of 30 expressions",
        "140 times 300 phrases, and as many unwanted",
        "16 MiB of scenarios",
        "a million values and one",
        "one key of 15 MiB",
        "ten thousand cases of 60 failing texts",
        "990,000 tags",
        "environments with 100,000 targets",
        "4,000 tags",
        "9,000 texts joined to one",
        "1,000 mistyped aliases among 9,000 targets",
        "60 patterns of 3,300 classes",
        "50,000 scenarios",
        "50 libraries with 2,000 variables each",
    }
)
MEBIBYTE = 1024 * 1024
LONG = 15 * MEBIBYTE


@dataclass(frozen=True)
class Hostile:
    """`write` fills a folder that is a repository; `codes` are those of the diagnostics that must come, none: it is valid."""

    name: str
    codes: frozenset[str]
    write: Callable[[Path], None]

    @property
    def like_another(self) -> bool:
        """Takes a second, and another does as well, for nearly the same reason."""
        return self.name in _LIKE_ANOTHER


def text(content: str | bytes, file: str = "plan.yaml") -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def with_file(plan: str, name: str, content: Callable[[], str]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text(content())
        (folder / "plan.yaml").write_text(plan)

    return write


def made(content: Callable[[], str]) -> Callable[[Path], None]:
    """Text that is made when it is wanted: all of these together would be large."""

    def write(folder: Path) -> None:
        text(content())(folder)

    return write


def expecting(*expectations: str) -> str:
    return PLAIN + "    expect:\n" + "".join(f"      - {one}\n" for one in expectations)


def prompting(prompt: str) -> str:
    return HEAD + CALL + f"vars: {{v: 5}}\nscenarios:\n  s:\n    prompt: |\n      {prompt}\n"


def looping(body: str) -> Callable[[Path], None]:
    """A loop over a long list, with this body."""
    many = f"vars: {{v: 5, many: {numbers(9_900)}}}\n"
    return text(prompting("{% for i in many %}" + body + "{% endfor %}{{ v }}").replace("vars: {v: 5}\n", many))


def numbers(count: int) -> str:
    return "[" + ", ".join(map(str, range(count))) + "]"


def matrix(axes: dict[str, str], more: str = "") -> str:
    used = " ".join(f"{{{{ {name} }}}}" for name in axes)
    written = "".join(f"        {name}: {values}\n" for name, values in axes.items())
    return HEAD + CALL + f'scenarios:\n  s:\n    prompt: "{used}"\n    matrix:\n{more}      axes:\n{written}'


def filled(size: int, part: str, start: str = PLAIN) -> str:
    """`start` and `part` again and again, up to so many characters; `c#` in it becomes `c` and its number."""
    parts = [start]
    left = size - len(start)
    number = 0
    while left > 0:
        parts.append(part.replace("c#", f"c{number}"))
        left -= len(parts[-1])
        number += 1
    return "".join(parts[:-1])


def _linked(folder: Path) -> None:
    (folder / "plan.yaml").symlink_to(__file__)


def _prompt_linked(folder: Path) -> None:
    (folder / "secret.md").symlink_to("/etc/passwd")
    (folder / "plan.yaml").write_text(HEAD + CALL + SCENARIO + "    prompt_file: secret.md\n")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "plan.yaml")


def _endless(folder: Path) -> None:
    (folder / "plan.yaml").symlink_to("/dev/zero")


def _bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 12)]
    return HEAD + "\n".join(lines) + "\n"


def _merges() -> str:
    keys = ", ".join(f"k{number}: v" for number in range(900))
    return HEAD + f"vars:\n  base: &base {{{keys}}}\n" + "".join(f"  m{n}: {{<<: *base}}\n" for n in range(1_200))


def _libraries(folder: Path) -> None:
    for number in range(50):
        (folder / f"lib{number}.yaml").write_text(
            "version: 1\nkind: library\nvars:\n" + "".join(f"  v{number}_{name}: {name}\n" for name in range(2_000))
        )
    imports = ", ".join(f"lib{number}.yaml" for number in range(50))
    (folder / "plan.yaml").write_text(PLAIN + f"imports: [{imports}]\n")


def _project(folder: Path) -> None:
    (folder / "planner.yaml").write_text(
        "version: 1\nredact:\n" + "".join(f"  - '(a{n}|b)+'\n" for n in range(200_000))
    )
    (folder / "plan.yaml").write_text(PLAIN)


def _nested(tag: str, levels: int, end: str) -> str:
    return tag * levels + "{{ v }}" + end * levels


def _many(codes: str) -> frozenset[str]:
    return frozenset(codes.split())


def hostile_plans() -> list[Hostile]:
    """Every one of them; small ones that differ in little are left to the packages' own tests."""
    wide = "{" + ", ".join(f"k{number}: {number}" for number in range(50_000)) + "}"
    deep = "[" * 10_000 + "]" * 10_000
    cel = " && ".join(["call.duration_seconds < 120.0"] * 20_000)
    return [
        Hostile(name, _many(codes), write)
        for name, codes, write in [
            # Size
            ("50 MB of scenarios", "file-too-large", made(lambda: PLAIN + "  c: {prompt: Ask.}\n" * 2_500_000)),
            ("50 MB on one line", "file-too-large", made(lambda: PLAIN + "#" + "x" * 50_000_000)),
            ("16 MiB of scenarios", "too-many-nodes", made(lambda: filled(16 * MEBIBYTE, "  c#: {prompt: Ask.}\n"))),
            ("16 MiB of comments", "", made(lambda: filled(16 * MEBIBYTE, "  # a comment that says nothing at all\n"))),
            ("one text of 15 MiB", "template-too-large", made(lambda: HEAD + CALL + SCENARIO + "    prompt: " + "x" * LONG)),
            ("one key of 15 MiB", "unknown-key", made(lambda: PLAIN + "? " + "x" * LONG + "\n: 1\n")),
            ("one template of 15 MiB", "template-too-large", made(lambda: prompting("{{ v }}" * (2 * MEBIBYTE)))),
            ("an unclosed quote of 15 MiB", "yaml-syntax", made(lambda: PLAIN + '    description: "' + "x" * LONG)),
            ("one fault at the end of a long line", "unknown-key", made(lambda: HEAD + CALL + f"scenarios: {{s: {{prompt: {'x ' * 10_000}, promt: y}}}}\n")),
            # Depth, nodes, aliases
            ("10,000 brackets", "too-much-nesting", text(PLAIN + f"vars: {{v: {deep}}}\n")),
            ("10,000 braces", "too-much-nesting", text(PLAIN + "vars: " + "{a: " * 10_000 + "}" * 10_000)),
            ("5,000 dashes", "too-much-nesting", text(PLAIN + "vars:\n  v:\n    " + "- " * 5_000 + "x\n")),
            ("a million values and one", "too-many-nodes", made(lambda: PLAIN + f"vars: {{v: {numbers(1_000_001)}}}\n")),
            ("990,000 values in a variable", "unused-variable", made(lambda: PLAIN + f"vars: {{v: {numbers(990_000)}}}\n")),
            ("990,000 values in an axis", "too-many-cases", made(lambda: matrix({"a": numbers(990_000)}))),
            ("990,000 tags", "too-many-nodes", made(lambda: PLAIN + f"tags: {numbers(990_000)}\n")),
            ("990,000 phrases", "bad-expectation", made(lambda: expecting(f"{{check: says, any_of: {numbers(990_000)}}}"))),
            ("490,000 keys of a plan", "unknown-key more-errors", made(lambda: PLAIN + "".join(f"k{n}: 1\n" for n in range(490_000)))),
            ("the same key 490,000 times", "duplicate-key", made(lambda: PLAIN + "a: 1\n" * 490_000)),
            ("an alias bomb", "too-many-nodes", text(_bomb())),
            ("merges of 900 keys, 1,200 times", "too-many-nodes", text(_merges())),
            ("10,001 anchors", "too-many-nodes", text(PLAIN + "vars:\n" + "".join(f"  v{n}: &a{n} 1\n" for n in range(10_001)))),
            ("an anchor in itself", "bad-alias unused-variable", text(PLAIN + "vars: {v: &a [*a]}\n")),
            ("a tag that Python's YAML would run", "unknown-tag unused-variable", text(PLAIN + 'vars: {v: !!python/object/apply:os.system ["id"]}\n')),
            # Matrices
            ("a million cases", "too-many-cases", text(matrix({"a": numbers(1_000), "b": numbers(1_000)}))),
            ("a million cases, all allowed", "too-many-cases", text(matrix({"a": numbers(1_000), "b": numbers(1_000)}, "      max_cases: 1000000\n"))),
            ("10 to the 200 cases", "too-many-cases", text(matrix({f"a{n}": numbers(100) for n in range(100)}))),
            ("10 to the 200 cases in pairs", "too-many-cases", text(matrix({f"a{n}": numbers(100) for n in range(100)}, "      strategy: pairwise\n"))),
            ("pairs of 60 axes, and exclusions that follow from each other", "too-many-cases", text(matrix({f"a{n}": numbers(12) for n in range(60)}, "      strategy: pairwise\n      exclude:\n" + "".join(f"        - {{a{n}: 0, a{n + 1}: 1}}\n" for n in range(59))))),
            ("ten thousand cases in pairs", "too-many-cases", text(matrix({f"a{n}": numbers(60) for n in range(12)}, "      strategy: pairwise\n      max_cases: 10000\n"))),
            ("ten thousand cases of 32 KiB", "template-too-large", text(matrix({"a": numbers(100), "b": numbers(100)}, "      max_cases: 10000\n").replace('prompt: "', 'prompt: "' + "x" * 30_000))),
            ("ten thousand cases with 300 expectations", "takes-too-long", text(matrix({"a": numbers(100), "b": numbers(100)}, "      max_cases: 10000\n") + "    expect:\n" + "".join(f'      - {{check: cost, max_cents: {n + 1}, description: "{{{{ a }}}} {{{{ b }}}}"}}\n' for n in range(299)))),
            # Encodings
            ("not UTF-8", "not-utf8", text(PLAIN.encode() + b"    description: caf\xe9\n")),
            ("UTF-16", "not-utf8", text(PLAIN.encode("utf-16"))),
            ("NUL bytes", "control-character", text(PLAIN.encode() + b"    description: a\0b\n")),
            ("16 MiB of NUL bytes", "control-character", text(b"\0" * (16 * MEBIBYTE))),
            # Files
            ("a plan that is a link out of the repository", "file-outside", _linked),
            ("a prompt that is a link out of the repository", "file-outside", _prompt_linked),
            ("a plan that is an endless device", "file-outside", _endless),
            ("a plan that is a pipe", "file-missing", _pipe),
            ("an axis of 50 MB", "file-too-large", with_file(matrix({"a": "{file: a.csv, column: c}"}), "a.csv", lambda: "c\n" + "value\n" * 8_000_000)),
            ("an axis of a million lines", "too-many-cases", with_file(matrix({"a": "{file: a.txt}"}), "a.txt", lambda: "\n".join(map(str, range(1_000_000))))),
            ("a table with a quote that is never closed", "bad-axis-file", with_file(matrix({"a": "{file: a.csv, column: c}"}), "a.csv", lambda: 'c\n"' + "value\n" * 1_000_000)),
            ("50 libraries with 2,000 variables each", "", _libraries),
            ("50,000 scenarios", "too-many-cases", made(lambda: HEAD + CALL + "scenarios:\n" + "".join(f"  c{n}: {{prompt: Ask {n}.}}\n" for n in range(50_000)))),
            ("a library of 50,000 expectations", "", with_file(PLAIN + "imports: [lib.yaml]\n", "lib.yaml", lambda: LIBRARY + "expectations:\n" + "".join(f"  e{n}: {{check: cost, max_cents: {n + 1}}}\n" for n in range(50_000)))),
            ("environments with 100,000 targets", "", with_file(PLAIN, "planner.yaml", lambda: "version: 1\nenvironments:\n  e:\n" + "".join(f"    a{n}: {{agent: {n + 1}}}\n" for n in range(100_000)))),
            ("100,000 targets that may be called", "", with_file(PLAIN, "planner.yaml", lambda: "version: 1\npolicy:\n  allowed_targets:\n" + "".join(f"    - {{agent: {n + 1}}}\n" for n in range(100_000)))),
            ("400,000 wrong rates", "too-many-nodes", with_file(PLAIN, "planner.yaml", lambda: "version: 1\nrates:\n" + "".join(f"  R{n}: -1\n" for n in range(400_000)))),
            ("a planner.yaml with 200,000 patterns", "too-many-nodes", _project),
            # Patterns and expressions
            ("a pattern that takes others exponential time", "", text(expecting("{check: never_says, matches: '(a+)+$'}", "{check: says, any_of: ['" + "a" * 5_000 + "b']}"))),
            ("a pattern of a million states", "bad-regex", text(expecting("{check: says, matches: '((a{100}){100}){100}'}"))),
            ("a pattern of 60 KiB", "bad-regex", text(expecting("{check: says, matches: '" + "(a|b)?" * 10_000 + "'}"))),
            ("4,900 groups within each other", "", text(expecting("{check: says, matches: '" + "(" * 4_900 + "a" + ")" * 4_900 + "'}"))),
            ("16,000 groups within each other", "bad-regex", text(expecting("{check: says, matches: '" + "(" * 16_000 + "a" + ")" * 16_000 + "'}"))),
            ("a pattern of 3,300 classes", "bad-regex", text(expecting("{check: says, matches: '" + r"\pL" * 3_300 + "'}"))),
            ("60 patterns of 3,300 classes", "bad-regex bad-expectation", text(expecting(*["{check: says, matches: '" + f"a{n}" + r"\pL" * 3_300 + "'}" for n in range(60)]))),
            ("100 patterns of 1,000 states each", "", text(expecting(*["{check: says, matches: '" + f"a{n}" + "[a-z]{1,50}" * 20 + "'}" for n in range(100)]))),
            ("an expression of 600 KB", "bad-expectation", text(expecting(f'{{check: expression, cel: "{cel}"}}'))),
            ("an expression of loops in loops", "bad-expectation", text(expecting('{check: expression, cel: "' + "turns.all(t, " * 20 + "true" + ")" * 20 + '"}'))),
            ("an expression of 1,000 parentheses", "bad-expectation", text(expecting('{check: expression, cel: "' + "(" * 1_000 + "true" + ")" * 1_000 + '"}'))),
            # Templates
            ("loops in loops", "template-forbidden", text(prompting("{% for a in range(99999) %}{% for b in range(99999) %}{{ v }}{% endfor %}{% endfor %}"))),
            ("a loop over a range without end", "template-forbidden", text(prompting("{% for a in range(10 ** 18) %}{% endfor %}{{ v }}").replace("10 ** 18", "9" * 18))),
            ("a text of a billion letters", "template-forbidden", text(prompting('{{ "x" * 1000000000 }}{{ v }}'))),
            ("a text that doubles", "template-forbidden", text(prompting("{% set x = 'xxxxxxxx' %}" + "{% set x = x + x %}" * 40 + "{{ x }}{{ v }}"))),
            ("a list that doubles", "template-forbidden", text(prompting("{% set x = [1] %}" + "{% set x = x + x %}" * 40 + "{{ x | length }}{{ v }}"))),
            ("a number of a million digits", "template-syntax", text(prompting("{{ " + "9" * 60_000 + " }}{{ v }}"))),
            ("a power", "template-forbidden", text(prompting("{{ 9 ** 9 ** 9 ** 9 }}{{ v }}"))),
            ("3,000 nested blocks", "template-syntax", text(prompting(_nested("{% if v %}", 3_000, "{% endif %}")))),
            ("10,000 parentheses", "template-syntax", text(prompting("{{ " + "(" * 10_000 + "v" + ")" * 10_000 + " }}"))),
            ("Python's internals", "template-forbidden", text(prompting("{{ v.__class__.__mro__ }}"))),
            ("19,000 programs", "takes-too-long", text(HEAD + CALL + "vars: {v: 5}\nscenarios:\n" + "".join(f'  s{n}: {{prompt: "{{% if v == {n} %}}a{{% endif %}}b"}}\n' for n in range(19_000)))),
            ("the largest of a list, again and again", "takes-too-long", looping("{% if many | max == v %}{% endif %}")),
            ("comparisons of a long list, again and again", "takes-too-long", looping("{% if many <= many %}{% endif %}" * 100)),
            ("a chain of comparisons of a long list", "takes-too-long", looping("{% if many" + " <= many" * 3_000 + " %}{% endif %}")),
            ("a text in the middle of a billion spaces", "template-syntax", text(prompting("{{ v | center(1000000000) }}"))),
            ("a billion spaces of indentation", "template-syntax", text(prompting("{{ v | indent(1000000000) }}"))),
            ("a billion spaces by a method", "template-forbidden", text(prompting("{{ v }}{{ 'x'.ljust(1000000000) }}"))),
            ("a format of a billion spaces", "template-forbidden", text(prompting("{{ '{:>1000000000}'.format(v) }}"))),
            ("a format of a billion spaces, as Python once had it", "template-forbidden", text(prompting("{{ '%1000000000s' % v }}"))),
            ("a list of a billion", "template-forbidden", text(prompting("{{ [v] * 1000000000 }}"))),
            ("a range of a billion", "template-forbidden", text(prompting("{{ range(1000000000) | list }}{{ v }}"))),
            ("a replacement that multiplies", "template-too-large", text(prompting("{{ 'aaaaaaaa'" + " | replace('a', 'aaaaaaaa')" * 20 + " }}{{ v }}"))),
            ("a separator of 30,000 letters", "template-too-large", looping("{{ many | join('" + "x" * 30_000 + "') }}")),
            ("filters of filters of filters", "takes-too-long", looping("{{ many | map('string') | map('upper') | map('lower') | list | length }}")),
            ("copies of a long list", "template-forbidden", looping("{{ [" + "many | list, " * 4_000 + "] | length }}")),
            ("300 loops within each other", "template-syntax", text(prompting("{% for i in v %}" * 300 + "{{ v }}" + "{% endfor %}" * 300))),
            ("3,000 filters in a row", "template-syntax", text(prompting("{{ v" + " | string" * 3_000 + " }}"))),
            ("15,000 times not", "template-syntax", text(prompting("{{ " + "not " * 15_000 + "v }}"))),
            ("9,000 texts joined to one", "template-forbidden", text(prompting("{{ v" + " ~ v" * 9_000 + " }}"))),
            ("4,000 tags", "", text(prompting("{{ v | string }}" * 4_000))),
            ("Python's internals by a filter", "template-undefined", text(prompting("{{ v }}{{ ['a'] | map(attribute='__class__.__mro__') | list }}"))),
            ("a file of the machine", "template-forbidden", text(prompting("{% include '/etc/passwd' %}{{ v }}"))),
            ("a thousand cases of templates that work hard", "takes-too-long", text(matrix({"a": numbers(1_000)}, "      max_cases: 1000\n").replace('prompt: "', 'prompt: "{% for i in many %}{% endfor %}') + f"vars: {{many: {numbers(9_900)}}}\n")),
            ("16,000 tags that nothing closes", "template-syntax", text(prompting("{%" * 16_000))),
            ("10,000 tags that begin with a quote", "template-syntax", text(prompting("{{'" * 10_000))),
            # Numbers
            ("5,000 patterns of 1,000 states each", "bad-expectation", text(HEAD + "scenarios:\n" + "".join(f"  s{n}: {{prompt: Ask., expect: [{{check: says, matches: 'a{n}{'[a-z]{1,50}' * 20}'}}]}}\n" for n in range(5_000)))),
            ("ten thousand cases of 30 patterns", "bad-expectation", text(matrix({"a": numbers(100), "b": numbers(100)}, "      max_cases: 10000\n") + "    expect:\n" + "".join(f"      - {{check: says, id: x{n}, matches: 'w{n} {{{{ a }}}} {{{{ b }}}} {'[a-z]{1,50}' * 10}'}}\n" for n in range(30)))),
            ("ten thousand cases of 30 expressions", "bad-expectation", text(matrix({"a": numbers(100), "b": numbers(100)}, "      max_cases: 10000\n") + "    expect:\n" + "".join(f"      - {{check: expression, id: x{n}, cel: 'size(turns) > {{{{ a }}}}{{{{ b }}}} + {n}'}}\n" for n in range(30)))),
            ("140 times 300 phrases, and as many unwanted", "", text(expecting(*[f"{{check: {check}, id: {check[0]}{n}, any_of: [{', '.join(f'{check[0]}{n}x{i}' for i in range(300))}]}}" for n in range(140) for check in ("says", "never_says")]))),
            ("5,000 expressions", "", text(HEAD + "scenarios:\n" + "".join(f"  s{n}: {{prompt: Ask., expect: [{{check: expression, cel: 'turns.exists(t, t.text == \"{n}\") && call.duration_seconds < {n}.5'}}]}}\n" for n in range(5_000)))),
            ("a number of a million digits in YAML", "bad-number unused-variable", text(PLAIN + f"vars: {{v: {'9' * 1_000_000}}}\n")),
            ("an exponent without end", "bad-number unused-variable", text(PLAIN + "vars: {v: 1e999999999}\n")),
            # Faults that look for what was meant
            ("3,000 misspelt keys among many", "more-errors unknown-key", text(HEAD + CALL + "scenarios:\n" + "".join(f"  s{n}: {{prompt: Ask., prmpt: x, expct: y, tgs: z}}\n" for n in range(3_000)))),
            ("an unknown name among 50,000 variables", "template-undefined", text(HEAD + CALL + f"vars: {wide}\n" + SCENARIO + '    prompt: "{{ k50x00 }}"\n')),
            ("1,000 mistyped aliases among 9,000 targets", "unknown-target", made(lambda: "version: 1\nplan: p\ntargets:\n" + "".join(f"  target-{n}: {{agent: {n + 1}}}\n" for n in range(9_000)) + CALL + "scenarios:\n" + "".join(f"  s{n}: {{prompt: Ask., targets: [targt-{n}]}}\n" for n in range(1_000)))),
            ("1,000 mistyped exclusions among 9,000 values", "matches-nothing more-errors", made(lambda: matrix({"a": "[" + ", ".join(f"value-{n}" for n in range(9_000)) + "]"}, "      exclude:\n" + "".join(f"        - {{a: valu-{n}}}\n" for n in range(1_001))))),
            ("1,000 mistyped anchors among 9,000", "bad-alias more-errors", made(lambda: PLAIN + "vars:\n" + "".join(f"  v{n}: &anchor-{n} 1\n" for n in range(9_000)) + "".join(f"  w{n}: *ancor-{n}\n" for n in range(1_001)))),
            ("1,000 mistyped names among 9,000 variables", "more-errors template-undefined", made(lambda: HEAD + CALL + "vars:\n" + "".join(f"  variable_{n}: 1\n" for n in range(9_000)) + "scenarios:\n" + "".join(f'  s{n}: {{prompt: "{{{{ varible_{n} }}}}"}}\n' for n in range(1_001)))),
            ("ten thousand cases of 990 merged faults, three times", "template-too-large unused-variable wrong-type", text(HEAD + CALL + f"vars: &d {{check: says, any_of: [{', '.join(['[]'] * 990)}]}}\n" + matrix({"a": numbers(100), "b": numbers(100)}, "      max_cases: 10000\n").removeprefix(HEAD + CALL) + "    expect:\n" + "".join(f"      - {{<<: *d, id: x{n}, min_pass_rate: '0.{{{{ a }}}}{{{{ b }}}}'}}\n" for n in range(3)))),
            ("ten thousand cases of 60 failing texts", "wrong-type", text(matrix({"a": numbers(100), "b": numbers(100)}, "      max_cases: 10000\n") + "    expect:\n" + "".join(f'      - {{check: says, id: x{n}, min_pass_rate: "{{{{ a }}}}{n}", any_of: [x]}}\n' for n in range(60)))),
            ("20,000 undefined names", "more-errors template-undefined", text(HEAD + CALL + "scenarios:\n" + "".join(f'  s{n}: {{prompt: "{{{{ n{n} }}}}"}}\n' for n in range(20_000)))),
        ]
    ]  # fmt: skip
