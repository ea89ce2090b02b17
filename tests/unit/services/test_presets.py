"""The presets of the two documented services: each status, code and message that they name."""

from __future__ import annotations

import json
from datetime import date
from itertools import islice
from typing import Any

import pytest
from attrs import evolve
from yarl import URL

from resilient import APIError, ConfigError, Policy, ThrottlePolicy, load_services, parse_error
from resilient.core.outcome import IDEMPOTENT_METHODS, Outcome
from resilient.envelopes import FORMATS
from resilient.errors import public_request_info
from resilient.retry.decision import Facts, decide, pace
from resilient.services.config.layers import preset_names
from tests.unit.envelopes.test_documented_formats import (
    JSON,
    MAVIO,
    MAVIO_STATUSES,
    MEETERGO,
    MEETERGO_STATUSES,
)

URL_OF = {"mavio": "https://api.mavio.example", "meetergo": "https://api.meetergo.com"}


def policy_of(preset: str, **settings: Any) -> Policy:
    table = {"extends": preset, "match": "https://api.example", **settings}
    return load_services({"services": {preset: table}}).services[0].policy


def facts_of(preset: str) -> dict[str, Any]:
    table = {"extends": preset, "match": "https://api.example"}
    return dict(load_services({"services": {preset: table}}).services[0].facts)


def error_of(preset: str, status: int, body: str, **headers: str) -> APIError:
    """The error that the preset makes of a response."""
    errors = policy_of(preset).errors
    assert errors is not None
    envelope = parse_error(
        status,
        {**JSON, **headers},
        body.encode(),
        parsers=errors.parsers,
        code_rules=errors.code_rules,
        request_id_headers=errors.request_id_headers,
    )
    info = public_request_info(URL(URL_OF[preset]), "GET")
    return APIError(info, status=status, code=envelope.code, request_id=envelope.request_id)


def repeated(preset: str, error: APIError, method: str = "GET", number: int = 1) -> bool:
    """Whether the preset repeats what failed so."""
    retry = policy_of(preset).retry
    assert retry is not None
    facts = Facts(Outcome.supposed(None, error), method, number, retry.max_attempts)
    return decide(retry, facts).repeat


def mavio_body(code: str, message: str = "Said.") -> str:
    return json.dumps({"error": {"code": code, "message": message, "request_id": "req_1"}})


def meetergo_body(status: int, meaning: str, message: str = "Said.") -> str:
    return json.dumps({"statusCode": status, "message": message, "error": meaning})


# -- Mavio


@pytest.mark.parametrize(("status", "code"), [row[:2] for row in MAVIO_STATUSES])
def test_mavio_each_documented_code_is_known_and_repeated_if_that_can_help(
    status: int, code: str
) -> None:
    error = error_of("mavio", status, mavio_body(code))
    assert (error.code, error.request_id) == (code, "req_1")
    retry = policy_of("mavio").retry
    assert retry is not None
    worth_it = status in (429, 500, 503)
    assert repeated("mavio", error) == worth_it
    # Each is named, so that its code decides even if the status is another one.
    assert (code in retry.codes, code in retry.fatal_codes) == (worth_it, not worth_it)
    assert repeated("mavio", evolve_status(error, 418)) == worth_it


def test_mavio_names_no_codes_that_are_not_documented() -> None:
    retry = policy_of("mavio").retry
    assert retry is not None
    assert retry.codes | retry.fatal_codes == {code for _, code, _ in MAVIO_STATUSES}


@pytest.mark.parametrize("code", ["bad_request", "conflict", "unprocessable_entity"])
def test_mavio_what_the_caller_has_to_mend_is_not_repeated_whatever_the_status(code: str) -> None:
    assert not repeated("mavio", error_of("mavio", 503, mavio_body(code)))


@pytest.mark.parametrize(("status", "body", "envelope"), MAVIO.values(), ids=MAVIO)
def test_mavio_each_example_comes_to_its_code(status: int, body: str, envelope: Any) -> None:
    error = error_of("mavio", status, body)
    assert (error.code, error.request_id) == (envelope.code, envelope.request_id)
    assert repeated("mavio", error) == (status in (429, 500))


@pytest.mark.parametrize("status", [502, 504])
def test_mavio_the_gateway_in_front_of_it_is_asked_again(status: int) -> None:
    error = error_of("mavio", status, "<html>Bad Gateway</html>")
    assert error.code is None
    assert repeated("mavio", error)


