"""The entry of ``afn`` and ``python -m activation_flow``: Ctrl-C is told from the first moment."""

import sys


def main() -> None:
    """Import the command and run it."""
    try:
        from activation_flow import cli

        cli.main()
    except KeyboardInterrupt:
        print("afn: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
