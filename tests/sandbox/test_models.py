"""The model engine against a small scripted endpoint on a real socket: agent, bot or both; tools, limits, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_SECONDS, until

from planner.sandbox import Sandbox, World, WorldError, load_world
from planner.sandbox.conversation import NO_DIALOGUE
from planner.sandbox.state import Event
from tests.sandbox.conftest import Bench, Clock, bench_of  # pyright: ignore[reportMissingImports]

Answer = dict[str, Any] | int | str | None
"""A message, a status, a raw body, or no answer."""
KEY = "sk-only-in-the-environment"
SCRIPTED = "Ask where your order 12345 is."


@contextmanager
def nowhere() -> Generator[str]:
    """A released port may belong to another program a moment later; a bound port without a listener refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@dataclass
class Scripted:
    """What an endpoint is asked, and answers: `play` gets the request, and as `key` who asks."""

    url: str
    play: Callable[[dict[str, Any]], Answer]
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def roles(self, number: int) -> list[str]:
        return [message["role"] for message in self.requests[number]["messages"]]


def say(text: str = "", *tools: tuple[str, dict[str, Any]], tokens: int = 50) -> dict[str, Any]:
    """A chat completion."""
    calls = [
        {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for number, (name, arguments) in enumerate(tools)
    ]
    message = {"role": "assistant", "content": text or None, **({"tool_calls": calls} if calls else {})}
    return {"choices": [{"index": 0, "message": message}], "usage": {"total_tokens": tokens}}


@contextmanager
def endpoint(play: Callable[[dict[str, Any]], Answer]) -> Generator[Scripted]:
    scripted = Scripted("", play)
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v1/chat/completions"
            scripted.requests.append(request)
            key = self.headers.get("Authorization", "")
            scripted.keys.append(key)
            answer = scripted.play({**request, "key": key})
            if answer is None:
                closing.wait()
                return
            status = answer if isinstance(answer, int) else 200
            body = answer if isinstance(answer, str) else json.dumps(answer)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  as the base class names it
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scripted.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield scripted
    finally:
        closing.set()
        server.shutdown()
        server.server_close()


def world(tmp_path: Path, url: str, *, agent: bool = False, bot: bool = False, **model: Any) -> World:
    settings = {"base_url": url, "model": "tiny", **model}
    lines = ["version: 1", "world: models", "extends: demo", f"models: {{tiny: {json.dumps(settings)}}}"]
    lines += ["agents: {14: {model: tiny}}"] if agent else []
    lines += ["bot: {model: tiny}"] if bot else []
    path = tmp_path / "models.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return load_world(path)


async def finish(bench: Bench) -> dict[str, Any]:
    """The newest run, once its models have finished. The clock only moves at the end."""
    while any(run.is_pending for run in bench.sandbox.state.runs):
        await bench.runs()
        await asyncio.sleep(0.01)
    bench.clock.talk(700)
    return (await bench.runs())[0]


@dataclass
class Played:
    """A run that was played with models, what the service shows of it, and what the endpoint was asked."""

    run: dict[str, Any]
    call: dict[str, Any]
    turns: list[dict[str, Any]]
    ledger: Any
    asked: Scripted


async def played(
    tmp_path: Path, play: Callable[[dict[str, Any]], Answer], model: dict[str, Any] | None = None, **fields: Any
) -> Played:
    """`model` says who is a model, and its settings. In the client's dialect, which shows transfers."""
    with endpoint(play) as scripted:
        async with bench_of(world(tmp_path, scripted.url, **(model or {"agent": True})), dialect="client") as bench:
            response = await bench.start(target_id=14, **({"scenario_prompt": SCRIPTED} | fields))
            assert response.status_code == 200, response.text
            run = await finish(bench)
            call = await bench.get(f"/v1/calls/{run['call_id']}")
            turns = await bench.get(f"/v1/calls/{run['call_id']}/history")
            return Played(run, call, turns, bench.sandbox.ledger(), scripted)


def order_agent(request: dict[str, Any]) -> Answer:
    """An agent that looks the order up, reports its status, and ends the call after a goodbye."""
    last = request["messages"][-1]
    if last["role"] == "tool":
        found = json.loads(last["content"])
        return say(f"It was {found['status']} {found['delivered_days_ago']} days ago. Anything else?")
    if "picks up" in last["content"] or "pick up" in last["content"]:
        return say("Larkfield Supplies, how can I help?")
    if "12345" in last["content"]:
        return say("Let me see.", ("lookup_order", {"order_id": "12345"}))
    return say("Goodbye!", ("end_call", {}))


def polite_caller(request: dict[str, Any]) -> Answer:
    heard = request["messages"][-1]["content"]
    if "days ago" in heard:
        return say("Thanks, goodbye.", ("hang_up", {}))
    return say("Hi, where is my order 12345?")


def both(request: dict[str, Any]) -> Answer:
    is_caller = request["messages"][0]["content"].startswith("You are playing the caller")
    return (polite_caller if is_caller else order_agent)(request)


async def test_a_model_as_the_agent(tmp_path: Path) -> None:
    """Its prompt is the system prompt, its tools are offered and answered as the world says, and the script bot is served."""
    made = await played(tmp_path, order_agent)
    run, call, turns, ledger = made.run, made.call, made.turns, made.ledger
    first = made.asked.requests[0]
    assert first["messages"][0]["content"].startswith("You are Maya, order support")
    assert [tool["function"]["name"] for tool in first["tools"]] == ["lookup_order", "create_return", "cancel_order", "end_call", "transfer_call"]  # fmt: skip
    assert first["tools"][0]["function"]["parameters"]["properties"] == {"order_id": {"type": "string", "description": "five digits"}}  # fmt: skip
    assert (run["status"], call["status"], call["end_reason"]) == ("completed", "completed", "agent_end")
    assert [turn["role"] for turn in turns] == ["agent", "user", "agent", "tool_call", "tool_response", "agent", "user", "agent"]  # fmt: skip
    assert turns[3]["content"] == {"name": "lookup_order", "arguments": {"order_id": "12345"}}
    assert turns[4]["content"]["item"] == "walking shoes"
    assert made.asked.roles(2) == ["system", "user", "assistant", "user", "assistant", "tool"]
    assert call["billing_total_cents"] > 0
    assert ledger["launches"][0]["cost_cents"] == ledger["runs"][0]["cost_cents"] == call["billing_total_cents"]


async def test_a_model_as_the_bot(tmp_path: Path) -> None:
    """The scenario prompt is its role; it hangs up by its tool."""
    made = await played(tmp_path, polite_caller, {"bot": True}, scenario_prompt=f"You are Ana. {SCRIPTED}")
    assert f"You are Ana. {SCRIPTED}" in made.asked.requests[0]["messages"][0]["content"]
    assert made.call["end_reason"] == "caller_hangup"
    assert made.turns[-1]["content"] == "Thanks, goodbye."


async def test_models_on_both_ends_and_the_agent_calls(tmp_path: Path) -> None:
    """Both parties are models, and the bot picks up."""
    made = await played(tmp_path, both, {"agent": True, "bot": True}, direction="inbound")
    assert made.run["status"] == "completed"
    assert made.turns[0]["role"] == "user"
    assert any("You are calling" in message["content"] for message in made.asked.requests[1]["messages"])


async def test_a_run_is_in_progress_until_its_models_have_finished(tmp_path: Path) -> None:
    """Until the models are through the run is in progress, its transcript empty and its reservation kept."""
    go_on = threading.Event()

    def slow(request: dict[str, Any]) -> Answer:
        go_on.wait(PATIENCE_SECONDS)
        return order_agent(request)

    with endpoint(slow) as scripted:
        async with bench_of(world(tmp_path, scripted.url, agent=True), dialect="client") as bench:
            await bench.start(target_id=14, scenario_prompt=SCRIPTED)
            bench.clock.advance(86_400)
            (run,) = await bench.runs()
            call = await bench.get(f"/v1/calls/{run['call_id']}")
            transcript = await bench.get(f"/v1/calls/{run['call_id']}/transcript")
            billing = await bench.get("/v1/billing")
            live = len(bench.sandbox.state.live_runs(bench.clock()))
            go_on.set()
            over = await finish(bench)
            afterwards = await bench.get("/v1/billing")
    assert (run["status"], call["status"], call["end_time"], transcript["transcripts"]) == ("in_progress", "in_progress", None, [])  # fmt: skip
    assert (live, billing["available_cash_cents"]) == (1, 50_000 - 16)
    assert (over["status"], afterwards["available_cash_cents"]) == ("completed", afterwards["balance_cents"])


async def test_the_key_comes_from_the_environment(tmp_path: Path) -> None:
    """It is sent to the endpoint and stored nowhere; without it the world cannot be used."""
    with endpoint(order_agent) as scripted:
        loaded = world(tmp_path, scripted.url, agent=True, api_key_env="TINY_KEY")
        with pytest.raises(WorldError, match="TINY_KEY, which is not set"):
            Sandbox(loaded)
        state = tmp_path / "state.jsonl"
        async with bench_of(loaded, environ={"TINY_KEY": KEY}, state_path=state) as bench:
            await bench.start(target_id=14, scenario_prompt=SCRIPTED)
            await finish(bench)
    assert set(scripted.keys) == {f"Bearer {KEY}"}
    assert KEY not in state.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("answer", "model", "reason"),
    [
        (500, {}, "answered 500"),
        (401, {}, "answered 401"),
        ("<html>", {}, "the answer is no chat completion"),
        ({"choices": []}, {}, "the answer is no chat completion"),
        (None, {"timeout_seconds": 0.2}, "no answer within 0.2 s"),
        (say("Hello.", tokens=900), {"max_tokens": 1000}, "the call's budget of 1000 tokens is used up"),
    ],
)
async def test_a_model_that_fails(tmp_path: Path, answer: Answer, model: dict[str, Any], reason: str) -> None:
    """The run fails with the reason, costs nothing, and what was said until then can be read."""
    made = await played(tmp_path, lambda _request: answer, {"agent": True, "bot": True, **model})
    assert (made.run["status"], made.call["status"], made.call["end_reason"]) == ("failed", "failed", "error")
    assert reason in made.run["error_message"]
    assert (made.ledger["total_cents"], made.call["billing_total_cents"]) == (0, 0)


