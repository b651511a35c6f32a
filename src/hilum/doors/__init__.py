"""The doors images come in through, one file each."""
