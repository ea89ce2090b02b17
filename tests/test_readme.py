"""Every block of Python in the README runs as it stands there."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from sybil import Example

from resilient import load_services
from resilient.envelopes import FORMATS
from resilient.services.config.layers import preset_names
from tests.examples import examples_of, output_of

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.parametrize("example", examples_of(README), ids=lambda example: f"line {example.line}")
def test_the_examples_of_the_readme_run(example: Example) -> None:
    assert output_of(example)


def test_the_file_of_services_in_the_readme_is_right() -> None:
    block, *_ = README.read_text(encoding="utf-8").split("```toml\n")[1:]
    services = load_services(tomllib.loads(block.split("```")[0]))
    assert list(services) == ["mavio", "meetergo"]
    assert services.default_pipeline is not None


def test_the_readme_shows_three_commands() -> None:
    text = README.read_text(encoding="utf-8")
    commands = [block.split("```")[0].strip() for block in text.split("```sh\n")[1:]]
    assert [command.rsplit(" && ", 1)[1] for command in commands] == [
        ".venv/bin/python -m resilient demo",
        ".venv/bin/python -m pytest -n auto",
        ".venv/bin/python -m benchmarks all",
    ]


def test_the_table_of_formats_is_that_of_the_code() -> None:
    text = README.read_text(encoding="utf-8")
    rows = text.split("<!-- formats: ")[1].split("<!-- end of formats -->")[0].split("\n")[1:]
    # "|" parts columns, also within code.
    wanted = [
        f"| [{each.name}]({each.source}) | `{each.shape.replace('|', '¦')}` |" for each in FORMATS
    ]
    assert [row for row in rows if row][2:] == wanted


def test_the_readme_names_every_preset() -> None:
    text = README.read_text(encoding="utf-8")
    assert [name for name in preset_names() if f"`{name}`" not in text] == []
