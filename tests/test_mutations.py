"""Spoilt specs and records, through every command that does not train.

Each ends in what was asked for, or in lines that begin with "wganbench: ", within a second of CPU: without a traceback,
a warning, a raw control character, an import of what a spec names, or a file written where the command has no business.
The default run takes sixty-five, always the same ones; ``-m slow`` takes ten thousand new ones.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import importlib
import itertools
import json
import os
import re
import shutil
import signal
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from tests import mutations
from tests.analysis import factory
from tests.claims import read_by
from tests.cpu import slowness
from wganbench.analysis import report
from wganbench.analysis.figures import style
from wganbench.cli import cli
from wganbench.records.record import read_text, write_text
from wganbench.records.store import Store
from wganbench.spec import RECORDED, Claim, Experiment, Setting, available, load
from wganbench.spec.plan import family

RESULTS = Path(__file__).resolve().parent.parent / "results"
SCHEMA_1 = Path(__file__).parent / "records" / "record_schema_1.json"

SECONDS = 2.0
"""CPU time of a command, and more on a slow machine: several times that of any whole spec, at most 0.45 s.

A report's figures are not in it: each has as much of its own.
"""

TRIES = 4
"""The quickest counts: beside others that train, the same command takes up to three times as much."""

HANGS = 20.0
"""CPU time after which a command is interrupted; one that waits for something else is caught by pytest's timeout."""

# ---- what a command may not do --------------------------------------------------------------------------------------

RUNS = {"os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen", "socket.connect", "pickle.find_class"}
CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}
NAMED = {name.partition(":")[0] for name in mutations.DOTTED}
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


@dataclass
class Watch:
    """What happens while a command runs: what it must not do, and the CPU time of each figure and of the rest."""

    writes: tuple[Path, ...]
    may_import: bool
    forbidden: list[str] = field(default_factory=list)
    figures: list[float] = field(default_factory=list)
    rest: float = 0.0

    @property
    def slowest(self) -> float:
        return max([self.rest, *self.figures])

    def see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in RUNS:
            self.forbidden.append(f"{event} {arguments[0]}")
        if event == "import":
            self.named(event, arguments[0])
        if event in CHANGES:
            self.writing(event, *arguments)
        if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR):
            self.writing(event, arguments[0])

    def writing(self, event: str, *paths: object) -> None:
        for path in (Path(path) for path in paths if isinstance(path, str | Path)):
            if not any(path.resolve().is_relative_to(folder) for folder in self.writes):
                self.forbidden.append(f"{event} {path}")

    def importing(self, name: str, package: str | None = None) -> Any:
        self.named("import_module", name)  # os is imported long since, so that no event tells of it
        return _import_module(name, package)

    def named(self, event: str, module: str) -> None:
        if module in NAMED and not self.may_import:
            self.forbidden.append(f"{event} {module}")

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            start = time.process_time()
            try:
                return function(*arguments)
            finally:
                self.figures.append(time.process_time() - start)

        return call


_import_module, WATCHES = importlib.import_module, list[Watch]()
sys.addaudithook(lambda event, arguments: [watch.see(event, arguments) for watch in WATCHES] and None)


def _interrupt(*_: object) -> None:
    raise RuntimeError("hangs")


@contextlib.contextmanager
def watched(*writes: Path, may_import: bool = False) -> Iterator[Watch]:
    """Runs its body under a ``Watch`` that lets it write into these folders alone.

    Args:
        may_import: Whether it may import what a file names.
    """
    watch = Watch(writes, may_import)
    old = signal.signal(signal.SIGPROF, _interrupt)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib, "import_module", watch.importing)
        patch.setattr(report, "draw", watch.timed(report.draw))
        patch.setattr(report, "save", watch.timed(report.save))
        patch.setattr(style, "DPI", 20)  # the same drawing, in half the time
        WATCHES.append(watch)
        signal.setitimer(signal.ITIMER_PROF, HANGS)
        start = time.process_time()
        try:
            yield watch
        finally:
            watch.rest = time.process_time() - start - sum(watch.figures)
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, old)
            WATCHES.remove(watch)
    assert not watch.forbidden


