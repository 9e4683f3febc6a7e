"""The description of a method in a few words: its terms, its networks, how its pixels move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def terms(method: Mapping[str, Any]) -> str:
    """Every term with its values."""
    return "; ".join(
        " ".join([name, *(f"{key}={value}" for key, value in term.items() if key != "class")])
        for name, term in method.get("terms", {}).items()
    )


def pixels(method: Mapping[str, Any]) -> str:
    """How the pixels move, and what an image stands for, where it is not one; nothing for a method that moves none."""
    if "learning_rate" not in method:
        return ""
    found = [f"rate {method['learning_rate']}", *([f"momentum {method['momentum']}"] if "momentum" in method else [])]
    found += [f"{name} {method[name]}" for name in ("averaging", "factor", "views") if method.get(name, 1) not in (0, 1)]
    found += [f"augmentation {method['augmentation']}"] if method.get("augmentation", "dsa") != "dsa" else []
    return ", ".join([*found, *(["by class"] if method.get("by_class") else []), *(["box"] if method.get("pixels") == "box" else [])])


def networks(method: Mapping[str, Any], checksums: Mapping[str, str]) -> str:
    """Every encoder with the numbers that are not its default's, and which pretrained networks it read."""
    return "; ".join(_encoder(name, encoder, checksums) for name, encoder in _encoders(method).items())


def _encoders(method: Mapping[str, Any]) -> Mapping[str, Any]:
    """The encoders of a method by name, and its experts; the network that real images are chosen by is a pool of one."""
    encoders = method.get("encoders") or {}
    if "experts" in method:
        recipe = {**method["recipe"], "epochs": method["latest_start"] - 1 + method["expert_epochs"]}
        return {"expert": {"count": method["experts"], "network": method["network"], "recipe": recipe}, **encoders}
    return encoders or ({"pretrained": {"count": 1, **method}} if "recipe" in method else {})


def _encoder(name: str, encoder: Mapping[str, Any], checksums: Mapping[str, str]) -> str:
    if "recipe" in encoder:
        read = ", ".join(checksums[key][:8] for key in sorted(checksums) if key.startswith(f"{name} "))
        described = f"{encoder['count']} x {encoder['network']}, {encoder['recipe']['epochs']} epochs" + (f" ({read})" if read else "")
    else:
        kind = encoder["class"].rpartition(".")[2]
        numbers = ("push_every", "trained", "steps", "judged", "passes", "query")
        described = " ".join([kind, encoder["network"], *(f"{key}={encoder[key]}" for key in numbers if key in encoder)])
    rarely = [f"{key}={encoder[key]}" for key, usual in (("every", 1), ("most", 0)) if encoder.get(key, usual) != usual]
    return f"{name}: {' '.join([described, *rarely])}"
