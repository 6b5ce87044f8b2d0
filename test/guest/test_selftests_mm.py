# SPDX-License-Identifier: BSD-2-Clause
"""Linux's own mm selftests (Debian's linux-source, built unmodified) beside Debian's Linux. Prints a table; each
verdict must be the one of EXPECTED, which says why where ours isn't Linux's."""

import re

import pytest

from harness import images

pytestmark = pytest.mark.slow