def command(*arguments: str | Path, writes: tuple[Path, ...] = (), may_import: bool = False) -> int:
    """Runs a command and looks at what it prints; returns its exit code."""
    for _ in range(TRIES):
        with watched(*writes, may_import=may_import) as watch:
            result = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
        if watch.slowest <= SECONDS:
            break
    else:
        assert watch.slowest <= SECONDS * slowness()
    errors = result.stderr.split("\n")[:-1]
    assert all(line.startswith("wganbench: ") for line in errors), errors
    assert result.exit_code == 0 or (errors and result.exit_code in (1, 2)), result.output
    assert "Traceback" not in result.output
    assert not CONTROL.search(result.output), CONTROL.search(result.output)
    return result.exit_code


def signed(content: dict[str, Any]) -> str:
    """``content`` with the checksum that is right for it."""
    rest = {key: value for key, value in content.items() if key != "checksum"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return json.dumps({**content, "checksum": hashlib.sha256(text.encode()).hexdigest()})


# ---- what is spoilt -------------------------------------------------------------------------------------------------


SMALL = "small"


@dataclass(frozen=True)
class World:
    """A spec and a few whole records of it, in a folder of their own."""

    folder: Path
    claim: str

    @property
    def spec(self) -> Path:
        return self.folder / "mutated.toml"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def records(self) -> list[Path]:
        """The files of its records; there are none of an experiment that was not run."""
        return Store(self.results).paths() or reject()

    def commands(self, *, spoilt_spec: bool = False) -> list[int]:
        """All that read the spec; `plan` may import what a spoilt one names. The figures of the report are removed."""
        codes = [command("show", self.spec)]
        codes += [command("plan", self.spec, "--results", self.results, may_import=spoilt_spec)]
        codes += [command("check", self.spec, "--results", self.results)]
        codes += [command("report", self.spec, "--results", self.results, writes=(self.results,))]
        shutil.rmtree(self.results / "figures", ignore_errors=True)
        return codes


def small(folder: Path) -> World:
    made = World(folder, "good-beats-bad")
    made.folder.mkdir()
    parts = (factory.CLAIMS, factory.PUBLISHED, factory.FIGURES)
    experiment = factory.made(folder, *parts, name="mutated")
    made.results.joinpath("mutated").mkdir(parents=True)
    factory.fill(Store(made.results), experiment, n=5)
    return made


def shipped(folder: Path, name: str) -> World:
    """A spec of ours with the records of its first claim that has any, at most five seeds each, under another name."""
    experiment = load(name)
    every = [(list(recorded(experiment, claim)), claim) for claim in experiment.live_claims]
    paths, claim = next((found for found in every if found[0]), every[0])
    made = World(folder, claim.id)
    (made.results / "mutated" / "artefacts").mkdir(parents=True)
    shutil.copy(available()[name], made.spec)
    store = Store(made.results)
    for path in paths:
        record = read_text(path.read_text(), str(path)).model_copy(update={"experiment": "mutated"})
        store.path(record).write_text(write_text(record))
        for artefact in record.artefacts:
            shutil.copy(path.parent / artefact.file, store.path(record).parent / artefact.file)
    return made


def recorded(experiment: Experiment, claim: Claim) -> Iterator[Path]:
    """Records of a claim's variants, or of the first architectures that it is about."""
    for variant in read_by(experiment, claim)[:6]:
        runs = f"{family(variant, experiment.setting(variant, claim.profile))}-s*.json"
        yield from sorted((RESULTS / experiment.name).glob(runs))[:5]


Worlds = Callable[[str], World]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory) -> Worlds:
    importlib.import_module("wganbench.runner.preflight")  # `plan` may; torch's import starts a process
    folder = tmp_path_factory.mktemp("worlds")

    @functools.cache
    def world(name: str) -> World:
        made = small(folder / name) if name == SMALL else shipped(folder / name, name)
        with contextlib.suppress(AssertionError):  # the first of all imports matplotlib, which takes longer
            made.commands()
        return made

    world(SMALL)
    return world


