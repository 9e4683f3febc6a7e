"""Sending a set to the hub and loading it by name, against a stand-in of the hub's interface on this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
import yaml

import datastill
from commands import refusal
from datastill import DistilledSet, UserError
from datastill.cli import main
from tiny_sets import distilled_set, same_bits, soft_set

NAME = "somebody/tiny-distilled"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """The part of the hub's interface that pushing and loading need. It takes every file in the commit itself."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.files: dict[str, bytes] = {}
        self.made: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.refuses = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(f"POST {self.path}")
        if self.server.refuses:
            self.answer({"error": "You do not own this"}, self.server.refuses)
        elif self.path == "/api/repos/create":
            self.server.made.append(json.loads(body))
            self.answer({"url": f"{self.server.address}/datasets/{NAME}"})
        elif self.path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif self.path.endswith("/preupload/main"):
            files = json.loads(body)["files"]
            self.answer({"files": [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in files]})
        elif self.path.endswith("/commit/main"):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "deletedFile":
                    del self.server.files[line["value"]["path"]]
            self.answer({"commitUrl": f"{self.server.address}/datasets/{NAME}/commit/{COMMIT}", "commitOid": COMMIT})
        else:
            self.answer({}, 404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        resolved = re.fullmatch(rf"/datasets/{NAME}/resolve/(?:main|{COMMIT})/(.+)", self.path)
        path = self.path.partition("?")[0]
        if resolved and resolved[1] in self.server.files:
            content = self.server.files[resolved[1]]
            self.answer(content, etag=hashlib.sha256(content).hexdigest())
        elif path.startswith(f"/api/datasets/{NAME}/tree/"):
            self.answer(
                [{"type": "file", "path": name, "size": len(content), "oid": COMMIT} for name, content in self.server.files.items()]
            )
        elif path.startswith(f"/api/datasets/{NAME}"):
            self.answer({"id": NAME, "sha": COMMIT, "siblings": [{"rfilename": name} for name in self.server.files]})
        else:
            self.answer({"error": "not found"}, 404)

    def answer(self, content: Any, status: int = 200, etag: str = "") -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", COMMIT)
        if etag:
            self.send_header("ETag", f'"{etag}"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def hub(tmp_path: Path, environment: Callable[[Mapping[str, object]], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    server = Hub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    environment({"HF_ENDPOINT": server.address, "HF_TOKEN": "hf_nobody", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"})
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def card(content: bytes) -> tuple[dict[str, Any], str]:
    _, metadata, page = content.decode().split("---\n", 2)
    return yaml.safe_load(metadata), page


@pytest.mark.parametrize("made", [distilled_set, soft_set])
def test_what_is_pushed_is_loaded_by_its_name(hub: Hub, made: Callable[[], DistilledSet]) -> None:
    distilled = made()
    shipment = datastill.push(distilled, NAME, licence="cc-by-4.0")
    assert hub.made[0]["type"] == "dataset"
    assert {name: len(content) for name, content in hub.files.items()} == shipment.files
    assert shipment.address == f"{hub.address}/datasets/{NAME}"
    loaded = datastill.load_set(f"hub:{NAME}")
    assert same_bits(loaded.images, distilled.images)
    assert same_bits(loaded.labels, distilled.labels)
    metadata, page = card(hub.files["README.md"])
    assert metadata["license"] == "cc-by-4.0"
    assert f'datastill.load_set("hub:{NAME}")' in page
    assert "It has not been measured." in page


@pytest.mark.parametrize("made", [distilled_set, soft_set])
def test_the_lines_of_a_pushed_card_load_the_set(hub: Hub, made: Callable[[], DistilledSet], tmp_path: Path) -> None:
    import datasets
    import huggingface_hub

    distilled = made()
    datastill.push(distilled, NAME)
    _, page = card(hub.files["README.md"])
    (block,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(block, names)
    assert same_bits(names["distilled"].images, distilled.images)
    (line,) = re.findall(r"`(datasets\.load_dataset\(.*?\))`", page)
    # What is in the repository is read as files: the library's own way there needs more of the hub than there is here.
    there = huggingface_hub.snapshot_download(NAME, repo_type="dataset", endpoint=hub.address)
    local = line.replace(f'"{NAME}"', f'"{there}", cache_dir="{tmp_path / "read"}"')
    assert local != line
    rendered = eval(local, {"datasets": datasets})
    assert rendered["label"][:] == distilled.hard_labels.tolist()
    assert np.array_equal(np.asarray(rendered[0]["image"]), distilled.pixels[0].permute(1, 2, 0).numpy())


def test_a_new_set_takes_the_place_of_an_earlier_one(hub: Hub) -> None:
    datastill.push(distilled_set(), NAME)
    before = set(hub.files)
    datastill.push(soft_set(), NAME)
    assert len([name for name in hub.files if name.endswith(".parquet")]) == 1
    assert set(hub.files) != before


def test_folders_in_the_name_of_the_data_stay_private(hub: Hub) -> None:
    distilled = distilled_set()
    datastill.push(replace(distilled, origin=replace(distilled.origin, data="folder:/home/somebody/photos@64")), NAME)
    assert not [name for name, content in hub.files.items() if b"/home/somebody" in content]
    assert datastill.load_set(f"hub:{NAME}").origin.data == "folder:photos@64"


def test_the_card_states_protocol_and_score_and_a_dry_run_sends_nothing(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    main(["distill", "digits[0-2]", "--method", "random", "--ipc", "1", "--out", run])
    main(["evaluate", run, "--repeats", "2", "--epochs", "2", "--compare", "random", "--out", f"{run}/evaluation.json"])
    accuracies = json.loads((tmp_path / "run/evaluation.json").read_text())["accuracies"]
    capsys.readouterr()
    main(["push", run, NAME, "--dry-run"])
    printed = capsys.readouterr().out
    assert "would send images.safetensors, " in printed
    row = next(line for line in printed.splitlines() if line.startswith("| `digits[0-2]` | test |"))
    assert "convnet" in row
    assert "2 epochs" in row
    assert f"{fmean(accuracies):.2f} +- " in row
    assert hub.asked == []
    main(["push", run, NAME])
    assert f"next: datastill evaluate hub:{NAME}" in capsys.readouterr().out
    main(["evaluate", f"hub:{NAME}", "--repeats", "2", "--epochs", "2", "--compare", "none", "--json"])
    assert json.loads(capsys.readouterr().out)["accuracies"] == accuracies


@pytest.mark.parametrize("name", ["tiny", "a/b/c", "a/", "/etc/passwd", "../x/y", "a b/c"])
def test_what_is_no_name_is_refused_before_anything_is_sent(
    hub: Hub, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    distilled_set().save(tmp_path / "set")
    assert "expected OWNER/NAME" in refusal(capsys, "push", str(tmp_path / "set"), name)
    with pytest.raises(UserError, match="expected OWNER/NAME"):
        datastill.load_set(f"hub:{name}")
    assert hub.asked == []


def test_mistakes_are_one_line(hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = str(distilled_set().save(tmp_path / "set"))
    assert "licence" in refusal(capsys, "push", whole, NAME, "--license", "My Licence")
    assert "no distilled set" in refusal(capsys, "push", str(tmp_path / "none"), NAME)
    assert "name a file for the picture" in _after(lambda: datastill.push(distilled_set(), NAME), capsys, "show", f"hub:{NAME}")
    assert "cannot be loaded" in refusal(capsys, "show", "hub:somebody/else", "--out", str(tmp_path / "picture.png"))
    hub.refuses = 403
    assert "the hub did not take" in refusal(capsys, "push", whole, NAME)


def _after(act: Callable[[], object], capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    act()
    capsys.readouterr()
    return refusal(capsys, *arguments)
