"""What frozen layers know of classes: neighbours and linear classifiers on each, and their table."""
