"""`python -m inexact`."""

from inexact.cli import main

if __name__ == "__main__":
    main()
