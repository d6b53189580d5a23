"""Records of finished runs and the results folder that holds them."""

import sys
from types import ModuleType
from typing import Any


class _Records(ModuleType):
    """This package, which can be called as the function of its name: importing it hides that from `wganbench`."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        from wganbench import api

        return api.records(*arguments, **named)


sys.modules[__name__].__class__ = _Records
