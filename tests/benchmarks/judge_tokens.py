"""Measure what five rubrics with three votes cost in tokens: `planner run --sandbox` asks a model on a socket, which counts.

    python tests/benchmarks/judge_tokens.py --before FOLDER

FOLDER has the `planner/` of an earlier version, such as one that made a judge call for each vote.

The whole of what is sent and answered is counted, JSON Schema included, four bytes a token. An answer's tokens cost four times
as much as a prompt's. The model answers as one that follows its instructions, with a reason of usual length. It says nothing
about how well a model judges several rubrics at once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from scripted_model import Asked, completion, honest

HERE = Path(__file__).resolve()
RUBRICS = (
    "The agent stays polite, also when the caller is rude or repeats the question.",
    "The agent explains why there is a fee before it asks for a card.",
    "The agent checks the caller's identity before it reads out anything of the account.",
    "The agent answers each question of the caller, and does not answer another one instead.",
    "The agent ends the call with a summary of what was agreed.",
)
REASON = "The agent apologises at once and keeps a friendly tone throughout the call."
BYTES_A_TOKEN = 4
ANSWER_PRICE = 4
TURNS = (4, 12, 40)
SAID = (
    "I am sorry to hear that. Let me look up the order, could you please give me its number?",
    "I was charged twice for the same order, and nobody has called me back about it since last Tuesday.",
)


def world_of(turns: int) -> dict[str, object]:
    """A world in which every call has so many turns."""
    said = [{("agent", "caller")[at % 2]: SAID[at % 2]} for at in range(turns)]
    dialogues = {"hours-of-a-day": None, "hours": None, "any": {"prompt": ".*", "turns": said}}
    return {
        "extends": "demo",
        "version": 1,
        "world": "long",
        "time_scale": 600,
        "agents": {12: {"dialogues": dialogues}},
    }


class Tokens(NamedTuple):
    requests: int = 0
    read: int = 0
    written: int = 0

    @property
    def total(self) -> int:
        return self.read + self.written

    @property
    def price(self) -> int:
        return self.read + ANSWER_PRICE * self.written


class Counter(ThreadingHTTPServer):
    """A model on loopback that counts."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.counted: list[tuple[int, int]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def tokens(self) -> Tokens:
        read, written = (sum(each) // BYTES_A_TOKEN for each in zip(*self.counted, strict=True))
        return Tokens(len(self.counted), read, written)


class Handler(BaseHTTPRequestHandler):
    server: Counter  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        self.send({"data": []})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = honest(Asked(json.loads(body), {}, self.path)).replace("So it is.", REASON)
        self.server.counted.append((len(body), len(answer)))
        self.send(completion(answer))

    def send(self, document: object) -> None:
        data = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


def measure(checkout: Path, turns: int, rubrics: int, votes: int) -> Tokens:
    """What one call in the sandbox costs, judged by the planner in `checkout`."""
    server = Counter()
    expect = [{"check": "judge", "id": f"r{at}", "rubric": RUBRICS[at], "votes": votes} for at in range(rubrics)]
    scenario = {"prompt": "You were charged twice. Ask for your money.", "expect": expect}
    plan = {"version": 1, "plan": "tokens", "targets": {"clinic": {"agent": 12}}, "scenarios": {"one": scenario}}
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    project = {"judge": {"base_url": url, "model": "counting-1", "cents_per_vote": 0}}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "plans").mkdir()
        (root / "plans" / "tokens.yaml").write_text(json.dumps(plan), encoding="utf-8")
        (root / "long.yaml").write_text(json.dumps(world_of(turns)), encoding="utf-8")
        (root / "planner.yaml").write_text(json.dumps(project), encoding="utf-8")
        environ = {**os.environ, "PYTHONPATH": str(checkout)}
        command = [sys.executable, "-m", "planner", "run", "--sandbox", "--world", "long.yaml"]
        command += ["--consent-to-charge", "--max-cost", "10.00"]
        ran = subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, check=False)
    server.shutdown()
    server.server_close()
    if ran.returncode not in (0, 1) or not server.counted:
        raise SystemExit(f"planner ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}")
    return server.tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--before", type=Path, required=True, help="a folder with an earlier planner/")
    parser.add_argument("--votes", type=int, default=3)
    options = parser.parse_args()
    print(
        "| turns | rubrics | requests | tokens | share of the tokens | share of the price |\n|---|---|---|---|---|---|"
    )
    for turns in TURNS:
        for rubrics in (1, 2, 5):
            old = measure(options.before.resolve(), turns, rubrics, options.votes)
            new = measure(HERE.parents[2], turns, rubrics, options.votes)
            shares = f"{new.total / old.total:.0%} | {new.price / old.price:.0%}"
            tokens = f"{old.total:,} → {new.total:,}"
            print(f"| {turns} | {rubrics} | {old.requests} → {new.requests} | {tokens} | {shares} |")


if __name__ == "__main__":
    main()
