"""OUR WORDS. Frozen dataclasses, no I/O."""
