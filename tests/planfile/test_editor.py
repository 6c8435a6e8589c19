"""What VS Code's YAML extension offers in a plan: its language server, driven as the editor drives it.

The server is no part of the development environment: `.ci/run` installs it, and CONTRIBUTING.md says how to.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_SECONDS

from planner.checks import CHECKS
from planner.planfile.grammar.schema import plan_schema

SERVER = Path(os.environ.get("PLANNER_NODE_MODULES", "node_modules"), "yaml-language-server/bin/yaml-language-server")

pytestmark = pytest.mark.skipif(
    not SERVER.is_file() or shutil.which("node") is None,
    reason="needs node, and PLANNER_NODE_MODULES with yaml-language-server in it",
)

HEAD = """\
version: 1
plan: p
targets: {a: {agent: 1}}
scenarios:
  s:
    prompt: Say hello.
    expect:
"""


class Editor:
    """A minimal client of the server. `|` in a text is the cursor."""

    def __init__(self, schema: Path) -> None:
        self._process = subprocess.Popen(
            ["node", str(SERVER), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._settings = {"schemas": {schema.as_uri(): ["*.yaml"]}, "validate": True, "schemaStore": {"enable": False}}
        self._requests = 0
        self._files = 0
        self._complaints: dict[str, list[str]] = {}
        capabilities = {
            "textDocument": {"hover": {"contentFormat": ["markdown"]}},
            "workspace": {"configuration": True},
        }
        self._ask("initialize", {"processId": None, "rootUri": None, "capabilities": capabilities})
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": {"yaml": self._settings}})
        self.offered("|")  # the first question is answered before the schema is read

    def offered(self, text: str) -> list[str]:
        """The labels of what can be completed."""
        found = self._ask("textDocument/completion", self._at_cursor(text))
        return [item["label"] for item in found["items"]]

    def hovered(self, text: str) -> str:
        """What is shown for the word under the cursor."""
        return self._ask("textDocument/hover", self._at_cursor(text))["contents"]["value"]

    def complaints(self, text: str) -> list[str]:
        """What is underlined, with the line."""
        uri = self._opened(text)
        while uri not in self._complaints:
            self._read()
        return self._complaints[uri]

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=PATIENCE_SECONDS)

    def _at_cursor(self, text: str) -> dict[str, Any]:
        before, _, after = text.partition("|")
        *lines, last = before.split("\n")
        uri = self._opened(before + after)
        return {"textDocument": {"uri": uri}, "position": {"line": len(lines), "character": len(last)}}

    def _opened(self, text: str) -> str:
        self._files += 1
        uri = f"file:///plans/{self._files}.yaml"
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        return uri

    def _ask(self, method: str, parameters: dict[str, Any]) -> Any:
        self._requests += 1
        number = self._requests
        self._send({"id": number, "method": method, "params": parameters})
        while (answer := self._read()).get("id") != number or "method" in answer:
            pass
        return answer["result"]

    def _tell(self, method: str, parameters: dict[str, Any]) -> None:
        self._send({"method": method, "params": parameters})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        """One message; questions of the server are answered."""
        assert self._process.stdout is not None
        length = 0
        while header := self._process.stdout.readline().strip():
            name, _, value = header.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        if message.get("method") == "workspace/configuration":
            wanted = [item.get("section") for item in message["params"]["items"]]
            result = [self._settings if section == "yaml" else {} for section in wanted]
            self._send({"id": message["id"], "result": result})
        elif "method" in message and "id" in message:
            self._send({"id": message["id"], "result": None})
        elif message.get("method") == "textDocument/publishDiagnostics":
            parameters = message["params"]
            self._complaints[parameters["uri"]] = [
                f"{item['range']['start']['line'] + 1}: {item['message']}" for item in parameters["diagnostics"]
            ]
        return message


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Generator[Editor]:
    schema = tmp_path_factory.mktemp("schemas") / "plan.schema.json"
    schema.write_text(json.dumps(plan_schema()), encoding="utf-8")
    editor = Editor(schema)
    yield editor
    editor.close()


def fields(name: str) -> list[str]:
    return [field for field in plan_schema()["$defs"][f"check-{name}"]["properties"] if field != "check"]


def test_keys_of_each_place_are_offered(editor: Editor) -> None:
    """At the top, in a scenario, in a target: the keys that belong there, all of them and no others."""
    schema = plan_schema()
    top = editor.offered("version: 1\n|\n")
    assert {*schema["properties"]} - {"version"} <= {*top}
    scenario = editor.offered("version: 1\nscenarios:\n  s:\n    |\n")
    assert sorted(scenario) == sorted(schema["$defs"]["ScenarioFields"]["properties"])
    assert editor.offered("version: 1\ntargets:\n  a:\n    |\nscenarios: {}\n") == ["agent", "phone_number"]


def test_an_expectation_begins_with_its_kind(editor: Editor) -> None:
    """A new item is offered `check`, or `use`, and none of the fields that depend on it."""
    assert {*editor.offered(HEAD + "      - |\n")} - {"Expectation"} == {"check", "use"}
    assert editor.offered(HEAD + "      - check: |\n") == list(CHECKS)


@pytest.mark.parametrize("name", list(CHECKS))
def test_a_check_offers_its_own_fields(editor: Editor, name: str) -> None:
    """After `check: says` come the fields of says: in a list of expectations, and inside a combinator."""
    offered = editor.offered(HEAD + f"      - check: {name}\n        |\n")
    assert [label for label in offered if label in fields(name)] == fields(name)
    assert {*offered} - {*fields(name)} <= {name}  # the item that inserts what is required
    inside = editor.offered(HEAD + f"      - check: any_of\n        of:\n          - check: {name}\n            |\n")
    assert {*inside} - {name} == {*fields(name)} - {name}


def test_choices_are_offered_and_explained(editor: Editor) -> None:
    """Words to choose from, and what a key and each word mean when the mouse rests on it."""
    assert editor.offered(HEAD + "      - check: says\n        severity: |\n") == ["error", "critical", "warning"]
    hovered = editor.hovered(HEAD + "      - che|ck: says\n        any_of: [hello]\n")
    assert "* `never_says`: Somebody, by default the agent, does not say something." in hovered
    hovered = editor.hovered("version: 1\nscenarios:\n  s:\n    ru|ns: 3\n")
    assert "Calls per case." in hovered


def test_faults_are_underlined_where_they_are(editor: Editor) -> None:
    """A fault in a check is said as that, not as "matches none of twelve alternatives"."""
    assert editor.complaints(HEAD + "      - check: says\n        any_of: [hello]\n") == []
    assert editor.complaints(HEAD + "      - check: says\n        any_off: [hello]\n") == [
        "9: Property any_off is not allowed."
    ]
    (complaint,) = editor.complaints(HEAD + "      - check: sais\n        any_of: [hello]\n")
    assert complaint.startswith('8: Value is not accepted. Valid values: "says", "never_says"')
    assert editor.complaints(HEAD + "      - check: tool_called\n") == ['8: Missing property "name".']
