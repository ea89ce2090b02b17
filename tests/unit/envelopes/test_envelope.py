import pickle
from typing import Any

import pytest
from attrs.exceptions import FrozenInstanceError

from resilient.envelopes import Envelope
from resilient.errors import FieldError


def test_an_envelope_is_empty_unless_told_otherwise() -> None:
    assert Envelope() == Envelope(None, None, None, ())


def test_an_envelope_is_a_frozen_value() -> None:
    envelope = Envelope("m", "c", "r", (FieldError("f", "m"),))
    assert envelope == Envelope("m", "c", "r", (FieldError("f", "m"),))
    assert hash(envelope) == hash(Envelope("m", "c", "r", (FieldError("f", "m"),)))
    assert pickle.loads(pickle.dumps(envelope)) == envelope
    with pytest.raises(FrozenInstanceError):
        envelope.code = "other"  # type: ignore[misc]  # on purpose


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("text", "text"),
        (" kept as it is\n", " kept as it is\n"),
        ("", None),
        (" \n", None),
        ("a\ud800b", "a\ufffdb"),
        (40001, "40001"),
        (["one", "two"], "one; two"),
        ({"not": "text"}, None),
        (True, None),
        (b"bytes", None),
    ],
)
def test_whoever_makes_an_envelope_its_texts_are_sound(given: Any, kept: str | None) -> None:
    envelope = Envelope(message=given, code=given, request_id=given)
    assert (envelope.message, envelope.code, envelope.request_id) == (kept, kept, kept)


def test_details_are_a_tuple_of_at_most_a_hundred_sound_ones() -> None:
    many: Any = [FieldError(f"field{i}", "wrong") for i in range(1000)]
    assert Envelope(details=many).details == tuple(many[:100])
    unsound = (FieldError("a\udfffb", "\ud800"),)
    assert Envelope(details=unsound).details == (FieldError("a\ufffdb", "\ufffd"),)
