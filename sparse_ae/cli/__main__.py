"""`python -m sparse_ae.cli`: the same as `sparse-ae`."""

import sys

from sparse_ae.cli import main

sys.exit(main())
