"""Words around amounts of money; see `planner.checks.spoken_items`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

CURRENCIES = {
    **dict.fromkeys(("$", "usd", "dollar", "dollars", "bucks", "buck"), "dollar"),
    **dict.fromkeys(("€", "eur", "euro", "euros"), "euro"),
    **dict.fromkeys(("£", "gbp", "pound", "pounds", "quid"), "pound"),
    **dict.fromkeys(("¥", "jpy", "yen"), "yen"),
    **dict.fromkeys(("₹", "inr", "rupee", "rupees"), "rupee"),
}
BEFORE_AMOUNT = frozenset({"$", "usd", "€", "eur", "£", "gbp", "¥", "jpy", "₹", "inr"})
AFTER_AMOUNT = frozenset({"for", "and", "please", "per", "each", "in", "to", "today", "now", "with", "plus", "is"})
HUNDREDTHS = {"cent": "cent", "cents": "cent", "¢": "cent", "penny": "penny", "pence": "penny", "p": "penny"}
HUNDREDTH_OF = {"dollar": "cent", "euro": "cent", "pound": "penny"}
HALVED = frozenset({"second", "minute", "hour", "day", "week", "month", "year", "mile", "dozen", "million", "thousand"})
"""After `two dollars and a half` where that is half of something else."""
MAGNITUDES = {"k": 10**3, "m": 10**6, "b": 10**9, "bn": 10**9}
"""Of amounts alone: `$5k`; without a currency they may be anything."""
ONE_OF = frozenset({"dollar", "buck", "euro", "pound", "quid", "yen", "rupee"})
"""After `a`: one of them."""
NO_AMOUNT = frozenset(
    {"amount", "amounts", "store", "stores", "sign", "signs", "value", "figure", "menu", "limit", "cap"}
)
"""After `a dollar` where that is no amount: `a dollar sign`."""
AFTER_FEW_CENTS = frozenset({"please", "each", "plus", "total", "today", "now"})
"""After `five` of `a dollar five`; anything else it may be so many of, or the first of a range."""
AFTER_GRAND = frozenset({"is", "was", "plus", "as", "this", "has"})
"""Of what ends in an `s`, what may follow `five grand`, which are then no pianos."""
AFTER_A_GRAND = frozenset({"for", "or", "per", "each", "please", "today", "now", "plus"})
"""After `a grand`, which may be much else."""
BEFORE_POINT = frozenset(
    {
        "",
        "is",
        "it's",
        "was",
        "be",
        "of",
        "by",
        "at",
        "to",
        "about",
        "around",
        "only",
        "just",
        "and",
        "or",
        "than",
        "over",
        "under",
        "with",
    }
)
"""Before `point five percent`: of `at this point five percent` it is five."""
PARTS = {"half": Decimal("0.5"), "quarter": Decimal("0.25"), "tenth": Decimal("0.1")}
"""Of `a percent`."""
NO_CENTS = frozenset({"people", "percent", "%", "am", "pm", "o'clock", "per"})
"""After `a dollar fifty` where fifty are something else. What ends in an `s` is, too."""


def beside_currency(words: Sequence[str], place: int) -> bool:
    """Whether what stands there can be an amount, as `5k` in `$5k` and `5k dollars`."""
    before, after = words[place - 1 : place], words[place + 1 : place + 2]
    return any(word.lower() in BEFORE_AMOUNT for word in before) or any(word.lower() in CURRENCIES for word in after)
