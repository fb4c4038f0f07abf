"""`python -m opdeploy`."""

from __future__ import annotations

from opdeploy.cli import main

if __name__ == "__main__":
    main()
