"""Python client of the Hilum gateway."""
