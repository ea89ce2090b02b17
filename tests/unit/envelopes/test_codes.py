import copy
import pickle
import re
from typing import Any

import pytest
from attrs import evolve

from resilient.envelopes import CodeRule, Envelope, apply_code_rules
from resilient.errors import ConfigError


@pytest.mark.parametrize(
    ("rule", "status", "message", "matches"),
    [
        (CodeRule("c", status=400), 400, "anything", True),
        (CodeRule("c", status=400), 400, None, True),
        (CodeRule("c", status=400), 401, "anything", False),
        (CodeRule("c", message="no longer available"), 500, "It is NO LONGER available.", True),
        (CodeRule("c", message="No Longer"), 500, "it is no longer there", True),
        (CodeRule("c", message="no longer"), 500, "it is there", False),
        (CodeRule("c", message="no longer"), 500, None, False),
        (CodeRule("c", message="^limit"), 406, "the limit", False),
        (CodeRule("c", message=r"limit (reached|exceeded)$"), 406, "Limit reached", True),
        (CodeRule("c", status=400, message="taken"), 400, "taken", True),
        (CodeRule("c", status=400, message="taken"), 409, "taken", False),
        (CodeRule("c", status=400, message="taken"), 400, "free", False),
        (CodeRule("c", message="needle"), 400, "x" * 4000 + "needle", True),
        (CodeRule("c", message="needle"), 400, "x" * 5000 + "needle", False),
    ],
)
def test_a_rule_matches(rule: CodeRule, status: int, message: str | None, matches: bool) -> None:
    assert rule.matches(status, message) is matches
    expected = "c" if matches else "given"
    assert apply_code_rules(Envelope(message, "given"), status, [rule]) == Envelope(
        message, expected
    )


def test_the_first_rule_that_matches_gives_the_code() -> None:
    rules = [CodeRule("a", status=500), CodeRule("b", message="m"), CodeRule("c", status=400)]
    assert apply_code_rules(Envelope("m"), 400, rules).code == "b"
    assert apply_code_rules(Envelope("n"), 400, rules).code == "c"
    assert apply_code_rules(Envelope("n"), 500, iter(rules)).code == "a"


def test_no_rule_that_matches_changes_nothing() -> None:
    envelope = Envelope("m", "given", "r")
    assert apply_code_rules(envelope, 400, []) is envelope
    assert apply_code_rules(envelope, 400, [CodeRule("c", status=401)]) is envelope


def test_only_the_code_is_changed() -> None:
    assert apply_code_rules(Envelope("m", "x", "r"), 400, [CodeRule("c", 400)]) == Envelope(
        "m", "c", "r"
    )


def test_a_rule_is_a_value() -> None:
    rule = CodeRule("c", 400, "taken")
    same = CodeRule(code="c", status=400, message="taken")
    assert rule == same
    assert hash(rule) == hash(same)
    assert rule != CodeRule("c", 400, "Taken")
    assert repr(rule) == "CodeRule(code='c', status=400, message='taken')"


@pytest.mark.parametrize(
    "remade",
    [
        pickle.loads(pickle.dumps(CodeRule("c", 400, "taken"))),
        copy.deepcopy(CodeRule("c", 400, "taken")),
        evolve(CodeRule("c", 400, "free"), message="taken"),
    ],
)
def test_a_rule_works_after_pickle_copy_and_evolve(remade: CodeRule) -> None:
    assert remade == CodeRule("c", 400, "taken")
    assert remade.matches(400, "It is TAKEN.")
    assert not remade.matches(400, "It is free.")


def test_the_pattern_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = CodeRule("c", message="taken")
    monkeypatch.setattr(re, "compile", None)
    monkeypatch.setattr(re, "search", None)
    assert rule.matches(400, "taken")


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"code": "c"}, "status, a message"),
        ({"code": "", "status": 400}, "CodeRule.code"),
        ({"code": " ", "status": 400}, "CodeRule.code"),
        ({"code": None, "status": 400}, "CodeRule.code"),
        ({"code": 5, "status": 400}, "CodeRule.code"),
        ({"code": "c", "status": 99}, "CodeRule.status"),
        ({"code": "c", "status": 1000}, "CodeRule.status"),
        ({"code": "c", "status": "400"}, "CodeRule.status"),
        ({"code": "c", "status": 400.0}, "CodeRule.status"),
        ({"code": "c", "status": True}, "CodeRule.status"),
        ({"code": "c", "message": ""}, "CodeRule.message"),
        ({"code": "c", "message": 5}, "CodeRule.message"),
        ({"code": "c", "message": "("}, "CodeRule.message"),
        ({"code": "c", "message": "a{99999999999}"}, "CodeRule.message"),
        ({"code": "c", "message": "(" * 100_000}, "CodeRule.message"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_rule_that_makes_no_sense_is_refused(given: dict[str, Any], names: str) -> None:
    with pytest.raises(ConfigError, match=names):
        CodeRule(**given)


def test_an_invalid_pattern_is_shown_with_what_is_wrong_with_it() -> None:
    with pytest.raises(ConfigError, match=r"unterminated .*, not 'a\('") as caught:
        CodeRule("c", message="a(")
    assert isinstance(caught.value.__cause__, re.error)