@contextlib.contextmanager
def in_place_of(changes: Mapping[Path, bytes | None]) -> Iterator[None]:
    """Files with other content, or none at all, until the body ends."""
    whole = {path: path.read_bytes() if path.exists() else None for path in changes}
    try:
        put(changes)
        yield
    finally:
        put(whole)


def put(files: Mapping[Path, bytes | None]) -> None:
    for path, content in files.items():
        if content is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(content)


def renamed(path: Path, content: dict[str, Any]) -> dict[Path, bytes | None]:
    """A record in the place of the one at ``path``, with the right checksum, and the right id where it can have one."""
    with contextlib.suppress(KeyError, TypeError, ValueError):
        setting = Setting.model_validate(content["setting"], context=RECORDED)
        content = {**content, "id": f"{family(content['variant'], setting)}-s{content['seed']}"}
    name = content.get("id")
    is_name = isinstance(name, str) and re.fullmatch(r"[\w.-]{1,200}", name)
    return {path: None, path.with_name(f"{name}.json") if is_name else path: signed(content).encode()}


def with_record(world: World, changes: Mapping[Path, bytes | None]) -> None:
    """Every command with these files in the place of whole ones, and a merge into another folder."""
    ours = world.folder / "ours"
    with in_place_of(changes):
        world.commands()
        command("explain", f"{world.spec}:{world.claim}", "--results", world.results)
        with watched():
            Store(world.results).scan()
        shutil.rmtree(ours, ignore_errors=True)
        shutil.copytree(world.results / "mutated", ours / "mutated")
        put({ours / path.relative_to(world.results): None for path in changes})
        command("merge", world.results, "--results", ours, "--prefer", "theirs", writes=(ours,))


# ---- a dotted name wherever a name may stand ------------------------------------------------------------------------

SYSTEM = ("os:system", {"name": "os:system"}, {"name": "nosuch.module:thing", "x": ["builtins:exec"]})
KINDS = ("data", "fixed_generator", "generator", "critic", "objective", "constraint", "critic_optimizer")


def replaced(content: Any) -> Iterator[Any]:
    """``content`` with a dotted name in the place of each string, and of each key of a table, one at a time."""
    for key in mutations.inside(content):
        others = {other: content[other] for other in mutations.inside(content) if other != key}
        for value in SYSTEM[:1] if isinstance(content[key], str) else replaced(content[key]):
            yield {**others, key: value} if isinstance(content, dict) else [*others.values(), value]
        if isinstance(content[key], dict):
            yield {**others, "os:system": content[key]} if isinstance(content, dict) else ["os:system"]


def test_a_dotted_name_anywhere_in_a_spec_stays_a_name(worlds):
    """For every command but those that check custom objects, `plan` and `run`, which import them for it."""
    world = worlds(SMALL)
    whole = tomllib.loads(world.spec.read_text())
    whole |= {"figures": whole["figures"][1:], "published": whole["published"][:1], "claims": whole["claims"][:1]}
    used = [{**whole, kind: value} for kind in KINDS for value in SYSTEM]
    used += [{**whole, table: {"os:system": {**SYSTEM[1]}}} for table in ("measures", "pictures", "variants")]
    for content in [*replaced(whole), *used]:
        with in_place_of({world.spec: mutations.toml(content)}):
            for name in ("show", "check"):
                command(name, world.spec, *(["--results", world.results] if name != "show" else []))


def test_a_dotted_name_anywhere_in_a_record_stays_a_name(worlds):
    world = worlds(SMALL)
    path = Store(world.results).paths()[0]
    whole = json.loads(path.read_text())
    whole["curves"] = {"critic_loss": {"steps": [0], "values": [None]}}
    for content in replaced(whole):
        with in_place_of(renamed(path, content)):
            command("check", world.spec, "--results", world.results)


