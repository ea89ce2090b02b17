"""Write reports as JSON, and read them.

    {"format": "resilient-benchmarks", "version": 1,
     "stopped":  the reason for an early end, "" without one
     "missing":  [NAME, ...], the benchmarks that have no result because of that
     "machine":  {...}, from `describe_machine`
     "results":  [{...}, ...], the fields of `benchmarks.results.Result`}

Numbers that JSON does not have are the texts "NaN", "Infinity" and "-Infinity".
"""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Mapping
from typing import Any, Final

from cattrs import Converter, transform_error

from benchmarks.report.document import Report
from benchmarks.results import as_json
from resilient import ConfigError

__all__ = ["parse_report", "read_report", "to_json"]

_FORMAT: Final = "resilient-benchmarks"
_VERSION: Final = 1

_NO_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_json(report: Report) -> str:
    """Return a report as JSON in ASCII, within the standard."""
    facts = {
        "format": _FORMAT,
        "version": _VERSION,
        "stopped": report.stopped,
        "missing": report.missing,
        **as_json(report.results, report.machine),
    }
    return json.dumps(_plain(facts), indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return _real(float(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    return str(value)


def _real(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def read_report(path: str) -> Report:
    """Read a report from a file.

    Raises:
        ConfigError: The file is no report, or one of an unknown version.
        OSError: The file cannot be read.
    """
    with open(path, "rb") as file:
        return parse_report(file.read(), path)


def parse_report(text: bytes, name: str) -> Report:
    """Read a report from JSON.

    Args:
        text: The JSON.
        name: The name for error messages.

    Raises:
        ConfigError: The JSON is no report, or one of an unknown version.
    """
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _misfit(name, f"not JSON: {error}") from None
    if not isinstance(facts, dict) or facts.get("format") != _FORMAT:
        raise _misfit(name, f'"format" is not "{_FORMAT}"')
    version = facts.get("version")
    if isinstance(version, bool) or version != _VERSION:
        raise _misfit(name, f"its version is {json.dumps(version)}, not {_VERSION}")
    try:
        return _CONVERTER.structure(facts, Report)
    except Exception as error:  # cattrs may raise anything for wrong input
        raise _misfit(name, transform_error(error)[0]) from None


def _misfit(name: str, why: str) -> ConfigError:
    return ConfigError(f"{name}: is no report of these benchmarks: {why}", file=name)


def _float(value: Any, _: object) -> float:
    if isinstance(value, str) and value in _NO_NUMBERS:
        return _NO_NUMBERS[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, not {value!r:.40}")
    float(value)  # raises if an integer is too large
    return value


def _exactly(value: Any, kind: type[Any]) -> Any:
    """Accept a value of exactly this type; convert nothing."""
    if type(value) is not kind:
        raise ValueError(f"expected {kind.__name__}, not {value!r:.40}")
    return value


def _converter() -> Converter:
    converter = Converter()
    converter.register_structure_hook(float, _float)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _exactly)
    return converter


_CONVERTER = _converter()
