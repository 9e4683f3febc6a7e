from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from datastill import DistilledSet
from datastill.errors import UserError
from tiny_sets import data_set, distilled_set, same_bits


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return (distilled_set().save(tmp_path_factory.mktemp("saved")) / "images.safetensors").read_bytes()


def save_dc(path: Path, images: Any, labels: Any, **others: Any) -> Path:
    torch.save({"data": [[images, labels]], **others}, path)
    return path


def test_tensors_come_back_bit_for_bit_from_a_tensor_file(tmp_path: Path) -> None:
    content, data = distilled_set(), data_set()
    after = DistilledSet.load_dc(save_dc(tmp_path / "set.pt", content.images, content.labels), data)
    assert same_bits(after.images, content.images)
    assert torch.equal(after.labels, content.labels)
    assert (after.origin.data, after.origin.class_names, after.origin.mean) == ("tiny", data.class_names, data.mean)


def test_leaves_with_gradients_and_parameters_are_read_as_plain_tensors(tmp_path: Path) -> None:
    content = distilled_set()
    for images in (content.images.clone().requires_grad_(), nn.Parameter(content.images.clone())):
        after = DistilledSet.load_dc(save_dc(tmp_path / "set.pt", images, content.labels), data_set())
        assert same_bits(after.images, content.images)
        assert type(after.images) is Tensor
        assert not after.images.requires_grad


def test_the_file_that_the_published_code_saves_is_read_and_its_last_set_taken(tmp_path: Path) -> None:
    first, last = distilled_set(seed=1), distilled_set(seed=2)
    shuffled = torch.tensor([4, 1, 0, 5, 2, 3])
    saved: list[list[Tensor]] = []
    for images, labels in ((first.images, first.labels), (last.images[shuffled], last.labels[shuffled])):
        image_syn = images.clone().requires_grad_()
        saved.append([copy.deepcopy(image_syn.detach().cpu()), copy.deepcopy(labels.detach().cpu())])
    accuracies = {"ConvNet": [np.float64(0.26), np.mean([0.25, 0.27])], "AlexNet": [0.5, np.float32(0.5), np.int64(1)]}
    torch.save({"data": saved, "accs_all_exps": accuracies}, tmp_path / "res_DM_CIFAR10_ConvNet_2ipc.pt")
    after = DistilledSet.load_dc(tmp_path / "res_DM_CIFAR10_ConvNet_2ipc.pt", data_set())
    assert after.labels.tolist() == [0, 0, 1, 1, 2, 2]
    # class 0 stands at 1 and 2 of the shuffled file, as images 1 and 0; class 1 as 2 and 3; class 2 as 4 and 5
    assert same_bits(after.images, last.images[[1, 0, 2, 3, 4, 5]])


def test_half_precision_and_small_labels_are_widened(tmp_path: Path) -> None:
    content = distilled_set()
    path = save_dc(tmp_path / "set.pt", content.images.half(), content.labels.to(torch.int32))
    after = DistilledSet.load_dc(path, data_set())
    assert torch.equal(after.images, content.images.half().float())
    assert after.labels.dtype == torch.int64


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return open, (str(self.target), "w")


def write_pickle(thing: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(thing))


PLACES: dict[str, Callable[[DistilledSet, Payload], object]] = {
    "as images": lambda content, payload: {"data": [[payload, content.labels]]},
    "as labels": lambda content, payload: {"data": [[content.images, payload]]},
    "beside the set": lambda content, payload: {"data": [[content.images, content.labels]], "accs_all_exps": {"ConvNet": [payload]}},
    "in an earlier set": lambda content, payload: {"data": [[payload, payload], [content.images, content.labels]]},
    "as a key": lambda content, payload: {"data": [[content.images, content.labels]], payload: 0},
    "as the file": lambda content, payload: payload,
}


WRITERS: dict[str, Callable[[object, Path], None]] = {
    "zip": lambda thing, path: torch.save(thing, path),
    "legacy": lambda thing, path: torch.save(thing, path, _use_new_zipfile_serialization=False),
    "plain pickle": write_pickle,
}


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("writer", WRITERS)
def test_a_pickled_object_is_refused_and_never_executed(tmp_path: Path, place: str, writer: str) -> None:
    trace, path = tmp_path / "executed", tmp_path / "set.pt"
    WRITERS[writer](PLACES[place](distilled_set(), Payload(trace)), path)
    with pytest.raises(UserError, match=r"set\.pt is refused: expected a tensor file"):
        DistilledSet.load_dc(path, data_set())
    assert not trace.exists()
    if writer == "zip":  # the payload is a live one
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.load(path, weights_only=False)
        assert trace.exists()


def test_numpy_objects_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    content = distilled_set()
    for thing in (np.zeros(3), np.array([object()]), np.random.default_rng(0)):
        path = save_dc(tmp_path / "set.pt", content.images, content.labels, more=thing)
        with pytest.raises(UserError, match="is refused"):
            DistilledSet.load_dc(path, data_set())


GOOD = distilled_set()


IMAGES, LABELS = GOOD.images, GOOD.labels


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"images": IMAGES, "labels": LABELS}, "is refused"),
        ({"data": []}, "is refused"),
        ({"data": [[IMAGES]]}, "is refused"),
        ({"data": [[IMAGES.tolist(), LABELS.tolist()]]}, "is refused"),
        ([IMAGES, LABELS], "is refused"),
        (IMAGES, "is refused"),
        ({"data": [[IMAGES.to_sparse(), LABELS]]}, "is refused"),
        ({"data": [[torch.zeros(1).expand(10**6, 3, 800, 600), torch.zeros(1, dtype=torch.int64).expand(10**6)]]}, "is refused"),
        ({"data": [[IMAGES.to("meta"), LABELS]]}, "is refused"),
        ({"data": [[IMAGES[:, :1], LABELS]]}, r"\(6, 1, 8, 6\)"),
        ({"data": [[IMAGES, LABELS + 1]]}, "got 1 to 3"),
        ({"data": [[IMAGES, LABELS[:5]]]}, r"\(5,\)"),
        ({"data": [[IMAGES * float("nan"), LABELS]]}, "864 pixel values are NaN"),
    ],
    ids=range(13),
)
def test_tensor_files_of_another_content_are_refused(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "set.pt"
    torch.save(content, path)
    with pytest.raises(UserError, match=message) as caught:
        DistilledSet.load_dc(path, data_set())
    assert str(path) in str(caught.value)


def test_a_missing_a_truncated_and_a_nameless_tensor_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.pt"
    with pytest.raises(UserError, match=r"no such file: .*set\.pt"):
        DistilledSet.load_dc(path, data_set())
    save_dc(path, IMAGES, LABELS)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match="is refused"):
        DistilledSet.load_dc(path, data_set())
    with pytest.raises(UserError, match=r"does not say what it was distilled from: .*`data`"):
        DistilledSet.load(path)
