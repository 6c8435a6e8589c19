"""How many characters differ between two strings."""

from itertools import pairwise


def fewest_edits(value: str, text: str) -> int:
    """Between a value and any part of a string (Sellers' algorithm)."""
    edits = list(range(len(value) + 1))
    fewest = len(value)
    for character in text:
        column = [0]
        for place, (diagonal, above) in enumerate(pairwise(edits)):
            column.append(min(diagonal + (value[place] != character), above + 1, column[-1] + 1))
        edits = column
        fewest = min(fewest, edits[-1])
    return fewest
