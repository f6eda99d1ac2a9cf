"""The Hugging Face hub: what can be had of it, and errors a user can act on.

The only host that is ever contacted, and only for a file that is not on this machine.
"""

import os
from pathlib import Path

from activation_flow.data import ActivationFlowError

WITHOUT_NETWORK = (
    "To work without it, use --model minilm (embedded in activation-flow[minilm]) "
    "or the folder of a model that you have"
)


def download(
    name: str,
    file: str,
    *,
    revision: str | None = None,
    cache_dir: str | None = None,
    token: str | None = None,
    local_files_only: bool = False,
) -> Path:
    """A file of a model, from the hub or its cache on this machine.

    Raises:
        ActivationFlowError: it cannot be had; says why, and what to do.
    """
    no_telemetry()
    import huggingface_hub
    from huggingface_hub import errors

    at = f" at revision {revision!r}" if revision else ""
    try:
        return Path(
            huggingface_hub.hf_hub_download(
                name,
                file,
                revision=revision,
                cache_dir=cache_dir,
                token=token,
                local_files_only=local_files_only or not within_reach(),
            )
        )
    except errors.GatedRepoError as problem:
        raise ActivationFlowError(
            f"model {name!r} is gated: accept its terms on the hub and set HF_TOKEN"
        ) from problem
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as problem:
        raise ActivationFlowError(
            f"there is no model {name!r} on the hub (or it is private and HF_TOKEN is not set), "
            "and no folder of that name"
        ) from problem
    except errors.RevisionNotFoundError as problem:
        raise ActivationFlowError(f"model {name!r} has no revision {revision!r}") from problem
    except errors.LocalEntryNotFoundError as problem:
        offline = local_files_only or huggingface_hub.constants.HF_HUB_OFFLINE
        why = "the hub may not be asked (offline mode)" if offline else "the hub is out of reach"
        raise ActivationFlowError(
            f"model {name!r}{at} is not on this machine and {why}. {WITHOUT_NETWORK}"
        ) from problem
    except errors.EntryNotFoundError as problem:
        raise ActivationFlowError(
            f"{name!r} on the hub holds no {file}: not a transformers model"
        ) from problem
    except OSError as problem:  # connection errors, and the hub's own HTTP errors
        raise ActivationFlowError(
            f"model {name!r}{at} could not be fetched ({problem}). {WITHOUT_NETWORK}"
        ) from problem


def within_reach() -> bool:
    """False if the hub's name cannot be resolved; the hub's library would retry for 23 s."""
    import socket
    import urllib.parse
    import urllib.request

    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    # The proxy resolves names, not we. NO_PROXY alone names none.
    if {*urllib.request.getproxies()} - {"no"}:
        return True
    try:
        socket.getaddrinfo(urllib.parse.urlsplit(constants.ENDPOINT).hostname, 443)
    except OSError:
        return False
    return True


def no_telemetry() -> None:
    """Before the first import: no telemetry, and no request that converts pickled weights."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
