"""python -m hilum: the same as the command `hilum`."""

import sys

from hilum.cli import main

if __name__ == "__main__":
    sys.exit(main())
