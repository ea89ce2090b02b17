"""Problems of a file name line and column, and what many meet says how to mend it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from resilient import ConfigError
from resilient.services.config.positions import Positions
from resilient.services.config.spelling import spelled
from tests.growth import growth
from tests.unit.services.config.problems import error

# Each mark `^N` is where problem N has to be, and is taken out.
MARKED = '''
# A comment with [brackets] = and "quotes
^0servces = 1
services."a.b".^1matc = "x"

[ services . c ] # another
match = ["https://c.example", # with a ], in it
  ^2"ftp://x",
]
facts.text = """one " ""two
[services.d]
"""
"total_timeout" = ^3'a # "b'
^6attempt_timeut = 1979-05-27 07:32:00
retry = { max_attempts = ^4true, backoff = { ^5capp = '1' } }

[services.c.^7braker]
[[services.c.errors.code_rules]]
code = "x"
status = 400
[[services.c.errors.code_rules]]
code = "y"
status = ^8"z"
[[services.c.errors.code_rules]]
status = 401
'''


def marked() -> tuple[str, list[tuple[int, int]]]:
    """The document, and the places of its marks."""
    places = []
    lines = MARKED.split("\n")
    for number, line in enumerate(lines):
        while mark := re.search(r"\^[0-9]", line):
            places.append((number + 1, mark.start() + 1))
            line = line[: mark.start()] + line[mark.end() :]
        lines[number] = line
    return "\n".join(lines), places


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_each_problem_names_its_line_and_column(newline: str, tmp_path: Path) -> None:
    text, places = marked()
    file = tmp_path / "services.toml"
    file.write_bytes(text.replace("\n", newline).encode("utf-8-sig"))
    found = error(file).problems
    at = [(each.line, each.column) for each in found]
    assert at == sorted(at)
    # A service without a pattern, and a rule without a code, are wrong where their table begins.
    assert [each for each in at if each not in places] == [(4, 10), (24, 21)]
    assert [each for each in places if each not in at] == []
    for each in found:
        assert str(each).startswith(f"{file}:{each.line}:{each.column}: {each.where} ")


def values(path: tuple[Any, ...], value: Any) -> Any:
    yield path, value
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from values((*path, key), each)


@pytest.mark.parametrize(
    "text",
    [
        marked()[0],
        "a.b.c = 1\na.d = 2\n[e.f]\n[e]\nx = 1\n[[e.g]]\n[[e.g.h]]\ny = [[1, 2], [{ z = 3 }]]",
        "[[a]]\n[a.b]\nc = '''\n''' \n[[a]]\nb.c = \"\\\"\"\n'f g' . \"h\\u0041\" = +inf",
    ],
)
def test_every_value_is_found_where_it_stands(text: str) -> None:
    positions = Positions(text)
    lines = text.split("\n")
    found = 0
    for path, value in values((), tomllib.loads(text)):
        if isinstance(value, dict | list) or not path:
            continue
        line, column = positions.of_value(path)
        rest = "\n".join([lines[line - 1][column - 1 :], *lines[line:]])
        # The shortest beginning that is a value is that one.
        for end in range(1, len(rest) + 1):
            try:
                read = tomllib.loads(f"x = {rest[:end]}")["x"]
            except ValueError:
                continue
            if read == value:
                found += 1
                break
        else:
            raise AssertionError(path)
        key_line, key_column = positions.of_key(path)
        if isinstance(path[-1], str):
            shown = lines[key_line - 1][key_column - 1 :]
            assert next(iter(tomllib.loads(f"{shown.split('=')[0]} = 1"))) == path[-1]
    assert found >= 3


@pytest.mark.parametrize(
    "text",
    [
        'true', '"a\\nb\\u007f"', "1.5", "inf", "-3", "[]", "{}", '[429, "500-504", false]',
        '{ a = 1, "b c" = { d = [{ e = 2 }] } }', "1979-05-27", "07:32:00", "1979-05-27T07:32:00",
    ],
)  # fmt: skip
def test_values_are_spelled_as_toml_does(text: str) -> None:
    assert spelled(tomllib.loads(f"x = {text}")["x"]) == text


SLIPS = [
    # (content, place, what is said)
    ("[default]\ntotal_timeout = 20s\n", "2:19", 'a text is in quotes, "20s"'),
    ("[default]\nretry = False\n", "2:9", "true and false are in lower case"),
    ("[default]\nretry = false\nretry = true\n", "3:13", "retry is set twice"),
    ("[services.a]\n[services.a]\n", "2:12", "Cannot declare services.a twice"),
    ("[default]\nretry = {}\nretry.judge = false\n", "3:20", "write all keys in it"),
    ('[default]\nextends = "mavio\n', "2:17", "a text ends in its line"),
    ('{"default": {}}', "1:1", "this looks like JSON"),
    ("default: {}\n", "1:8", "a table's name is in brackets: [default]"),
    ("services.a\n", "1:11", "a table's name is in brackets: [default]"),
    ("[default]\nretry = {", "2:10", "is not valid TOML"),
    ("x = 1\n[default\n", "2:9", "is not valid TOML"),
]


@pytest.mark.parametrize(("content", "place", "said"), SLIPS)
def test_what_is_no_toml_says_how_to_mend_it(
    content: str, place: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "services.toml"
    file.write_text(content)
    found = error(file)
    assert str(found).startswith(f"{file}:{place}: is not valid TOML: ")
    assert said in str(found)
    assert (found.file, f"{found.line}:{found.column}") == (str(file), place)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"services": {"my": {"api": {"match": "x"}}}}, '(did you mean [services."my.api"]?'),
        ({"default": {"include": []}}, "(did you mean include at the top of the file"),
        ({"default": {"retry": {"statuses": "5xx"}}}, "must be an array of statuses from 200"),
        ({"default": {"retry": {"codes": [""]}}}, 'codes[0] is "", and codes must be an array of'),
        (
            {"default": {"retry": {"backoff": {"base": 50}}}},
            "cap must be at least base (50 s), and is 20.0 by default",
        ),
        (
            {"default": {"errors": {"throttling_codes": {"flat": 5}}}},
            "must be a table of codes, a list for each format by its name, not { flat = 5 }",
        ),
        ({"services": [{"api_key": "s3cret"}]}, "[services.NAME], not an array"),
    ],
)
def test_other_slips_say_how_to_mend_them(document: dict[str, Any], said: str) -> None:
    found = str(error(document))
    assert said in found
    assert "s3cret" not in found


def test_a_problem_more_takes_no_longer_in_a_longer_file() -> None:
    def places(text: Any) -> None:
        found = Positions(text)
        for path in found:
            found.of_key(path)

    assert growth(lambda lines: "".join(f"k{n} = 1\n" for n in range(lines)), places, 3000) < 10


def test_many_problems_end_after_twenty_with_a_count() -> None:
    found = error({"default": {f"x{place}": 1 for place in range(27)}})
    lines = str(found).splitlines()
    assert lines[0] == "27 problems:"
    assert lines[-1] == "  and 7 more"
    assert len(lines) == 22
    assert len(found.problems) == 27
    assert "more" not in str(ConfigError.of_all(found.problems[:20]))
