"""Code that a file names: run only if the program says so, and only what a setting needs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import backoff
import pytest
from attrs import fields, frozen, resolve_types

from resilient import Policy, RetryPolicy, load_services
from resilient.envelopes import EnvelopeParser
from resilient.services.config.code import need_of
from resilient.services.config.configuration import read_configuration
from resilient.services.config.keys import KINDS, fields_of
from resilient.services.config.spelling import spelled
from tests.unit.services.config.problems import error, service

RULES = """
import asyncio, backoff, enum, functools, os
from pathlib import Path

Path(__file__).with_suffix(".ran").touch()

class Gone(Exception): ...
class Lost(BaseException): ...

def judge(request, outcome): return None
def parse(status, headers, body): return None
def one(first): ...
def keyword(*, request, outcome): ...
def any(*given, **others): ...
def optional(request, outcome, more=None, most=None): ...
async def later(request, outcome, more=None): ...
def waits(step=1):
    while True:
        yield step
async def waits_later():
    yield 1

class Holder:
    @staticmethod
    def judge(request, outcome): return None
    @staticmethod
    def waits(): yield 1
    class Inner:
        class Gone(Exception): ...
    def method(self, request, outcome): ...
    def waits_of(self): yield 1

class Calls:
    def __init__(self, request=None, outcome=None, body=None): ...
    def __call__(self, request, outcome): ...

class CallsLater:
    async def __call__(self, request, outcome): ...

class Yields:
    def __call__(self): yield 1

class Iterates:
    def __iter__(self): return iter([1])

calls, calls_later, yields = Calls(), CallsLater(), Yields()
bound = Holder().method
bound_waits = Holder().waits_of
part = functools.partial(optional, more=1)
part_later = functools.partial(later)
part_waits = functools.partial(waits, step=2)
expo = backoff.expo
number, text, none = 3, "judge", None
"""


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget the modules that a test has imported."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path, places, modules = sys.path, [*sys.path], {*sys.modules}
    yield
    assert sys.path is path
    assert [*sys.path] == places
    for name in {*sys.modules} - modules:
        if name.partition(".")[0] in ("rules", "helpers", "package", "broken", "elsewhere"):
            del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module in it; the working directory is another one."""
    (tmp_path / "rules.py").write_text(RULES)
    elsewhere = tmp_path / "working directory"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return tmp_path


def has_run(folder: Path) -> bool:
    return (folder / "rules.ran").exists()


def written(folder: Path, text: str, name: str = "services.toml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[services.a]\nmatch = 'https://a.example'\n{text}\n")
    return path


NAMING: dict[str, Callable[[str], str]] = {
    "retry.judge": lambda name: f"retry.judge = '{name}'",
    "retry.exceptions": lambda name: f"retry.exceptions = ['builtins:KeyError', '{name}']",
    "retry.backoff.wait": lambda name: f"retry.backoff.wait = '{name}'",
    "errors.parsers": lambda name: f"errors.parsers = ['flat', '{name}']",
    "breaker.key": lambda name: f"breaker.key = '{name}'",
}
RIGHT = {
    "retry.judge": "rules:judge",
    "retry.exceptions": "rules:Gone",
    "retry.backoff.wait": "rules:waits",
    "errors.parsers": "rules:parse",
    "breaker.key": "rules:one",
}


def policy(path: Path, code: bool | Iterable[str] = True) -> Policy:
    (found,) = read_configuration(path, code).services
    return found.policy


def retry(policy: Policy) -> RetryPolicy:
    assert policy.retry is not None
    return policy.retry


# Permission.


