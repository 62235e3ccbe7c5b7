"""`python -m bmnode` is the command line."""

from bmnode.cli import main

if __name__ == "__main__":
    main()
