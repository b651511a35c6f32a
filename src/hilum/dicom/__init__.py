"""WHAT THE STANDARD SAYS. No I/O, no product words."""
