"""Imports all of the server as root, when the image is built.

So a package that is missing ends the build and not the start, and the byte code of Python's own modules is written:
many bases come without it, and on a read-only root file system it would be made anew at every start.
"""

import importlib
import pkgutil

import opdeploy

OPTIONAL = {"PIL", "tokenizers"}
"""Packages that only models of images or texts need."""

for module in pkgutil.walk_packages(opdeploy.__path__, "opdeploy."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        if error.name not in OPTIONAL:
            raise