async def test_an_endpoint_that_is_not_there(tmp_path: Path) -> None:
    """A server that is not running is said to be unreachable."""
    with nowhere() as url:
        async with bench_of(world(tmp_path, f"{url}/v1", agent=True)) as bench:
            await bench.start(target_id=14, scenario_prompt=SCRIPTED)
            run = await finish(bench)
            listed = await bench.get("/v1/calls?status=failed")
    assert "cannot be reached" in run["error_message"]
    assert [each["call_id"] for each in listed["results"]] == [run["call_id"]]


async def test_a_turn_limit(tmp_path: Path) -> None:
    """Two models that never end are cut off: `timeout`, and billed."""
    made = await played(tmp_path, lambda _request: say("And then?"), {"agent": True, "bot": True, "max_turns": 7})
    assert (made.call["end_reason"], len(made.turns)) == ("timeout", 7)
    assert made.call["billing_total_cents"] > 0


async def test_tools_without_end(tmp_path: Path) -> None:
    """An agent that only ever calls tools is stopped after some rounds, one it does not have is said to be unknown."""
    made = await played(tmp_path, lambda _request: say("", ("no_such_tool", {})), {"agent": True, "max_turns": 20})
    assert made.turns[1]["content"] == {"error": "unknown tool"}
    assert [entry["role"] for entry in made.turns[:12]] == ["tool_call", "tool_response"] * 6