@pytest.mark.parametrize("key", NAMING)
def test_a_file_is_data(key: str, folder: Path) -> None:
    file = written(folder, NAMING[key](RIGHT[key]))
    for code in (False, [], ["rule"], {"Rules"}, ("rules.more", "builtins")):
        found = error(file, code).problems
        assert {str(each.where).partition("[")[0] for each in found} == {f"services.a.{key}"}
        assert f'names code, "{RIGHT[key]}", and that has to be allowed' in str(found[-1])
        assert "load_services(..., code=[" in str(found[-1])
        assert '"rules"' in str(found[-1])
        assert "--allow-code on the command line" in str(found[-1])
        assert found[-1].given == spelled(RIGHT[key])
        assert "rules" not in sys.modules
        assert not has_run(folder)
    policy(file, True)
    assert has_run(folder)
    policy(file, ["rules", "builtins"])


def test_a_command_is_not_run(folder: Path) -> None:
    file = written(
        folder,
        "[services.a.retry.backoff]\n"
        "wait = 'subprocess:getoutput'\noptions = { cmd = 'touch ran' }",
    )
    (found,) = error(file).problems
    assert found.where == "services.a.retry.backoff.wait"
    for code in (True, ["subprocess"]):
        (found,) = error(file, code).problems
        assert found.allowed == "the name of a generator function"
    assert not list(Path().iterdir())


def test_no_table_is_left_out(folder: Path) -> None:
    file = folder / "services.toml"
    naming = "retry.judge = 'rules:judge'"
    file.write_text(
        f"[presets.unused]\n{naming}\n"
        f"[presets.used]\n{naming}\n"
        f"[default]\n{naming}\n"
        "[services.a]\nmatch = 'https://a.example'\nextends = 'used'\n"
        f"[services.b]\nmatch = 'https://b.example'\nextends = 'used'\n{naming}\n"
    )
    assert [each.where for each in error(file).problems] == [
        # Of `a` it has been said: that is in what it extends.
        f"{table}.retry.judge"
        for table in ("presets.unused", "presets.used", "default", "services.b")
    ]
    assert not has_run(folder)
    assert read_configuration(file, True).code == ("rules:judge",)


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
def test_no_collection_is_left_out(kind: type, folder: Path) -> None:
    for settings in (
        {"retry": {"exceptions": kind(["builtins:KeyError"])}},
        {"errors": {"parsers": kind(["resilient.envelopes:parse_flat"])}},
    ):
        assert "names code" in str(error(service(**settings)))
        load_services(service(**settings), code=True)


def test_what_stands_alone_is_a_name_too() -> None:
    for settings in (
        {"retry": {"exceptions": "builtins:KeyError"}},
        {"errors": {"parsers": "resilient.envelopes:parse_flat"}},
    ):
        assert "names code" in str(error(service(**settings)))
        load_services(service(**settings), code=True)


def test_all_that_is_not_allowed_is_said_at_once(folder: Path) -> None:
    file = written(folder, "\n".join(NAMING[key](RIGHT[key]) for key in NAMING) + "\nx = 1")
    found = error(file)
    assert {str(each.where).partition("[")[0] for each in found.problems} == {
        "services.a.x",
        *(f"services.a.{key}" for key in NAMING),
    }
    assert not has_run(folder)


def test_a_mapping_may_hold_functions_without_permission() -> None:
    def judge(request: object, outcome: object) -> bool:
        return True

    settings = {"retry": {"judge": judge, "exceptions": [KeyError]}}
    (found,) = load_services(service(**settings)).services
    assert retry(found.policy).judge is judge


@pytest.mark.parametrize(
    "code",
    [None, 0, 1, "rules", b"rules", 1.5, {"rules": True}, [1], [None], [""], ["rules:judge"],
     ["rules."], ["a b"], ["rules", []], object()],
)  # fmt: skip
def test_what_code_cannot_be(code: Any, folder: Path) -> None:
    for source in (
        written(folder, ""),
        service(),
        written(folder, NAMING["retry.judge"]("rules:judge")),
    ):
        found = error(source, code)
        assert found.where == "load_services.code"
        assert found.allowed == (
            'True, False, or the modules that may be named, such as ["my_package.rules"]'
        )
    assert not has_run(folder)


