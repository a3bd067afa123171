"""Images on their way into a gallery's pack, and out of it."""
