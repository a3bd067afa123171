"""Tessera, a workbench for what self-supervised vision networks learn. An installed Python sees only this package."""