# What is named.


@pytest.mark.parametrize(
    ("key", "right"),
    [
        ("retry.judge", "judge any optional Holder.judge calls bound part"),
        ("retry.exceptions", "Gone Holder.Inner.Gone"),
        ("retry.backoff.wait", "waits expo Holder.waits bound_waits part_waits"),
        # A method that is taken of its class is a function that takes the object, too.
        ("errors.parsers", "parse any optional Holder.method"),
        ("breaker.key", "one any"),
    ],
)
def test_what_is_named_must_be_what_the_setting_needs(key: str, right: str, folder: Path) -> None:
    named: dict[str, Any] = {}
    exec(RULES, {"__name__": "rules", "__file__": str(folder / "rules.py")}, named)
    names = [each for each in named if not each.startswith("_")]
    names += ["Holder.judge", "Holder.waits", "Holder.Inner.Gone", "Holder.method"]
    for name in names:
        file = written(folder, NAMING[key](f"rules:{name}"))
        if name in right.split():
            policy(file)
            continue
        (found,) = error(file, True).problems
        assert str(found.where).partition("[")[0] == f"services.a.{key}"
        assert f"rules:{name}" in str(found.given)
        assert str(found.allowed).startswith("the name of ")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("retry.judge", "a plain (not async) function of 2 positional arguments"),
        ("retry.exceptions", "a subclass of Exception"),
        ("retry.backoff.wait", "a generator function"),
        ("errors.parsers", "a plain (not async) function of 3 positional arguments"),
        ("breaker.key", "a plain (not async) function of 1 positional argument"),
    ],
)
def test_what_a_setting_needs_is_said(key: str, words: str, folder: Path) -> None:
    (found,) = error(written(folder, NAMING[key]("rules:number")), True).problems
    assert found.allowed == f"the name of {words}"
    assert found.given == '"rules:number"'


@pytest.mark.parametrize("name", ["expo", "fibo", "constant"])
def test_the_generators_of_the_backoff_package_can_be_named(name: str, folder: Path) -> None:
    file = written(folder, NAMING["retry.backoff.wait"](f"backoff:{name}"))
    assert retry(policy(file)).backoff.wait is getattr(backoff, name)
    for other in ("full_jitter", "on_exception", "random_jitter", "__name__"):
        error(written(folder, NAMING["retry.backoff.wait"](f"backoff:{other}")), True)


@pytest.mark.parametrize(
    "key", ["origin", "origin+path:1", "origin + method", "origin+header:X-Tenant+path:20"]
)
def test_a_declared_key_is_plain_text_and_no_code(key: str) -> None:
    (found,) = load_services(service(breaker={"key": key})).services
    assert found.policy.breaker is not None
    assert found.policy.breaker.key == key


@pytest.mark.parametrize("code", [True, False])
@pytest.mark.parametrize(
    "key",
    ["", "path", "path:1", "origin+path", "origin+path:0", "origin+path:100", "method+origin",
     "origin+header:", "origin+header:X Y", "origin+method+method", "origin+query", "Origin", 5,
     True, False, [], ["origin"], {}],
)  # fmt: skip
def test_a_wrong_key_is_named_with_what_is_given_and_what_is_allowed(key: Any, code: bool) -> None:
    (found,) = error(service(breaker={"key": key}), code).problems
    assert found.where == "services.a.breaker.key"
    assert found.given == spelled(key)
    assert 'a key: "origin", or that with "path:N"' in str(found.allowed)


def test_names_that_stand_for_something(folder: Path) -> None:
    found = policy(
        written(
            folder,
            "retry.judge = 'rules:Holder.judge'\n"
            "retry.exceptions = ['rules:Gone', 'asyncio:IncompleteReadError']\n"
            "retry.backoff = { wait = 'rules:waits', options = { step = 3 } }\n"
            "errors.parsers = ['rules:parse', 'flat']",
        )
    )
    there = sys.modules["rules"]
    assert retry(found).judge is there.Holder.judge
    assert retry(found).exceptions[0] is there.Gone
    assert retry(found).backoff.wait is there.waits
    assert found.errors is not None
    assert found.errors.parsers == (there.parse, "flat")


