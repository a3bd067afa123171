"""Does a network count? The equation, its measures and controls, and the truth of drawn scenes."""
