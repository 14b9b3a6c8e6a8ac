"""Text <-> objects: ``name:key=value,key=value`` names a plugin and sets its parameters.

values    one scalar: 8/255, true, none; and the shortest text that reads back as the same
plugin    the contract: a dataclass whose fields are the parameters, with bounds
declared  a plugin's parameters with their defaults, read from its file and not imported
registry  which plugins there are (a folder's listing), and whose code may be named
braces    ``vib:beta={1e-4,1e-3}``: a grid of specs in one text
keys      of a section in a file: which there are, and what was meant
grammar   a whole spec: ``pgd-at:eps=8/255``, ``mixup+pgd-at``, ``my_lab.nets:MyNet:width=3``
"""

from .braces import expand, expand_all
from .declared import defaults
from .grammar import build, build_all, family, read, split
from .keys import refuse_unknown
from .plugin import ROOMS, Plugin, one_of, param, parameters
from .registry import allow_code, allowed_code, describe, find, import_object, names
from .values import convert, number, shorten

__all__ = [
    "ROOMS",
    "Plugin",
    "allow_code",
    "allowed_code",
    "build",
    "build_all",
    "convert",
    "defaults",
    "describe",
    "expand",
    "expand_all",
    "family",
    "find",
    "import_object",
    "names",
    "number",
    "one_of",
    "param",
    "parameters",
    "read",
    "refuse_unknown",
    "shorten",
    "split",
]
