"""`python -m detector` is `matchcut`."""

from detector.cli import main

if __name__ == "__main__":
    main()