@pytest.mark.parametrize("key", NAMING)
@pytest.mark.parametrize(
    "name",
    [
        ":",
        "rules:",
        ":judge",
        "rules:judge:judge",
        "rules: judge",
        "rules:judge.",
        "rules:.judge",
        ".rules:judge",
        "rules.:judge",
        "rules..x:judge",
        "rules/judge:x",
        "https://a.example",
        "rules:judge()",
        # What is behind a module, a function or a class.
        "rules:__builtins__.eval",
        "rules:__loader__.get_data",
        "rules:judge.__globals__",
        "rules:Holder.__subclasses__",
        "rules:__dict__",
        "rules:__getattr__",
        "__main__:main",
        "rules.__init__:judge",
        "__rules:judge",
    ],
)
def test_what_is_no_name_is_refused_before_anything_is_imported(
    key: str, name: str, folder: Path
) -> None:
    file = written(folder, NAMING[key](name))
    for code in (False, True):
        found = error(file, code)
        assert any('"package.module:name"' in str(each.allowed) for each in found.problems)
    assert not has_run(folder)


@pytest.mark.parametrize(
    ("key", "name", "reason"),
    [
        # Not through a module that a module has imported, and not through other objects.
        ("retry.judge", "rules:os.rename", "AttributeError: 'rename' is in no module and in no"),
        ("retry.judge", "rules:os.path.join", "AttributeError: 'path' is in no module"),
        ("retry.judge", "os:path.join", "AttributeError: 'join' is in no module and in no class"),
        ("retry.judge", "rules:calls.x", "AttributeError: 'x' is in no module and in no class"),
        ("retry.judge", "rules:nothing", "AttributeError: "),
        ("retry.judge", "rules:Holder.nothing", "AttributeError: "),
        ("retry.exceptions", "rules:nothing", "AttributeError: "),
        ("retry.judge", "rules.judge:judge", "ModuleNotFoundError: "),
        ("retry.judge", "no_such_package:judge", "ModuleNotFoundError: No module named 'no_such_"),
    ],
)
def test_a_name_that_leads_nowhere(key: str, name: str, reason: str, folder: Path) -> None:
    (found,) = error(written(folder, NAMING[key](name)), True).problems
    assert str(found.where).partition("[")[0] == f"services.a.{key}"
    assert str(found.allowed).startswith(f"importable ({reason}")


def test_what_a_field_needs_is_told_by_its_type() -> None:
    """So that a policy that is new needs no line elsewhere to be set in a file."""

    @frozen
    class Future:
        key: Callable[[object], str] | None = None
        on_change: Callable[[int, int, int], None] = print
        waits: Callable[..., Generator[float]] | str = "expo"
        parser: EnvelopeParser | str = "flat"
        kinds: tuple[type[OSError], ...] = ()
        number: int | None = None
        texts: tuple[str, ...] = ()
        options: Mapping[str, Any] = {}

    needs = {each.name: need_of(each) for each in fields(resolve_types(Future))}
    assert {name: need.words for name, need in needs.items() if need is not None} == {
        "key": "a plain (not async) function of 1 positional argument",
        "on_change": "a plain (not async) function of 3 positional arguments",
        "waits": "a generator function",
        "parser": "a plain (not async) function of 3 positional arguments",
        "kinds": "a subclass of OSError",
    }
    named = {
        f"{kind.__name__}.{each.name}"
        for kind in KINDS
        for each in fields_of(kind)
        if need_of(each)
    }
    assert named >= {
        "RetryPolicy.judge",
        "RetryPolicy.exceptions",
        "Backoff.wait",
        "ErrorPolicy.parsers",
    }


