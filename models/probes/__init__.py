"""Probes of frozen layers: neighbours and linear classifiers on each layer, and the table of their scores."""
