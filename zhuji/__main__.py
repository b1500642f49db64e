"""`python -m zhuji`."""

import sys

from zhuji.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