# Where it is looked for.


@pytest.mark.parametrize("naming", ["absolute", "relative", "link", "link to the folder"])
def test_names_are_looked_for_in_the_folder_of_the_file(
    naming: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(folder, NAMING["retry.judge"]("rules:judge"))
    if naming == "relative":
        monkeypatch.chdir(folder.parent)
        file = Path(folder.name, file.name)
    elif naming == "link":
        link = Path("linked.toml")
        link.symlink_to(file)
        file = link
    elif naming == "link to the folder":
        Path("linked").symlink_to(folder)
        file = Path("linked", file.name)
    judge: Any = retry(policy(file)).judge
    assert os.path.samefile(judge.__code__.co_filename, folder / "rules.py")


def test_in_the_working_directory_only_if_it_is_not_in_the_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("rules.py").write_text("raise AssertionError('of the working directory')")
    file = written(folder, NAMING["retry.judge"]("rules:judge"))
    for places in (["", *sys.path], [os.getcwd(), *sys.path], [*sys.path, "."]):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "path", places)
            before = [*places]
            assert retry(policy(file)).judge is sys.modules.pop("rules").judge
            assert sys.path is places
            assert places == before


def test_not_in_the_working_directory_if_the_program_does_not_look_there(folder: Path) -> None:
    Path("elsewhere.py").write_text("raise AssertionError")
    (found,) = error(written(folder, NAMING["retry.judge"]("elsewhere:judge")), True).problems
    assert "No module named 'elsewhere'" in str(found)


def test_without_a_file_where_the_program_looks(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = service(retry={"judge": "rules:judge"})
    assert "No module named 'rules'" in str(error(document, True))
    monkeypatch.syspath_prepend(folder)
    (found,) = load_services(document, code=True).services
    assert retry(found.policy).judge is sys.modules["rules"].judge
    monkeypatch.undo()


def test_what_the_program_has_imported_from_the_folder_is_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(folder)
    import rules  # type: ignore[import-not-found]  # written by the test

    found = policy(written(folder, NAMING["retry.exceptions"]("rules:Gone")))
    assert retry(found).exceptions[1] is rules.Gone
    monkeypatch.undo()


def test_a_name_that_two_modules_have_is_refused(folder: Path) -> None:
    """Else a second file would silently be given the rules of the first."""
    file = written(folder, NAMING["retry.judge"]("rules:judge"))
    other = written(folder / "other", NAMING["retry.judge"]("rules:judge"))
    (other.parent / "rules.py").write_text("raise AssertionError('it is not run')")
    policy(file)
    (found,) = error(other, True).problems
    assert "importable (ImportError: rules is " in str(found)
    assert str(other.parent / "rules.py") in str(found)
    assert str(folder / "rules.py") in str(found)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("aiohttp:ClientError", "aiohttp.py"),
        ("resilient:NotFoundError", "resilient.py"),
        ("resilient:NotFoundError", "resilient/__init__.py"),
        ("builtins:KeyError", "builtins.py"),
        ("this:Gone", "this.py"),  # of the standard library, and not imported yet
    ],
)
def test_what_is_installed_is_not_shadowed_by_a_file_beside(
    name: str, module: str, folder: Path
) -> None:
    shadow = folder / module
    shadow.parent.mkdir(exist_ok=True)
    shadow.write_text("raise AssertionError('it is not run')")
    file = written(folder, f"retry.exceptions = ['{name}']")
    (found,) = error(file, True).problems
    assert f"ImportError: {name.partition(':')[0]} is {shadow}, and also " in str(found)


def test_a_folder_of_that_name_shadows_nothing(folder: Path) -> None:
    (folder / "aiohttp").mkdir()
    policy(written(folder, "retry.exceptions = ['aiohttp:ClientError']"))


