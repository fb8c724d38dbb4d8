"""Decode a network's maps into persons."""

from sparse_ae.decoding.people import People, decode, decode_batch

__all__ = [
    "People",
    "decode",
    "decode_batch",
]
