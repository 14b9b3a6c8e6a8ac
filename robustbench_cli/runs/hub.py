"""Networks of the Hugging Face hub: hf:OWNER/REPO[@REVISION][/FILE], and folders that come from it.

Weights (safetensors, or what torch reads without running code) and config.json are all that is ever
fetched; no code of a repository is. What timm wrote into config.json says the network, how it
normalises, the size of its images and how many classes it tells apart. Needs huggingface_hub, whose
cache and whose HF_HUB_OFFLINE are its own; a folder with the same files needs nothing.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.files import read_json

PREFIX = "hf:"
LARGEST = 4 * 2**30
"""Bytes of a file that is fetched, at most."""
_CONFIG = "config.json"
_USUAL = ("model.safetensors", "pytorch_model.bin")
ENDINGS = (".safetensors", ".bin", ".pt", ".pth", ".th", ".ckpt")
_NAME = re.compile(
    rf"{PREFIX}(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>refs/\w+/\w+|[\w.-]+))?(?:/(?P<file>.+))?"
)
_ELSEWHERE = {"img_size", "num_classes", "in_chans"}
"""Arguments of networks that follow from the images."""
_UNREACHABLE = {"LocalEntryNotFoundError", "OfflineModeIsEnabled", "ConnectionError"}
_UNREACHABLE |= {"TransportError", "Timeout"}  # of httpx, of requests
Missing = Literal["absent", "not cached"]
_SILENT: dict[Missing, str] = {
    "absent": "it has no config.json",
    "not cached": "its config.json is not in the cache",
}


@dataclass(frozen=True)
class Held:
    """Weights on disk, what they are called, and where they are from; and what is said of them."""

    weights: Path
    name: str
    source: str
    told: Told


@dataclass(frozen=True)
class Told:
    """What config.json says; what it does not is None. `silence`: why it names no network."""

    model: str | None = None
    normalise: str | None = None
    classes: int | None = None
    shape: tuple[int, int, int] | None = None
    fixed: bool = False
    silence: str = ""


def is_folder(path: Path) -> bool:
    """Whether files of the hub lie there, and no run."""
    known = (path / _CONFIG).is_file() and not (path / "run.json").is_file()
    return known and bool(_weights_in(path))


def open_folder(path: Path) -> Held:
    """
    Raises:
        UsageError: several files may be meant.
        RunError: an unreadable config.json.
    """
    found = _weights_in(path)
    chosen = next((each for each in found if each.name in _USUAL), found[0])
    if len(found) > 1 and chosen.name not in _USUAL:
        listing = ", ".join(each.name for each in found)
        raise UsageError(f"{path} holds {listing}; name one of them: {found[0]}")
    return Held(chosen, path.resolve().name, "", read_config(path / _CONFIG))


def fetch(text: str) -> Held:
    """From the hub, or from its cache; the revision of the result is a commit.

    Raises:
        UsageError: no such name, repository, revision or file; or it cannot be reached.
    """
    asked = _NAME.fullmatch(text)
    if not asked:
        raise UsageError(f"{text}: expected hf:OWNER/REPO, hf:OWNER/REPO@REVISION, or with /FILE")
    folder, _, file = (asked["file"] or "").rpartition("/")
    names = [file] if file else list(_USUAL)
    got: list[Path | Missing] = []
    for name in names:
        got.append(_download(text, asked, f"{folder}/{name}" if folder else name))
        if isinstance(got[-1], Path):
            break
    weights = got[-1]
    if not isinstance(weights, Path):
        away = next((each for each in got if each == "not cached"), None)
        raise UsageError(_not_cached(text, asked) if away else _no_file(text, asked))
    config = _download(text, asked, f"{folder}/{_CONFIG}" if folder else _CONFIG)
    told = read_config(config) if isinstance(config, Path) else Told(silence=_SILENT[config])
    inside = weights.parts[weights.parts.index("snapshots") + 1 :]
    source = f"{PREFIX}{asked['repo']}@{inside[0]}/{'/'.join(inside[1:])}"
    return Held(weights, asked["repo"], source, told)


def short(text: str) -> str:
    """``OWNER/REPO-c0c0c0c0``, with the file if that is no usual one; empty for another name."""
    asked = _NAME.fullmatch(text)
    if not asked:
        return ""
    file = "" if asked["file"] in (None, *_USUAL) else asked["file"]
    return "-".join(filter(None, [asked["repo"], (asked["revision"] or "")[:8], file]))


def read_config(path: Path) -> Told:
    """
    Raises:
        RunError: unreadable, or it says what makes no sense.
    """
    if path.stat().st_size > 2**24:
        raise RunError(
            f"{path} is too large for a config.json; name the weights alone, and --model"
        )
    config = read_json(path)
    name = config.get("architecture")
    if not isinstance(name, str):
        kinds = config.get("architectures")
        first = kinds[0] if isinstance(kinds, list) and kinds else None
        whose = f"its config.json is of transformers ({first:.80})" if type(first) is str else ""
        return Told(silence=whose or "its config.json names no architecture")
    inner = config.get("pretrained_cfg")
    facts: Mapping[str, Any] = inner if isinstance(inner, dict) else config
    try:
        return Told(
            _network(name, config.get("model_args") or {}),
            _normalisation(facts),
            _count(config.get("num_classes", facts.get("num_classes"))),
            _shape(facts.get("input_size")),
            facts.get("fixed_input_size") is True,
        )
    except (TypeError, ValueError, AttributeError, OverflowError) as e:
        raise RunError(f"{path} is no config.json of timm: {e}") from e


def _network(name: str, options: Mapping[str, Any]) -> str:
    """A spec. What a file says is a name and numbers, and nothing that may be looked up."""
    if not re.fullmatch(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?", name):
        raise ValueError(f"its architecture is called {name[:80]!r}")
    side = options.get("patch_size")
    if more := options.keys() - _ELSEWHERE - {"patch_size"}:
        raise ValueError(f"model_args has {min(more)[:80]!r}, which is not known here")
    if side is not None and (not isinstance(side, int) or isinstance(side, bool)):
        raise ValueError(f"patch_size is {side!r}")
    return f"timm:{name}" if side is None else f"timm:{name},patch-size={side}"


def _normalisation(facts: Mapping[str, Any]) -> str | None:
    mean, std = facts.get("mean"), facts.get("std")
    if mean is None or std is None:
        return None
    return ":".join(",".join(repr(float(value)) for value in each) for each in (mean, std))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _shape(value: Any) -> tuple[int, int, int] | None:
    if value is None:
        return None
    channels, height, width = (int(each) for each in value)
    return channels, height, width


def _weights_in(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    found = (p for p in path.iterdir() if p.suffix in ENDINGS and p.is_file())
    return sorted(p for p in found if not re.search(r"-\d+-of-\d+$", p.stem))


def _download(text: str, asked: re.Match[str], file: str) -> Path | Missing:
    """A file of the repository, from the cache where the hub cannot be reached.

    Raises:
        UsageError: in one line, why it cannot be had.
    """
    library = _library()
    which: dict[str, Any] = {"repo_id": asked["repo"], "filename": file}
    which["revision"] = asked["revision"]
    if re.fullmatch(r"[0-9a-f]{40}", asked["revision"] or ""):  # a commit never changes
        with suppress(Exception):  # it is not in the cache, and asked for below
            return Path(library.hf_hub_download(**which, local_files_only=True))
    try:
        try:  # asked once: the download itself would ask again and again
            size = library.get_hf_file_metadata(library.hf_hub_url(**which)).size or 0
        except Exception as e:
            if not _kinds(e) & _UNREACHABLE:
                raise
            return Path(library.hf_hub_download(**which, local_files_only=True))
        if size > LARGEST:
            raise UsageError(
                f"{text}: {file} has {size / 2**30:.1f} GiB, expected at most {LARGEST // 2**30}"
            )
        return Path(library.hf_hub_download(**which))
    except UsageError:
        raise
    except Exception as e:  # somebody else's library: whatever it raises is the answer
        kinds = _kinds(e)
        if kinds & _UNREACHABLE:
            return "not cached"
        if "EntryNotFoundError" in kinds:
            return "absent"
        raise UsageError(f"{text}: {_why(e, asked)}") from e


def _kinds(error: Exception) -> set[str]:
    """Names of its classes: where huggingface_hub keeps them changed more than once."""
    return {cls.__name__ for cls in type(error).__mro__}


def _why(error: Exception, asked: re.Match[str]) -> str:
    kinds, repo = _kinds(error), asked["repo"]
    if "GatedRepoError" in kinds:
        page = f"https://huggingface.co/{repo}"
        return f"its terms must be accepted at {page}, and then type: hf auth login"
    if "RepositoryNotFoundError" in kinds:
        return "no such repository, or a private one: type hf auth login, or check the name"
    if "RevisionNotFoundError" in kinds:
        return f"it has no revision {asked['revision']}; expected a branch, a tag or a commit"
    reason = " ".join(str(error).split())
    return f"{type(error).__name__}: {reason[:160] or 'no reason given'}"


def _not_cached(text: str, asked: re.Match[str]) -> str:
    revision = f" --revision {asked['revision']}" if asked["revision"] else ""
    return (
        f"{text}: the hub cannot be reached (or HF_HUB_OFFLINE is set), and its cache has no "
        f"{asked['file'] or ' or '.join(_USUAL)}; where there is a network, type: hf download "
        f"{asked['repo']}{revision}, and bring the folder that it names"
    )


def _no_file(text: str, asked: re.Match[str]) -> str:
    """What the repository holds instead, as far as that can be asked for."""
    if asked["file"]:
        return f"{text}: the repository has no such file"
    try:
        files = _library().list_repo_files(asked["repo"], revision=asked["revision"])
    except Exception:  # only for the listing: whatever it is, the line stands without
        files = []
    held = [each for each in files if each.endswith(ENDINGS)]
    listing = f"; it has {', '.join(held[:6])}{', ...' * (len(held) > 6)}" if held else ""
    example = held[0] if held else "FILE"
    return f"{text}: no {' or '.join(_USUAL)} there{listing}; name the file: {text}/{example}"


def _library() -> ModuleType:
    """
    Raises:
        UsageError: huggingface_hub is not installed.
    """
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError as e:
        raise UsageError(
            'hf:OWNER/REPO needs huggingface_hub; type: pip install "robustmix[hub]"'
        ) from e
