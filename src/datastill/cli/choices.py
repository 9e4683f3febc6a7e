"""Flags for how a data set is read, shared by the commands that read one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from datastill.cli.parameters import Whole
from datastill.errors import UserError
from datastill.reading import Reading, split_off


@Parameter(name="*", group="How to read the data set, where there is a choice")
@dataclass(frozen=True)
class Choices:
    """The fields of `Reading` as flags; None for one that was not given."""

    image_column: Annotated[str | None, Parameter(help="column of the images, in a table")] = None
    label_column: Annotated[str | None, Parameter(help="column of the classes, in a table")] = None
    train_split: Annotated[str | None, Parameter(help="folder, files or split to distil")] = None
    test_split: Annotated[str | None, Parameter(help="the one to test on; none: hold out a fifth of the training images")] = None
    classes: Annotated[str | None, Parameter(help="only these classes, comma-separated")] = None
    skip_broken: Annotated[bool, Parameter(help="leave out images that cannot be read; the run records them", negative="")] = False
    bit_depth: Annotated[Whole | None, Parameter(help="how many of their 16 bits images use, e.g. 12")] = None
    transparency: Annotated[
        Literal["white", "ignore"] | None, Parameter(help="transparent pixels show white (default), or transparency is ignored")
    ] = None
    flip: Annotated[bool | None, Parameter(help="whether a mirrored image keeps its class; default: what the data set says, or yes")] = None
    whiten: Annotated[bool, Parameter(help="whiten images by ZCA, as published for mtt and ftd", negative="")] = False

    def given(self) -> dict[str, Any]:
        """What was given, by name."""
        given = {entry.name: value for entry in fields(self) if (value := getattr(self, entry.name)) not in (None, False)}
        return given if self.flip is None else {**given, "flip": self.flip}

    def reading(self) -> Reading:
        """The same as the library takes it."""
        given = self.given()
        return Reading(**{**given, **({"classes": tuple(given["classes"].split(","))} if "classes" in given else {})})

    def named(self, data: str) -> str:
        """The name of a data set with what was chosen.

        Raises:
            UserError: If a choice is not one.
        """
        from datastill.data.catalogue import completed

        return completed(data, self.reading())

    def of(self, data: str | None, instead: str) -> str | None:
        """The name of the data set that a command may be given, with what was chosen of it.

        Args:
            data: The name; None for none.
            instead: What is read without it, for the message.

        Raises:
            UserError: If something was chosen of none.
        """
        if data is None and self.given():
            flag = next(iter(self.given())).replace("_", "-")
            raise UserError(f"--{flag} says how --data is read, which was not given: {instead}")
        return None if data is None else self.named(data)

    def agreeing(self, recorded: str) -> Mapping[str, tuple[Any, Any]]:
        """By flag, what was given and what the name of a run's data set has, for `agree`."""
        reading, has = self.reading(), split_off(recorded)[1]
        return {f"--{name.replace('_', '-')}": (getattr(reading, name), getattr(has, name) or "nothing of it") for name in self.given()}
