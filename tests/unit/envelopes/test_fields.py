import json
from typing import Any

import pytest

from resilient.envelopes import field_errors
from resilient.envelopes.fields import joined_messages
from resilient.errors import FieldError

EMAIL = (FieldError("email", "must be an email"),)


@pytest.mark.parametrize("field", ["field", "property", "path", "param", "parameter", "name"])
@pytest.mark.parametrize(
    "message", ["message", "msg", "detail", "description", "reason", "title", "code"]
)
def test_the_usual_names_of_field_and_message(field: str, message: str) -> None:
    assert field_errors([{field: "email", message: "must be an email"}]) == EMAIL


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # Lists of objects.
        ([{"loc": ["body", "email"], "msg": "m"}], [("body.email", "m")]),
        ([{"loc": ["body", "items", 0, "id"], "msg": "m"}], [("body.items.0.id", "m")]),
        ([{"path": ["user", "email"], "message": "m"}], [("user.email", "m")]),
        ([{"location": "q", "message": "m"}], [("q", "m")]),
        ([{"location": "body", "path": "email", "msg": "m"}], [("email", "m")]),
        ([{"target": "phone", "message": "m"}], [("phone", "m")]),
        ([{"field": "a", "message": ["m", "n"]}], [("a", "m"), ("a", "n")]),
        ([{"field": "a", "message": None, "code": "missing"}], [("a", "missing")]),
        ([{"field": 3, "message": "m"}], [("3", "m")]),
        ([{"source": {"pointer": "/data/attributes/name"}, "detail": "m"}],
         [("data.attributes.name", "m")]),
        ([{"source": {"parameter": "include"}, "title": "t", "detail": "m"}], [("include", "m")]),
        ([{"source": {"header": "X-Tenant"}, "detail": "m"}], [("X-Tenant", "m")]),
        # JSON pointers.
        ([{"pointer": "#/age", "detail": "m"}], [("age", "m")]),
        ([{"pointer": "#/profile/color", "detail": "m"}], [("profile.color", "m")]),
        ([{"pointer": "/profile/color", "detail": "m"}], [("profile.color", "m")]),
        ([{"pointer": "#/a~1b/m~0n/~01", "detail": "m"}], [("a/b.m~n.~1", "m")]),
        ([{"pointer": "#/gr%C3%B6%C3%9Fe%20x", "detail": "m"}], [("größe x", "m")]),
        ([{"pointer": "/a%20b", "detail": "m"}], [("a%20b", "m")]),
        ([{"pointer": "#", "detail": "m"}], [("", "m")]),
        ([{"pointer": "", "detail": "m"}], [("", "m")]),
        ([{"field": "#/a/b", "message": "m"}], [("a.b", "m")]),
        ([{"field": "#1", "message": "m"}], [("#1", "m")]),
        ([{"path": "/v1/users", "message": "m"}], [("/v1/users", "m")]),
        ([{"instancePath": "/user/name", "message": "m"}], [("user.name", "m")]),
        # class-validator.
        ([{"target": {"email": "x"}, "property": "email", "children": [],
           "constraints": {"isEmail": "must be an email", "minLength": "too short"}}],
         [("email", "must be an email"), ("email", "too short")]),
        ([{"property": "user", "children": [
            {"property": "tags", "children": [
                {"property": "0", "constraints": {"isString": "must be a string"}}]},
            {"property": "name", "constraints": {"isNotEmpty": "should not be empty"}}]}],
         [("user.tags.0", "must be a string"), ("user.name", "should not be empty")]),
        # Google.
        ([{"@type": "type.googleapis.com/google.rpc.BadRequest",
           "fieldViolations": [{"field": "page.size", "description": "too large"}]}],
         [("page.size", "too large")]),
        # Objects.
        ({"email": "m"}, [("email", "m")]),
        ({"email": ["m", "n"], "age": ["o"]}, [("email", "m"), ("email", "n"), ("age", "o")]),
        ({"email": {"message": "m", "kind": "required"}}, [("email", "m")]),
        ({"email": [{"message": "m"}, {"code": "n"}]}, [("email", "m"), ("email", "n")]),
        ({"field": "limit", "message": "m"}, [("limit", "m")]),
        ({"field": ["m"], "message": ["n"]}, [("field", "m"), ("message", "n")]),
        ({"#/a/b": ["m"]}, [("a.b", "m")]),
        ({"limit": 300, "ok": True, "none": None, "list": [1, None, []]}, []),
        # Of an object within an object, and of lists of objects, the names are steps.
        ({"address": {"zip": ["m"]}, "items": [{}, {"name": ["n"]}]},
         [("address.zip", "m"), ("items.1.name", "n")]),
        ({"a": {"_errors": [{"code": "c", "message": "m"}]}, "_errors": []}, [("a", "m")]),
        # Of a list the fields, and of these each.
        ([{"fields": ["a", "b"], "message": "m"}], [("a", "m"), ("b", "m")]),
        ([{"field": "/purchase_units/0/amount", "issue": "i"}], [("purchase_units.0.amount", "i")]),
        # Repetition is kept.
        ([{"field": "a", "message": "m"}] * 2, [("a", "m"), ("a", "m")]),
        # A message without a field keeps its message, and a field without one its field.
        (["email must be an email"], [("", "email must be an email")]),
        ([None, 1, [], {}, "x", {"field": "a"}, {"message": "m"}],
         [("", "x"), ("a", ""), ("", "m")]),
        ([{"field": "", "message": "m"}, {"field": None, "message": "m"}], [("", "m"), ("", "m")]),
        ([{"field": {"a": 1}, "message": "m"}, {"loc": [], "msg": "m"}], [("", "m"), ("", "m")]),
        ([{"field": "a", "message": {"isEmail": "m"}}], [("a", "")]),
        # An object of plain values says nothing of fields.
        ({"limit": "100", "code": "x", "docs": "https://e.example"}, []),
        (None, []), ("text", []), (5, []), (True, []), ([], []), ({}, []),
    ],
    ids=lambda value: json.dumps(value)[:40],
)  # fmt: skip
def test_field_errors_of(value: Any, expected: list[tuple[str, str]]) -> None:
    assert field_errors(value) == tuple(FieldError(*pair) for pair in expected)


