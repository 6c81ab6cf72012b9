"""`make bench`: every benchmark, its figures as a table and as JSON; 1 when one of them breaks its limits."""

from __future__ import annotations

import sys

from tests.bench import main_job

if __name__ == "__main__":
    sys.exit(main_job.main(sys.argv[1:]))
