"""Run `sparse-ae` as `python -m sparse_ae.cli`."""

import sys

from sparse_ae.cli import main

sys.exit(main())
