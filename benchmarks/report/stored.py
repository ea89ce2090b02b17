"""Reports in JSON, and back.

    {"format": "resilient-benchmarks", "version": 1,
     "stopped":  why no more was measured, "" at the regular end
     "missing":  [NAME, ...], the benchmarks that therefore found nothing
     "machine":  {...}, as `benchmarks.report.document` has it
     "results":  [{...}, ...], the fields of `benchmarks.results`}

A number that JSON does not have is "NaN", "Infinity" or "-Infinity", as text.
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
    """A report as JSON: ASCII, and nothing that the standard does not know."""
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
    """The report in a file.

    Raises:
        ConfigError: It is no report, or one of a version that is not known here.
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        return parse_report(file.read(), path)


def parse_report(text: bytes, name: str) -> Report:
    """The report in a text.

    Args:
        text: The JSON.
        name: What an error calls it.

    Raises:
        ConfigError: It is no report, or one of a version that is not known here.
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
    except Exception as error:  # whatever cattrs makes of what somebody has written
        raise _misfit(name, transform_error(error)[0]) from None


def _misfit(name: str, why: str) -> ConfigError:
    return ConfigError(f"{name}: is no report of these benchmarks: {why}", file=name)


def _float(value: Any, _: object) -> float:
    if isinstance(value, str) and value in _NO_NUMBERS:
        return _NO_NUMBERS[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, not {value!r:.40}")
    float(value)  # which an integer may be too large for
    return value


def _exactly(value: Any, kind: type[Any]) -> Any:
    """Text for text, and so on: nothing is converted."""
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
