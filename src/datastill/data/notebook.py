"""How data sets are shown in a notebook: a table of images as HTML, which needs no file and runs nothing."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from datastill.text import escaped

ROWS = 20
"""Classes that are shown."""
COLUMNS = 10
"""Images of a class that are shown."""
HEIGHT = 48
"""Pixels of the screen that a small image is enlarged to."""


def gallery(captions: Sequence[str], names: Sequence[str], rows: Iterable[Tensor]) -> str:
    """Captions and a row of images for every class, as HTML.

    Args:
        captions: Lines of text.
        names: Of all classes.
        rows: Images of the classes in turn, uint8 ``image channel height width``; only as many are read as are shown.
    """
    cells = [
        f'<tr><th style="text-align:right">{shown(name)}</th><td style="text-align:left">{_strip(images[:COLUMNS])}</td></tr>'
        for name, images in zip(names[:ROWS], rows, strict=False)
    ]
    more = [f"<p>and {len(names) - ROWS} more classes</p>"] if len(names) > ROWS else []
    return "".join([f"<p>{'<br>'.join(map(shown, captions))}</p>", "<table>", *cells, "</table>", *more])


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A caption and a table of text as HTML."""
    lines = [("th", head), *(("td", row) for row in rows)]
    body = ("".join(f"<{tag}>{shown(cell)}</{tag}>" for cell in line) for tag, line in lines)
    return f"<p>{shown(caption)}</p><table>{''.join(f'<tr>{line}</tr>' for line in body)}</table>"


def shown(text: str) -> str:
    """Text in HTML, whatever is in it."""
    return html.escape(escaped(text))


def _strip(images: Tensor) -> str:
    """Images side by side, as one picture in the page itself."""
    if not len(images):
        return ""
    gap = max(1, images.shape[2] // 16)
    spaced = F.pad(images, (0, gap), value=255)
    pixels = torch.cat(list(spaced.expand(-1, 3, -1, -1)), dim=2).permute(1, 2, 0)
    buffer = io.BytesIO()
    Image.fromarray(pixels.contiguous().numpy()).save(buffer, format="PNG")
    height = max(HEIGHT, images.shape[2])
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img style="height:{height}px;image-rendering:pixelated;max-width:none" src="data:image/png;base64,{data}">'