async def test_a_bot_without_tools_hangs_up_in_words(tmp_path: Path) -> None:
    """What small models write instead of calling the tool ends the call, and is not said."""
    made = await played(tmp_path, lambda _request: say("Bye. [hangs up]"), {"bot": True})
    assert (made.turns[-1]["role"], made.turns[-1]["content"]) == ("user", "Bye.")
    assert made.call["end_reason"] == "caller_hangup"


async def test_an_agent_transfers(tmp_path: Path) -> None:
    made = await played(tmp_path, lambda _request: say("One moment.", ("transfer_call", {"number": "+14155550130"})))
    assert (made.call["end_reason"], made.call["transfer_destination"]) == ("transfer", "+14155550130")


async def test_a_silent_bot_hangs_up(tmp_path: Path) -> None:
    made = await played(tmp_path, lambda _request: say(""), {"bot": True})
    assert "user" not in {turn["role"] for turn in made.turns}
    assert made.call["end_reason"] == "caller_hangup"


@pytest.mark.parametrize("party", ["agent", "bot"])
async def test_a_scripted_party_needs_a_dialogue(tmp_path: Path, party: str) -> None:
    """Without one no model is asked, and the caller says why: the agent is not to blame."""
    made = await played(tmp_path, lambda _request: say("Hello?"), {party: True}, scenario_prompt="Sing.")
    assert NO_DIALOGUE in made.turns[1]["content"]
    assert made.asked.requests == []