def test_mavio_its_rate_limit_is_kept() -> None:
    assert policy_of("mavio").throttle == ThrottlePolicy(limit="300/min")
    assert facts_of("mavio") == {"error_format": "nested"}
    assert "300 requests per minute" in MAVIO["rate limit"][2].message  # type: ignore[operator]  # it has one


def test_mavio_its_retry_after_is_obeyed() -> None:
    retry = policy_of("mavio").retry
    assert retry is not None
    pause = pace(1.0, 8.0, policy=retry, random=0.0, left=100.0)
    assert pause.seconds == 8.0


# -- Meetergo


@pytest.mark.parametrize(("status", "meaning"), [row[:2] for row in MEETERGO_STATUSES])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_meetergo_each_documented_status_is_repeated_if_that_can_help(
    status: int, meaning: str, method: str
) -> None:
    """Its guide: with backoff after 429, 500, 502 and 503; never after another 4xx."""
    error = error_of("meetergo", status, meetergo_body(status, meaning))
    safe = method == "GET" or status == 429
    assert repeated("meetergo", error, method) == (status in (429, 500, 502, 503) and safe)


MEETERGO_CODES = {
    "every error": "validation_failed",
    "missing header": "missing_credentials",
    "invalid key": "invalid_api_key",
    "expired key": "expired_api_key",
    "missing user context": "missing_user",
    "slot unavailable": "slot_unavailable",
    "invalid duration": "invalid_duration",
    "missing host": "missing_host",
    "validation": "validation_failed",
}


@pytest.mark.parametrize("name", MEETERGO)
def test_meetergo_each_example_has_a_code_of_its_own(name: str) -> None:
    status, body, _ = MEETERGO[name]
    error = error_of("meetergo", status, body)
    assert error.code == MEETERGO_CODES[name]
    assert not repeated("meetergo", error)


@pytest.mark.parametrize(
    ("status", "meaning", "message", "code"),
    [
        # As its guide tells them: a 400 whose message includes these words.
        (400, "Bad Request", "Slot NO LONGER AVAILABLE, sorry", "slot_unavailable"),
        (409, "Conflict", "The slot is no longer available", "conflict"),
        (400, "Bad Request", "Something else", "bad_request"),
        (401, "Unauthorized", "Something else", "unauthorized"),
        (403, "Forbidden", "API key has expired", "forbidden"),
        # "Limit reached (e.g., max webhooks)".
        (406, "Not Acceptable", "You have reached your webhooks", "limit_reached"),
        (404, "Not Found", "No such booking", "not_found"),
    ],
)
def test_meetergo_words_and_status_together_make_a_code(
    status: int, meaning: str, message: str, code: str
) -> None:
    assert error_of("meetergo", status, meetergo_body(status, meaning, message)).code == code


def test_meetergo_its_address_is_noted() -> None:
    assert facts_of("meetergo") == {
        "error_format": "flat",
        "base_url": "https://api.meetergo.com",
    }


# -- both


@pytest.mark.parametrize("preset", URL_OF)
def test_waits_are_1_2_and_4_seconds_at_most_and_half_of_that_at_least(preset: str) -> None:
    retry = policy_of(preset).retry
    assert retry is not None
    assert retry.max_attempts == 4
    assert list(islice(retry.backoff.bounds(), 3)) == [(0.5, 1.0), (1.0, 2.0), (2.0, 4.0)]
    # Who sets more attempts waits no longer than that.
    assert list(islice(retry.backoff.bounds(), 5))[3:] == [(2.0, 4.0)] * 2
    nominal = evolve(retry.backoff, jitter="none")
    assert list(islice(nominal.bounds(), 3)) == [(1.0, 1.0), (2.0, 2.0), (4.0, 4.0)]
    for draw, waits in [(0.0, [0.5, 1.0, 2.0]), (0.5, [0.75, 1.5, 3.0])]:
        made = retry.backoff.waits(lambda draw=draw: draw)  # type: ignore[misc]  # bound now
        assert [next(made) for _ in range(3)] == waits


@pytest.mark.parametrize("preset", URL_OF)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_what_may_have_been_carried_out_is_not_repeated(
    preset: str, method: str, status: int
) -> None:
    error = error_of(preset, status, "")
    assert repeated(preset, error)
    assert not repeated(preset, error, method)


