"""The commands, one in each file: what it takes, what it calls, what it prints.

Everything else is imported when a command needs it, so that ``--help`` is quick.
"""

from __future__ import annotations

from cyclopts import App

from datastill.cli.commands.analyse import analyse
from datastill.cli.commands.compare import compare
from datastill.cli.commands.completion import installing
from datastill.cli.commands.distill import distill
from datastill.cli.commands.doctor import doctor
from datastill.cli.commands.evaluate import evaluate
from datastill.cli.commands.experiment import experiment
from datastill.cli.commands.export import export
from datastill.cli.commands.list import list_
from datastill.cli.commands.pretrain import pretrain
from datastill.cli.commands.push import push
from datastill.cli.commands.report import report
from datastill.cli.commands.resume import resume
from datastill.cli.commands.show import show
from datastill.cli.commands.site import site
from datastill.cli.commands.watch import watch

HELP = """Distil a labelled image set into a few synthetic images per class, and measure what they are worth.

For example:

  datastill distill digits --ipc 2 --iterations 200 --out runs/digits

  datastill evaluate runs/digits --repeats 3

  datastill show runs/digits

A data set is NAME[:PATH][@SIZE]: digits, cifar10, folder:photos@64, parquet:DIR; some classes only: cifar100[0-19].
A method is METHOD[+TERM...]: dm, dm+cc, idm+iid.
`datastill list datasets|networks|methods|terms` lists them all; `datastill show dm+iid` lists the values of a method.
"""

app = App(
    name="datastill",
    help=HELP,
    help_format="plaintext",
    version_flags=["--version"],
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)

for command in (distill, resume, evaluate, pretrain, export, push, show, watch, report, analyse, compare, experiment, site, doctor):
    app.command(command)
app.command(list_, name="list")
app.command(installing(app), name="--install-completion")
