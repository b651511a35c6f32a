"""Putting it together: settings, registry, stepping, supervising, children."""
