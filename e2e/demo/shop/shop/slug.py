"""Addresses of product pages."""

import re


def slugify(text: str) -> str:
    """Return text in lower case with runs of other characters than letters and digits turned into one dash."""
    ascii_only = text.encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", ascii_only.lower()).strip("-")
