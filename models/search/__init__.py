"""Nearest neighbours: indexes, which rows may be shown, and how well spaces retrieve."""
