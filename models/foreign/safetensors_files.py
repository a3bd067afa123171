"""Files in the safetensors format: tensors mapped from the file, and the text its header carries."""

from safetensors import SafetensorError, safe_open
from torch import Tensor

from models.foreign.opening import OpenFile
from models.foreign.weights import UnreadableWeights


def read(file: OpenFile) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name, and the header's metadata. Raises UnreadableWeights."""
    try:
        with safe_open(file.path, framework="pt", device="cpu") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}, dict(opened.metadata() or {})  # noqa: SIM118
    except MemoryError:
        raise
    except (SafetensorError, OSError, ValueError, RuntimeError, AttributeError, TypeError) as error:
        why = str(error).removeprefix("Error while deserializing header: ")[:120]
        plain = "".join(character for character in why if character.isprintable())
        raise UnreadableWeights(
            "bad_safetensors", f"The safetensors file is damaged or was cut off ({plain}); fetch or save it again."
        ) from None
