"""Imports what a training needs beyond the runner, so that workers are forked with it: a fork server loads this."""

import importlib

from wganbench.runner.provenance import checkout, versions
from wganbench.spec import catalogue

importlib.import_module("torch._dynamo")  # torch's optimisers import it when the first one is made: a second or more
for _module in sorted({entry.path.partition(":")[0] for table in catalogue.NAMES.values() for entry in table.values()}):
    importlib.import_module(_module)
checkout()
versions()
