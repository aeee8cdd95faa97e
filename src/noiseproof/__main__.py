"""``python -m noiseproof``: the command line."""

import sys

from noiseproof.cli import main

sys.exit(main())
