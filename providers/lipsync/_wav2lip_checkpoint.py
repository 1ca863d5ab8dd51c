"""Weights from a file that somebody was given: checked before they are believed, never executed.

The released layout is ``{"state_dict": {"module.<key>": tensor}, "optimizer": ..., "global_step": ...}``; a plain
state dict and safetensors are read as well. What is in no layout of this network is refused by name.
"""

import hashlib
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from contracts.context import ModelFile
from contracts.errors import ProviderUnavailable
from providers.lipsync._wav2lip_network import Generator

MAX_BYTES = 2 * 2**30  # the released files have 146 and 436 MB
PREFIX = "module."
COUNTER = "num_batches_tracked"  # BatchNorm's own, of no use here; some exports leave it out

State = dict[str, Tensor]


def load_generator(model: ModelFile) -> Generator:
    """The generator with the weights of ``model``, float32, in eval mode; they may still lie in the mapped file.

    Raises:
        ProviderUnavailable: no file, another digest than the tool registry's, damaged, of another layout, or holding
            more than tensors. The message names the file and what to do.
    """
    _check_file(model)
    with torch.device("meta"):
        generator = Generator()  # shapes only: memory comes with the file's tensors
    try:
        generator.load_state_dict(_matching(_read(model.path), generator, model.path), assign=True)
    except (OSError, MemoryError) as error:
        raise ProviderUnavailable(f"expected the weights in {model.path}, got {error}") from error
    return generator.eval()


def _check_file(model: ModelFile) -> None:
    path = model.path
    if not path.is_file():
        raise ProviderUnavailable(f"expected the weights in {path}, found no file; put it there")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ProviderUnavailable(f"expected weights of at most {MAX_BYTES >> 20} MiB in {path}, got {size >> 20} MiB")
    if model.sha256 is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != model.sha256:
        raise ProviderUnavailable(
            f"expected the file {path} with SHA-256 {model.sha256}, got one with {found}; put the file there that the "
            "tool registry names, or change sha256 under models: if you trust this one"
        )


def _read(path: Path) -> object:
    """What the file holds: tensors and plain values only.

    Raises:
        ProviderUnavailable: it cannot be read, or would run code.
    """
    try:
        if _is_safetensors(path):
            return load_file(path)
        # Written out: no default of torch and no environment variable shall decide whether a file may run code.
        return torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise _damaged(path, error) from error
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error) or "Unsupported global" in str(error):
            raise ProviderUnavailable(
                f"expected tensors only in {path}, got a file that would run code when it is opened; nothing was run: "
                "get it from where it was published"
            ) from error
        raise _damaged(path, error) from error
    except (RuntimeError, EOFError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise _damaged(path, error) from error
    except (struct.error, zipfile.BadZipFile, AssertionError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ProviderUnavailable:
    """Without torch's own words for a pickle that it refuses: they advise to open it unsafely."""
    words = "" if isinstance(error, pickle.UnpicklingError) else f": {(str(error).splitlines() or [''])[0][:160]}"
    return ProviderUnavailable(
        f"expected whole weights in {path}, got a file that cannot be read ({type(error).__name__}{words}); "
        "copy it again"
    )


def _is_safetensors(path: Path) -> bool:
    """Eight bytes of length, then a JSON object: neither a zip nor a pickle begins like that."""
    with path.open("rb") as file:
        head = file.read(9)
    return head[8:] == b"{" and int.from_bytes(head[:8], "little") < MAX_BYTES


def _matching(content: object, generator: Generator, path: Path) -> State:
    """The tensors by the generator's names, float32.

    Raises:
        ProviderUnavailable: names or shapes are another network's, or a value is not finite.
    """
    expected = generator.state_dict()
    found = _tensors(content)
    missing = [key for key in expected if key not in found and not key.endswith(COUNTER)]
    unknown = [key for key in found if key not in expected]
    if missing or unknown:
        raise ProviderUnavailable(
            f"expected a Wav2Lip generator with {len(expected)} tensors in {path}, got another layout: "
            f"{len(missing)} are missing ({', '.join(missing[:2]) or 'none'}), {len(unknown)} are unknown "
            f"({', '.join(name[:60] for name in unknown[:2]) or 'none'})"
        )
    for key, tensor in found.items():
        if tensor.shape != expected[key].shape:
            raise ProviderUnavailable(
                f"expected {key} of shape {tuple(expected[key].shape)} in {path}, got {tuple(tensor.shape)}: "
                "it is another network's"
            )
        if not torch.isfinite(tensor.sum()) and not torch.isfinite(tensor).all():  # the sum alone is quick
            raise ProviderUnavailable(f"expected finite weights in {path}, got {key} with values that are not")
    return {
        key: found[key].to(value.dtype) if key in found else torch.zeros(value.shape, dtype=value.dtype)
        for key, value in expected.items()
    }


def _tensors(content: object) -> State:
    """The state dict inside, without the prefix that training on several devices left."""
    if not isinstance(content, Mapping):
        return {}
    held = cast(Mapping[str, object], content)
    inner = held.get("state_dict", held)
    if not isinstance(inner, Mapping):
        return {}
    items = cast(Mapping[str, object], inner).items()
    return {str(key).removeprefix(PREFIX): value for key, value in items if isinstance(value, Tensor)}
