"""``python -m ldimport``: the same as the command ``ldimport``."""

import os
import sys

try:
    from ldimport.cli import main
except KeyboardInterrupt:
    os._exit(130)
sys.exit(main())
