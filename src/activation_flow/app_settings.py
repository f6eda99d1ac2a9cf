"""What the page is served with: where, to whom, which models and runs, and how much at most.

Knows no server and no model. Beyond this machine only what is listed is opened.
"""

from dataclasses import dataclass, field

from activation_flow.data import ActivationFlowError

LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much one request may ask for.

    Attributes:
        characters: of a text, or of a prompt.
        texts: in one call of the API.
        prompts: before one text.
        numbers: strengths or shifts in the answer of one call of the API.
        waiting: requests in the queue; further ones are refused.
        models: that are held open at once; the one used longest ago is closed.
    """

    characters: int = 5_000
    texts: int = 32
    prompts: int = 8
    numbers: int = 1_000_000
    waiting: int = 100
    models: int = 2

    def check_text(self, text: object, name: str) -> str:
        """A text that is not too long.

        Raises:
            ActivationFlowError: it is no text, or longer; ``name`` says which.

        >>> Bounds(characters=3).check_text("four", "text A")
        Traceback (most recent call last):
        activation_flow.data.ActivationFlowError: text A has 4 characters; this page takes up to 3
        """
        if not isinstance(text, str):
            raise ActivationFlowError(f"{name} is {type(text).__name__}, not a text")
        if len(text) > self.characters:
            raise ActivationFlowError(
                f"{name} has {len(text):,} characters; this page takes up to {self.characters:,}"
            )
        return text

    def check_numbers(self, n: int) -> None:
        """An answer that is not too long.

        Raises:
            ActivationFlowError: it holds more numbers.
        """
        if n > self.numbers:
            raise ActivationFlowError(
                f"the answer would hold {n:,} strengths or shifts; this page gives up to "
                f"{self.numbers:,}: ask for fewer layers, or for less text"
            )

    def check_many(self, n: int, most: int, noun: str) -> None:
        """Not too many of something.

        Raises:
            ActivationFlowError: there are more than ``most``.
        """
        if n > most:
            raise ActivationFlowError(f"{n:,} {noun} came; this page takes up to {most:,}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the page is served.

    Attributes:
        host: the address that it listens at.
        port: its port.
        model: the one that the page begins with.
        models: further ones that it offers; beyond this machine no others are opened.
        runs: folders of runs that it offers; beyond this machine no others are opened.
        auth: user and password; None on this machine only.
        mcp: whether its calls are offered to agents, too (Model Context Protocol).
        bounds: how much one request may ask for.
        options: of ``Encoder.from_pretrained`` for every model: precision, engine, threads ...
    """

    host: str = "127.0.0.1"
    port: int = 7860
    model: str = "bert-base-uncased"
    models: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    auth: tuple[str, str] | None = None
    mcp: bool = False
    bounds: Bounds = field(default_factory=Bounds)
    options: dict[str, object] = field(default_factory=dict[str, object])

    def __post_init__(self) -> None:
        if not self.local and self.auth is None:
            raise ActivationFlowError(
                f"--host {self.host} lets other machines in: give --auth USER:PASSWORD, too"
            )

    @property
    def local(self) -> bool:
        """Only this machine can reach it."""
        return self.host in LOCAL