def test_a_module_of_the_folder_finds_its_neighbours_and_what_is_installed(folder: Path) -> None:
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "rules.py").write_text(
        "import json, helpers\nfrom .more import judge\nassert json.dumps(None) == 'null'"
    )
    (folder / "package" / "more.py").write_text("def judge(request, outcome): return None")
    (folder / "helpers.py").write_text("")
    (folder / "json.py").write_text("raise AssertionError('taken for the library')")
    file = written(folder, NAMING["retry.judge"]("package.rules:judge"))
    found = policy(file, ["package.rules"])
    assert retry(found).judge is sys.modules["package.more"].judge
    # The modules that are allowed are those that may be named.
    assert "names code" in str(error(file, ["package"]))
    assert "names code" in str(error(file, ["package.more"]))


# What importing does.


@pytest.mark.parametrize("key", NAMING)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("raise ZeroDivisionError('by zero')", "ZeroDivisionError: by zero"),
        ("import sys; sys.exit('usage: ...')", "SystemExit: usage: ..."),
        ("def", "SyntaxError: "),
        ("import sys; sys.path.clear(); import nothing_at_all", "ModuleNotFoundError: "),
        ("import sys; sys.path = ['/x']; raise ValueError('no')", "ValueError: no"),
    ],
)
def test_a_module_that_fails(key: str, content: str, reason: str, folder: Path) -> None:
    (folder / "broken.py").write_text(content)
    (found,) = error(written(folder, NAMING[key]("broken:x")), True).problems
    assert str(found.where).partition("[")[0] == f"services.a.{key}"
    assert f"must be importable ({reason}" in str(found)
    assert "broken" not in sys.modules


@pytest.mark.parametrize(
    "change", ["sys.path.insert(0, '/x')", "sys.path = ['/x']", "sys.path.clear()", "del sys.path"]
)
def test_the_places_to_import_from_stay_as_they_were(change: str, folder: Path) -> None:
    (folder / "rules.py").write_text(f"import sys\n{change}\ndef judge(request, outcome): ...")
    path, before = sys.path, [*sys.path]
    policy(written(folder, NAMING["retry.judge"]("rules:judge")))
    assert sys.path is path
    assert sys.path == before


def test_to_stop_while_a_module_is_imported_stops(folder: Path) -> None:
    (folder / "broken.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        policy(written(folder, NAMING["retry.judge"]("broken:x")))


# Installed packages.


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A distribution that declares a parser, in a place where packages are installed."""
    place = tmp_path / "site"
    info = place / "acme-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[resilient.envelopes]\nacme = package:parse\n")
    (place / "package.py").write_text("def parse(status, headers, body): return None")
    monkeypatch.syspath_prepend(place)
    yield place
    monkeypatch.undo()


def test_a_parser_of_an_installed_package_needs_no_permission(installed: Path) -> None:
    """Installing the package gave it: the file only chooses one, by the name it was given there."""
    found = load_services(service(errors={"parsers": ["acme", "flat"]}))["a"].policy
    assert found is not None
    assert found.errors is not None
    assert found.errors.parsers == ("acme", "flat")
    assert "names code" in str(error(service(errors={"parsers": ["package:parse"]})))


def test_a_package_beside_the_file_is_not_installed(installed: Path, folder: Path) -> None:
    info = folder / "beside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: beside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[resilient.envelopes]\nbeside = rules:parse\n")
    for code in (False, True):
        (found,) = error(written(folder, "errors.parsers = ['beside']"), code).problems
        assert "one of acme, any, aws" in str(found)
    assert not has_run(folder)


def test_what_a_program_runs_by_default(folder: Path) -> None:
    """As its users run it, in a process of its own, with everything that a file can name."""
    file = written(folder, "\n".join(NAMING[key](RIGHT[key]) for key in NAMING))
    program = (
        "import resilient, sys\n"
        "try: resilient.load_services(sys.argv[1])\n"
        "except resilient.ConfigError as error: print(len(error.problems))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)], cwd=folder, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("6\n", "")
    assert not has_run(folder)
