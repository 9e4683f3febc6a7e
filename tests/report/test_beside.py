"""A set beside real images and its own start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import datastill
from commands import TINY_RUN, refusal
from datastill import DistilledSet
from datastill.cli import main
from datastill.files import CHECKSUM, load_tensors, sealed
from datastill.report.beside import write_beside
from tiles import enlarged, places, read


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "digits"
    main(["distill", "digits", *TINY_RUN, "--validate-at", "0", "--validation-epochs", "1", "--out", str(folder)])
    main(["evaluate", str(folder), "--epochs", "1", "--repeats", "1", "--compare", "random", "--out", str(folder / "evaluation.json")])
    return folder


@pytest.mark.long
def test_the_picture_has_the_real_images_the_start_and_the_set(run: Path, tmp_path: Path) -> None:
    data = datastill.load("digits")
    write_beside(run, DistilledSet.load(run), ["real", "start"], tmp_path / "beside.png")
    picture = read(tmp_path / "beside.png")
    start = load_tensors(run / "snapshots" / "00000000.safetensors")[0]["images"]
    begun = ((start[:, 0] * data.std[0] + data.mean[0]) * 255).round().clamp(0, 255).byte().numpy()
    made = [DistilledSet.load(run).pixel_array(number) for number in range(10)]
    started, ended = ([max(places(picture, enlarged(image, 8))) for image in images] for images in (begun, made))
    columns = [x for _, x in started]
    assert columns == sorted(set(columns)) == [x for _, x in ended]  # one for every class
    assert {y for y, _ in started} == {started[0][0]}
    assert {y for y, _ in ended} == {ended[0][0]}
    assert started[0][0] + 64 < ended[0][0]
    real = {image[0].numpy().tobytes() for image in data.train.images}
    above = picture[: started[0][0], :, 0]
    seen = {above[y : y + 64 : 8, x : x + 64 : 8].tobytes() for x in columns for y in range(len(above) - 63)}
    assert len(seen & real) == 20


def test_the_command_draws_it_with_what_an_evaluation_found(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", str(run), "--beside", "start"])
    assert capsys.readouterr().out.splitlines()[-1].split() == ["picture", str(run / "distilled" / "beside.png")]
    main(["show", str(run), "--evaluation", str(run / "evaluation.json"), "--beside", "start", "--out", str(tmp_path / "picture.png")])
    main(["show", str(run), "--beside", "start", "--out", str(tmp_path / "plain.png")])
    assert len(read(tmp_path / "picture.png")) > len(read(tmp_path / "plain.png"))  # the lines above
    capsys.readouterr()
    assert refusal(capsys, "show", str(run), "--beside", "real,strat").startswith("datastill: unknown strip 'strat'. Did you mean 'start'?")


def test_what_cannot_be_shown_is_said(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = json.loads((run / "evaluation.json").read_text())
    content = {key: value for key, value in written.items() if key != CHECKSUM}
    for changed, said in (
        (sealed({**content, "images": 30}), "is the evaluation of another set: expected that of 10 images of digits"),
        (
            sealed({**content, "comparisons": None}),
            "is not what `datastill evaluate` wrote for one network: expected the file of its --out",
        ),
        ({**written, "accuracy": 99.0}, "is damaged, or was changed by hand: its content does not match its checksum"),
    ):
        (tmp_path / "other.json").write_text(json.dumps(changed))
        with pytest.raises(SystemExit):
            main(["show", str(run), "--evaluation", str(tmp_path / "other.json"), "--out", str(tmp_path / "picture.png")])
        assert said in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["show", str(run / "distilled"), "--beside", "start", "--out", str(tmp_path / "picture.png")])
    assert "there is no configuration at" in capsys.readouterr().err
    main(["distill", "digits", "--method", "random", "--ipc", "1", "--out", str(tmp_path / "random")])
    with pytest.raises(SystemExit):
        main(["show", str(tmp_path / "random"), "--beside", "start"])
    assert "a method of selection has no images that it starts from: leave 'start' out" in capsys.readouterr().err
    assert not (tmp_path / "picture.png").exists()