@pytest.mark.parametrize("preset", URL_OF)
def test_anything_is_repeated_after_a_rate_limit_as_often_as_there_are_attempts(
    preset: str,
) -> None:
    error = error_of(preset, 429, "")
    assert [repeated(preset, error, "POST", number) for number in range(1, 6)] == [
        True,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("preset", URL_OF)
def test_what_a_preset_does_not_say_is_as_everywhere(preset: str) -> None:
    policy, standard = policy_of(preset), Policy()
    assert policy.retry is not None
    assert policy.errors is not None
    assert standard.retry is not None
    assert standard.errors is not None
    said = ["statuses", "codes", "fatal_codes", "max_attempts", "backoff"]
    changes = {key: getattr(policy.retry, key) for key in said}
    assert evolve(standard.retry, **changes) == policy.retry
    said = ["parsers", "code_rules"]
    changes = {key: getattr(policy.errors, key) for key in said}
    assert evolve(standard.errors, **changes) == policy.errors
    policy = evolve(policy, retry=standard.retry, errors=standard.errors)
    assert evolve(policy, name="default", throttle=standard.throttle) == standard


@pytest.mark.parametrize("preset", URL_OF)
def test_a_preset_reads_the_other_formats_too(preset: str) -> None:
    """Gateways answer for a service, and services change."""
    problem = '{"type": "about:blank", "title": "Gone", "code": "x", "detail": "It went."}'
    headers = {"Content-Type": "application/problem+json"}
    assert error_of(preset, 410, problem, **headers).code is not None
    assert error_of(preset, 410, mavio_body("x")).code == "x"
    assert error_of(preset, 410, meetergo_body(410, "Gone")).code == "gone"


@pytest.mark.parametrize("preset", [*URL_OF, "standard"])
def test_what_somebody_makes_of_a_preset_is_theirs_alone(preset: str) -> None:
    table = {"extends": preset, "match": "https://a.example"}
    first = load_services({"services": {"a": table}}).services[0]
    before = dict(first.facts)
    first.facts["requests_per_minute"] = 1  # type: ignore[index]  # on purpose
    assert load_services({"services": {"a": table}}).services[0].facts == before


@pytest.mark.parametrize("preset", URL_OF)
def test_a_preset_gives_way_to_settings(preset: str) -> None:
    policy = policy_of(preset, total_timeout=5, retry={"max_attempts": 2, "codes": ["x"]})
    assert policy.total_timeout == 5
    assert policy.retry is not None
    assert (policy.retry.max_attempts, policy.retry.codes) == (2, frozenset({"x"}))
    assert policy.retry.backoff == policy_of(preset).retry.backoff  # type: ignore[union-attr]  # it has one


def test_a_name_that_is_no_preset_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError) as caught:
        load_services({"services": {"a": {"extends": "mavoi", "match": "https://a.example"}}})
    assert "mavio, meetergo" in str(caught.value)
    assert "(did you mean mavio?)" in str(caught.value)


PUBLIC = sorted(preset_names() - {*URL_OF, "standard"})


@pytest.mark.parametrize("preset", PUBLIC)
def test_a_preset_of_a_public_service_says_where_it_is_from(preset: str) -> None:
    facts = facts_of(preset)
    assert facts["source"]
    assert all(each.startswith("https://") for each in facts["source"])
    assert date.fromisoformat(facts["checked"]).year >= 2026
    errors = policy_of(preset).errors
    assert errors is not None
    assert errors.parsers == (facts["error_format"], "any")
    assert facts["error_format"] in {each.name for each in FORMATS}


@pytest.mark.parametrize("preset", PUBLIC)
def test_a_limit_that_depends_on_the_account_is_a_fact_and_not_kept(preset: str) -> None:
    throttle = policy_of(preset).throttle
    assert throttle is not None
    assert throttle.limit is None
    assert facts_of(preset)["limits"]


@pytest.mark.parametrize("preset", PUBLIC)
def test_a_preset_makes_no_request_repeatable_that_may_have_been_carried_out(preset: str) -> None:
    retry = policy_of(preset).retry
    assert retry is not None
    assert retry.methods == IDEMPOTENT_METHODS


def evolve_status(error: APIError, status: int) -> APIError:
    return APIError(error.request_info, status=status, code=error.code)
