"""``python -m activation_flow`` is ``afn``."""

from activation_flow.cli import main

main()