async def test_a_restart_starts_the_call_again(tmp_path: Path) -> None:
    """A sandbox with the same state starts the call again; the first result counts."""
    go_on = threading.Event()

    def first_hangs(request: dict[str, Any]) -> Answer:
        if request["key"] == "Bearer stopped":
            go_on.wait(PATIENCE_SECONDS)
        return order_agent(request)

    state, clock = tmp_path / "state.jsonl", Clock()
    with endpoint(first_hangs) as scripted:
        loaded = world(tmp_path, scripted.url, agent=True, api_key_env="WHO", timeout_seconds=PATIENCE_SECONDS)
        stopped = Sandbox(loaded, now=clock, state_path=state, environ={"WHO": "stopped"})
        async with bench_of(loaded, now=clock, state_path=state, environ={"WHO": "going on"}) as bench:
            await bench.start(target_id=14, scenario_prompt=SCRIPTED)
            stopped.refresh()  # the second process plays the same call
            await finish(bench)
            ledger: Any = bench.sandbox.ledger()
            go_on.set()
            model_calls: Any = stopped._model_calls
            await until(lambda: not model_calls._ended.empty())  # its call has ended, too
            stopped.refresh()
            assert bench.sandbox.ledger() == stopped.ledger() | {"runs": ledger["runs"]}
    again = Sandbox(loaded, now=clock, state_path=state, environ={"WHO": "again"})
    assert again.ledger() == ledger
    run = again.state.run(7110)
    assert run.conversation.turns
    again.state.apply(
        Event(0, runs=(replace(run, cost_cents=0),))
    )  # as another process may have written at the same moment
    assert again.state.run(7110) == run


def test_errors_of_models_in_a_world(tmp_path: Path) -> None:
    """A model that does not exist is an error of the file, and so is a key in the file."""
    for line, reason in (
        ("agents: {14: {model: tinny}}", "agents.14.model: there is no model 'tinny'; did you mean 'tiny'?"),
        ("bot: {model: big}", "bot.model: there is no model 'big'; there is tiny"),
        ("models: {tiny: {base_url: localhost, model: m}}", "models.tiny.base_url: String should match"),
        ("models: {tiny: {base_url: 'http://x/v1', model: m, api_key: s}}", "api_key: Extra inputs are not permitted"),
    ):
        head = "" if line.startswith("models") else "models: {tiny: {base_url: 'http://x/v1', model: m}}\n"
        path = tmp_path / "wrong.yaml"
        path.write_text(f"version: 1\nworld: w\nextends: demo\n{head}{line}\n", encoding="utf-8")
        with pytest.raises(WorldError) as caught:
            load_world(path)
        assert reason in str(caught.value)
