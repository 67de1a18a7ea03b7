"""Run the command line as a module."""

import sys

from protech.cli import main

sys.exit(main())
