"""The policies that are compared, and those of a user's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.contenders import STANDARD, from_file, from_file_if_any
from resilient import ConfigError

FILE = """
[services.billing]
match = "https://billing.example"
retry = { max_attempts = 2 }

[services.pipeline]
match = "https://other.example"

[default]
retry = false
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = tmp_path / "resilient.toml"
    path.write_text(FILE)
    return str(path)


def test_the_policies_of_a_file_have_names_that_no_other_has(path: str) -> None:
    names = [each.name for each in from_file(path)]
    assert names == ["billing (file)", "pipeline (file)", "default (file)"]
    assert not {each.name for each in STANDARD} & set(names)


def test_one_service_of_a_file_can_be_chosen(path: str) -> None:
    (billing,) = from_file(path, "billing")
    assert billing.policy.retry is not None
    assert billing.policy.retry.max_attempts == 2


def test_a_file_need_not_be_given_but_for_a_service(path: str) -> None:
    assert from_file_if_any(path, "pipeline") == from_file(path, "pipeline")
    assert from_file_if_any(None, None) == ()
    with pytest.raises(ConfigError, match="the service 'api' needs a policy file that has it"):
        from_file_if_any(None, "api")


def test_what_is_not_there_is_said(path: str) -> None:
    with pytest.raises(ConfigError, match="service must be one of billing, pipeline, default in"):
        from_file(path, "shop")
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        from_file("nowhere.toml")


def test_code_that_a_file_names_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "resilient.toml"
    path.write_text('[default]\nretry.judge = "os.path:exists"')
    with pytest.raises(ConfigError, match=r'default\.retry\.judge names code, "os\.path:exists"'):
        from_file(str(path))
