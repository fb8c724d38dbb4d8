"""Likewise in the dark: a file of its own, so that another core can look."""

from test_book_for_all import axe, serious_faults

__all__ = ["axe"]  # a fixture


def test_no_page_has_a_serious_accessibility_fault_in_the_dark(browser, book, axe):
    assert serious_faults(browser, book, axe, "dark") == []
