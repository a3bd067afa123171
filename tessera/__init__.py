"""Tessera, a workbench for what self-supervised vision networks learn: all that an installed Python sees of it."""
