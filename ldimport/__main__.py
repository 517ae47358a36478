"""``python -m ldimport``: the same as the command ``ldimport``."""

import sys

from ldimport.cli import main

sys.exit(main())
