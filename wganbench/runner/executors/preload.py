"""Imports the modules that a training needs beyond the runner; a fork server loads this, so that workers have them."""

import importlib

from wganbench.runner.provenance import checkout, training_code, versions
from wganbench.spec import catalogue

importlib.import_module("torch._dynamo")  # else the first optimiser of torch spends a second or more on it
for _module in sorted({entry.path.partition(":")[0] for table in catalogue.NAMES.values() for entry in table.values()}):
    importlib.import_module(_module)
checkout()
training_code()
versions()
