"""The key goes over no network as it is, unless it was said that it may."""

from __future__ import annotations

import pytest

from planner.commands.sandbox import _ready  # pyright: ignore[reportPrivateUsage]
from planner.errors import UsageError
from planner.workspace.service import check_transport_security
from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

REFUSED = (
    "planner: THUNDERPHONE_API_BASE_URL is http://10.0.0.7:8080: over http, the key could be read on its way to 10.0.0.7\n"
    "  Use https. If the key is worthless (as in a sandbox) or the network is safe, allow it: "
    "THUNDERPHONE_ALLOW_HTTP_TO=10.0.0.7\n"
)


@pytest.mark.parametrize("command", [["run", "--consent-to-charge"], ["plan"]])
def test_http_to_another_host_is_refused(command: list[str], project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configured address of the service is http, and the attacker can read the network.

    Before: the key was sent unencrypted.
    Now: exit code 2 without a connection, unless `THUNDERPHONE_ALLOW_HTTP_TO` names the host.
    """
    monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", "http://user:secret@10.0.0.7:8080/v1")
    monkeypatch.setenv("THUNDERPHONE_API_KEY", "sk_live_of_somebody")
    ran = project.planner(*command)
    assert (ran.code, ran.out, ran.err) == (2, "", REFUSED)


def test_http_may_be_allowed_for_one_host(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name, so that another address is refused as before."""
    check_transport_security("http://Mock.example.org:8080", {"THUNDERPHONE_ALLOW_HTTP_TO": "mock.EXAMPLE.org"})
    monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", "http://mock.example.org:8080")
    monkeypatch.setenv("THUNDERPHONE_API_KEY", "sk_test_commands")
    monkeypatch.setenv("THUNDERPHONE_ALLOW_HTTP_TO", "elsewhere")
    ran = project.planner("plan")
    assert ran.code == 2
    assert "THUNDERPHONE_ALLOW_HTTP_TO names another host: 'elsewhere'." in ran.err


@pytest.mark.parametrize(
    "base_url",
    ["http://127.0.0.1:80", "http://127.9.9.9", "http://localhost:8080", "http://[::1]:80", "http://api.localhost", "http://0.0.0.0:1",
     "https://10.0.0.7", "https://example.org"],
)  # fmt: skip
def test_this_machine_and_https_need_no_word(base_url: str) -> None:
    """Nobody is on the way, or nobody can read."""
    check_transport_security(base_url, {})


@pytest.mark.parametrize(
    "base_url",
    ["http://127.0.0.1.example.org", "http://localhost.example.org", "http://192.168.1.4", "http://172.17.0.2:8080", "http://127.1",
     "http://[fd00::1]", "http://[::ffff:10.0.0.1]", "HTTP://Example.ORG", "http://localhost@example.org"],
)  # fmt: skip
def test_addresses_that_only_look_local_are_refused(base_url: str) -> None:
    """And what may be is not believed to be."""
    with pytest.raises(UsageError, match="the key could be read"):
        check_transport_security(base_url, {"THUNDERPHONE_ALLOW_HTTP_TO": ""})


def test_a_proxy_on_the_way_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is another host that could read the key: also where one forgot that it is there."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.org:3128")
    with pytest.raises(UsageError) as refused:
        check_transport_security("http://127.0.0.1:8080", {})
    assert "http://127.0.0.1:8080, through the proxy proxy.example.org of HTTP_PROXY" in str(refused.value)
    assert refused.value.hint.startswith("Set NO_PROXY=127.0.0.1.")
    check_transport_security("http://127.0.0.1:8080", {"THUNDERPHONE_ALLOW_HTTP_TO": "proxy.example.org"})
    check_transport_security("https://api.example.org", {})
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    check_transport_security("http://127.0.0.1:8080", {})
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTP_PROXY", "127.0.0.1:3128")
    check_transport_security("http://127.0.0.1:8080", {})


def test_the_sandbox_says_how_it_is_reached(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Also from other machines, with all that this takes."""
    from planner.cli.system import GlobalOptions, shell

    for host in ("127.0.0.1", "10.0.0.7"):
        _ready(shell(GlobalOptions()), f"http://{host}:80")
    assert [line for line in capsys.readouterr().out.splitlines() if "export" in line] == [
        "  export THUNDERPHONE_API_BASE_URL=http://127.0.0.1:80 THUNDERPHONE_API_KEY=sk_test_sandbox",
        "  export THUNDERPHONE_API_BASE_URL=http://10.0.0.7:80 THUNDERPHONE_ALLOW_HTTP_TO=10.0.0.7 THUNDERPHONE_API_KEY=sk_test_sandbox",
    ]
