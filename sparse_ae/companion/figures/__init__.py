"""Figures for the book's pages, made from records and crowds."""
