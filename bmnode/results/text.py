"""Texts as result objects hold them."""

from __future__ import annotations

import unicodedata

_ASCII = str.maketrans(
    {"µ": "u", "μ": "u", "σ": "sigma", "×": "x", "≥": ">=", "≤": "<=", "±": "+/-", "–": "-", "—": "-", "→": "->",
     "°": " deg", "·": ".", "‘": "'", "’": "'", "“": '"', "”": '"', "…": "..."}
)  # fmt: skip


def plain(text: str, *, limit: int | None = None) -> str:
    """The text with every letter in ASCII that has an ASCII form; letters that have none stay as they are.

    A backslash would separate values and becomes a slash. `limit` cuts to the length of the VR: so many bytes in
    UTF-8, which are never more than so many characters (dciodvfy counts bytes).
    """
    translated = text if text.isascii() else "".join(map(_letter, unicodedata.normalize("NFC", text.translate(_ASCII))))
    cleaned = translated.encode("utf-8", "replace").decode("utf-8").replace("\\", "/")
    return cleaned if limit is None else cleaned.encode()[:limit].decode("utf-8", "ignore").rstrip()


def _letter(letter: str) -> str:
    decomposed = unicodedata.normalize("NFKD", letter)
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return bare if bare.isascii() else letter
