"""Figures of a page, made of records and crowds."""
