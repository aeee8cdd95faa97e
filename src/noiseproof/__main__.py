"""``python -m noiseproof``: the command line."""

import sys

from noiseproof.cli import main

if __name__ == "__main__":  # processes that others spawn import this
    sys.exit(main())
