"""stub until summary lands"""

from pathlib import Path


class Run:
    def __init__(self, path):
        self.path = Path(path)