def test_names_and_messages_always_encode() -> None:
    found = field_errors([{"field": "a\ud800", "message": "\udfff"}, {"pointer": "#/%ff"}])
    assert found == (FieldError("a\ufffd", "\ufffd"), FieldError("\ufffd", ""))
    assert field_errors({"\ud800": ["x"]}) == (FieldError("\ufffd", "x"),)


@pytest.mark.parametrize(
    "value",
    [
        [{"field": f"f{i}", "message": "m"} for i in range(10_000)],
        {f"f{i}": ["m"] for i in range(10_000)},
        {f"f{i}": ["m"] * 100 for i in range(10_000)},
        [{"property": "p", "children": [{"property": "c", "message": "m"}] * 10_000}],
    ],
)
def test_a_hundred_details_are_kept(value: Any) -> None:
    assert len(field_errors(value)) == 100


class Counted(dict[str, Any]):
    """An object that counts how often any such object was looked into."""

    looked = 0

    def items(self) -> Any:
        Counted.looked += 1
        return super().items()


@pytest.mark.parametrize(
    "value",
    [
        [Counted(x=1) for _ in range(10_000)],
        [{"children": [Counted(x=1) for _ in range(10_000)]}],
        [{"children": [Counted(children=[Counted(x=1)])]} for _ in range(10_000)],
    ],
)
def test_a_list_of_rubbish_is_not_looked_through_to_its_end(value: Any) -> None:
    Counted.looked = 0
    assert field_errors(value) == ()
    assert 0 < Counted.looked < 10_000


def test_nesting_is_followed_so_far_and_no_farther() -> None:
    item: dict[str, Any] = {"property": "p", "message": "m"}
    for _ in range(5000):
        item = {"property": "p", "message": "m", "children": [item]}
    found = field_errors([item])
    assert [error.field for error in found] == [".".join("p" * n) for n in range(1, 21)]


def test_a_long_name_is_not_multiplied_by_its_children() -> None:
    children = [{"property": "c", "message": "m"}] * 100
    found = field_errors([{"property": "p" * 60_000, "children": children}])
    assert len(found) == 100
    assert {len(error.field) for error in found} == {1000}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (["Name is blank", "Email is invalid"], "Name is blank; Email is invalid"),
        ([{"message": "m"}, {"detail": "d"}, "s"], "m; d; s"),
        ([{"loc": ["a"], "msg": "Field required"}, {"loc": ["b"], "msg": "Field required"}],
         "Field required"),
        ([{"property": "a", "constraints": {"isEmail": "must be an email"}}], "must be an email"),
        ({"email": ["taken", "too long"]}, "taken; too long"),
        ([], None), ({}, None), (None, None), ("text", None), ([{}, None, 5], None),
    ],
)  # fmt: skip
def test_remarks(value: Any, said: str | None) -> None:
    assert joined_messages(value) == said