# ---- anything at all ------------------------------------------------------------------------------------------------

ABOUT_RUNS = ("claims", "figures", "published", "measures", "variants", "profiles")
OUTCOME = ("measures", "best", "curves", "status", "setting", "artefacts", "steps_done")


def spec_bytes(world: World, data: st.DataObject) -> None:
    others = tuple(path.read_bytes() for path in available().values())
    with in_place_of({world.spec: data.draw(mutations.texts(world.spec.read_bytes(), others))}):
        world.commands(spoilt_spec=True)


def spec_content(world: World, data: st.DataObject) -> None:
    whole = tomllib.loads(world.spec.read_text())
    content = data.draw(mutations.contents(whole, ABOUT_RUNS, mutations.MOMENTS))
    with in_place_of({world.spec: mutations.toml(content)}):
        world.commands(spoilt_spec=True)


def record_bytes(world: World, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(world.records))
    text = data.draw(mutations.texts(path.read_bytes(), (SCHEMA_1.read_bytes(),)))
    if data.draw(st.booleans()):
        with contextlib.suppress(ValueError, AttributeError, RecursionError):
            text = signed(json.loads(text)).encode()
    with_record(world, {path: text})


def record_content(world: World, data: st.DataObject) -> None:
    """With the old checksum, with the right one, or with that and the id that its content has."""
    path = data.draw(st.sampled_from(world.records))
    whole = json.loads(data.draw(st.sampled_from([path, path, path, SCHEMA_1])).read_text())
    content = data.draw(mutations.contents(whole, OUTCOME, (None,)))
    match data.draw(st.sampled_from(["stale", "signed", *["renamed"] * 6])):
        case "stale":
            with_record(world, {path: json.dumps(content).encode()})
        case "signed":
            with_record(world, {path: signed(content).encode()})
        case _:
            with_record(world, renamed(path, content))


def artefact(world: World, data: st.DataObject) -> None:
    """With its own checksum or with the right one."""
    paths = [path for path in world.records if '"file": ' in path.read_text()]
    if not paths:
        return
    path = data.draw(st.sampled_from(paths))
    content = json.loads(path.read_text())
    file = path.parent / content["artefacts"][0]["file"]
    whole = file.read_bytes()
    arrays = [mutations.archives(whole)] * 2 if file.suffix == ".npz" else []  # the others are pictures
    spoilt = data.draw(st.one_of(*arrays, mutations.texts(whole, (whole,))))
    if data.draw(st.integers(0, 3)):
        content["artefacts"][0]["sha256"] = hashlib.sha256(spoilt).hexdigest()
    with_record(world, {path: signed(content).encode(), file: spoilt})


SPOILT = {
    "a spec's bytes": (spec_bytes, 2500),
    "a spec": (spec_content, 3000),
    "a record's bytes": (record_bytes, 1500),
    "a record": (record_content, 2500),
    "an artefact": (artefact, 500),
}


def spoil(what: str, n: int, worlds: Worlds, names: list[str], **more: Any) -> None:
    examples = itertools.count(1)

    @settings(max_examples=n, deadline=None, database=None, suppress_health_check=list(HealthCheck), **more)
    @given(data=st.data())
    def example(data: st.DataObject) -> None:
        if next(examples) % 20 == 0:
            gc.collect()  # what a command leaves behind goes with its process, and would slow down the next ones here
        SPOILT[what][0](worlds(data.draw(st.sampled_from(names))), data)

    example()


@pytest.mark.parametrize("what", SPOILT)
def test_a_few_that_are_spoilt_anyhow_are_used_or_refused(worlds, what):
    spoil(what, SPOILT[what][1] // 150, worlds, [SMALL], derandomize=True)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("what", SPOILT)
def test_ten_thousand_that_are_spoilt_anyhow_are_used_or_refused(worlds, what):
    spoil(what, SPOILT[what][1], worlds, [SMALL, *available()], print_blob=True)
