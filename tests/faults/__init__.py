"""The fault suite: files are damaged, processes are killed, disks are full, and nothing may be lost or let in.

A *campaign* is one kind of fault. It is a function of a seed and of an empty folder that makes the fault once and says what came of it::

    def flipped(seed: int, folder: Path) -> Outcome:
        path = folder / "state.safetensors"
        ...  # write a good file, flip the bit that the seed chooses, read the file
        return Outcome.UNCHANGED

    CAMPAIGNS = (Campaign("state-bits", "a bit of a state is flipped", flipped),)

To add one:

1. Write the function in a module of this folder, with ``CAMPAIGNS = (Campaign(...), ...)`` at its end.
2. Add the module to ``MODULES`` in `faults.registry`.

The rules of a trial:

- Everything random derives from the seed, so that a bad trial can be repeated: ``python -m tests.faults NAME --first SEED --trials 1``.
- It writes nothing outside its folder, ends what it started, and needs no network, no GPU and no real data.
- A `datastill.errors.UserError` may leave the function: it counts as `Outcome.REFUSED` if it is one line. Any other exception is a
  traceback and counts as bad. Where a command was run in a process of its own, the function looks at its exit code and output itself.
- Setting up that is the same for all seeds goes into a function with `functools.cache`.
- `processes.run` runs a command as a process and sends it signals; `faults.command_lines` has the commands.
- `faults.mutations` damages bytes, text and plain values.

`test_campaigns.py` makes the first trials of every campaign (``Campaign.short``) with the other tests. ``make faults`` (or ``python -m
tests.faults``) makes many, each in a process that may die or hang without ending the others, adds the counts to ``results/faults`` and
writes the table in ``docs/reliability.md``.
"""
