"""List the built-in formats of error bodies, in the order in which they are asked.

The first that does not decline is right, so that what is told by something sure (a media type,
a member that only one has) comes before what is told by its shape. `problem` comes after these,
and of documents that declare nothing takes only those with neither `message`, `statusCode` nor
`error`. `nested` and `flat` differ by where the error stands, and take what is left. Of each
kind of content only its own formats are asked, and of these only those of which the document
has one of the `names`: a body that is in none of them costs a few look-ups.

"any" is the name of all of them together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import evolve, frozen

from resilient.envelopes.content import Kind, content_of
from resilient.envelopes.envelope import Envelope
from resilient.envelopes.formats.aws import aws_code, read_aws
from resilient.envelopes.formats.discord import read_discord
from resilient.envelopes.formats.fields import read_fields
from resilient.envelopes.formats.flat import read_flat
from resilient.envelopes.formats.github import read_github
from resilient.envelopes.formats.google import read_google
from resilient.envelopes.formats.graphql import read_graphql
from resilient.envelopes.formats.jsonapi import read_jsonapi
from resilient.envelopes.formats.jsonrpc import read_jsonrpc
from resilient.envelopes.formats.lists import read_list
from resilient.envelopes.formats.nested import read_nested
from resilient.envelopes.formats.oauth import read_challenge, read_oauth
from resilient.envelopes.formats.odata import read_odata
from resilient.envelopes.formats.oks import read_slack, read_telegram
from resilient.envelopes.formats.pages import read_html, read_text
from resilient.envelopes.formats.problem import read_problem
from resilient.envelopes.formats.soap import read_soap
from resilient.envelopes.formats.xml import read_xml

__all__ = ["FORMATS", "Format", "parse_any", "parse_flat", "parse_nested", "parse_problem"]

Read = Callable[[int, Mapping[str, str], Any], Envelope | None]


@frozen
class Format:
    """A format of error bodies; call it as a parser.

    Attributes:
        name: The name by which a policy asks for it.
        kind: The kind of content that it is in; "nothing" for one that is in headers.
        read: Reads the content of a body in it, or declines.
        shape: The look of such a body, in one line.
        source: The address of the document that describes it.
        names: Folded names of members, of which a body has one at least; None for any body.
    """

    name: str
    kind: Kind
    read: Read
    shape: str
    source: str
    names: frozenset[str] | None = None

    def __call__(self, status: int, headers: Mapping[str, str], body: bytes, /) -> Envelope | None:
        """Return the envelope of a body in this format, or None to decline."""
        kind, value = content_of(body)
        return self.of_content(status, headers, value) if self._takes(kind) else None

    def _takes(self, kind: Kind) -> bool:
        return kind == self.kind or self.kind == "nothing"

    def of_content(self, status: int, headers: Mapping[str, str], value: Any) -> Envelope | None:
        """Return the envelope of content of its kind, or None to decline."""
        envelope = self.read(status, headers, value)
        if envelope is not None:
            # Just made by `read`, and known to nobody else.
            object.__setattr__(envelope, "format", self.name)
        return envelope


_ERROR: Final = frozenset(("error", "odata.error"))
_ERRORS: Final = frozenset(("errors",))
_OK: Final = frozenset(("ok",))

FORMATS: Final = (
    Format(
        "aws",
        "object",
        read_aws,
        '{"__type": "namespace#Code", "message"}, or with X-Amzn-Errortype',
        "https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html",
        frozenset(("type", "message", "code")),
    ),
    Format(
        "jsonrpc",
        "object",
        read_jsonrpc,
        '{"jsonrpc": "2.0", "error": {"code", "message", "data"}}',
        "https://www.jsonrpc.org/specification",
        frozenset(("jsonrpc",)),
    ),
    Format(
        "slack",
        "object",
        read_slack,
        '{"ok": false, "error": CODE}',
        "https://docs.slack.dev/apis/web-api/",
        _OK,
    ),
    Format(
        "telegram",
        "object",
        read_telegram,
        '{"ok": false, "error_code", "description", "parameters"}',
        "https://core.telegram.org/bots/api",
        _OK,
    ),
    Format(
        "google",
        "object",
        read_google,
        '{"error": {"status", "message", "details": [{"@type"}]}}, gRPC gateways',
        "https://google.aip.dev/193",
        frozenset(("error", "details")),
    ),
    Format(
        "odata",
        "object",
        read_odata,
        '{"error": {"code", "message", "innererror"}}: Microsoft Graph, Azure, SAP',
        "https://docs.oasis-open.org/odata/odata-json-format/v4.01/odata-json-format-v4.01.html",
        _ERROR,
    ),
    Format(
        "graphql",
        "object",
        read_graphql,
        '{"data", "errors": [{"message", "extensions": {"code"}}]}',
        "https://spec.graphql.org/October2021/",
        _ERRORS,
    ),
    Format(
        "jsonapi",
        "object",
        read_jsonapi,
        '{"errors": [{"code", "title", "detail", "source": {"pointer"}}]}',
        "https://jsonapi.org/format/",
        _ERRORS,
    ),
    Format(
        "discord",
        "object",
        read_discord,
        '{"code": NUMBER, "message", "errors": {"field": {"_errors"}}}',
        "https://discord.com/developers/docs/reference",
        frozenset(("errors", "global")),
    ),
    Format(
        "github",
        "object",
        read_github,
        '{"message", "errors", "documentation_url": "https://docs.github.com/..."}',
        "https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api",
        frozenset(("documentationurl",)),
    ),
    Format(
        "oauth",
        "object",
        read_oauth,
        '{"error": CODE, "error_description", "error_uri"}',
        "https://www.rfc-editor.org/rfc/rfc6749.html",
        frozenset(("errordescription",)),
    ),
    Format(
        "problem",
        "object",
        read_problem,
        '{"type", "title", "detail"}: also FastAPI, Litestar, Django',
        "https://www.rfc-editor.org/rfc/rfc9457.html",
        frozenset(("title", "detail", "type", "errors")),
    ),
    Format(
        "nested",
        "object",
        read_nested,
        '{"error": {"code", "message", "details"}}: Mavio, OpenAI, Stripe',
        "https://docs.stripe.com/api/errors",
    ),
    Format(
        "flat",
        "object",
        read_flat,
        '{"message", "error", "errors"}: meetergo, NestJS, Laravel, Okta',
        "https://docs.nestjs.com/exception-filters",
    ),
    Format(
        "fields",
        "object",
        read_fields,
        '{"email": ["..."], ...}: Django REST framework, Rails',
        "https://www.django-rest-framework.org/api-guide/exceptions/",
    ),
    Format(
        "list",
        "list",
        read_list,
        '[{"errorCode", "message", "fields"}]: Salesforce',
        "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm",
    ),
    Format(
        "soap",
        "xml",
        read_soap,
        "<Envelope><Body><Fault>: SOAP 1.1 and 1.2",
        "https://www.w3.org/TR/soap12-part1/",
    ),
    Format(
        "xml",
        "xml",
        read_xml,
        "<Error><Code/><Message/><RequestId/></Error>: S3, AWS query, Azure Storage",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
    ),
    Format(
        "html",
        "html",
        read_html,
        "<title>: Cloudflare, Tomcat; <pre>: Express",
        "https://html.spec.whatwg.org/multipage/",
    ),
    Format(
        "text",
        "text",
        read_text,
        "the first line of plain text, or a text in JSON: Envoy, Go",
        "https://pkg.go.dev/net/http",
    ),
    Format(
        "challenge",
        "nothing",
        read_challenge,
        'WWW-Authenticate: Bearer error="invalid_token"; fills up what a body leaves out',
        "https://www.rfc-editor.org/rfc/rfc6750.html",
    ),
)

_OF_KIND: Final[Mapping[Kind, tuple[Format, ...]]] = {
    kind: tuple(each for each in FORMATS if each.kind == kind)
    for kind in ("object", "list", "xml", "html", "text", "nothing")
}
# Looked for once in each document, so that the formats look at few names.
_NAMES: Final = frozenset().union(*(each.names or () for each in FORMATS))
_CHALLENGE: Final = FORMATS[-1]
_BY_NAME: Final = {each.name: each for each in FORMATS}


def parse_any(status: int, headers: Mapping[str, str], body: bytes, /) -> Envelope | None:
    """Read a body in any of the built-in formats, by the first that does not decline.

    Where the body has no code, the headers WWW-Authenticate and X-Amzn-Errortype may.
    """
    kind, value = content_of(body)
    envelope = None
    if kind == "object":
        present = _NAMES.intersection(value)
        for each in _OF_KIND["object"]:
            if each.names is None or not each.names.isdisjoint(present):
                envelope = each.of_content(status, headers, value)
                if envelope is not None:
                    break
    else:
        for each in _OF_KIND[kind]:
            envelope = each.of_content(status, headers, value)
            if envelope is not None:
                break
    if envelope is None or envelope.code is None:
        return _with_headers(status, headers, envelope)
    return envelope


def _with_headers(
    status: int, headers: Mapping[str, str], envelope: Envelope | None
) -> Envelope | None:
    """Return an envelope with the code that headers have, if they have one."""
    if "WWW-Authenticate" in headers:
        said = _CHALLENGE.of_content(status, headers, None)
        if envelope is None or said is None:
            return envelope or said
        return evolve(
            envelope,
            code=said.code,
            message=envelope.message or said.message,
            docs=envelope.docs or said.docs,
        )
    if "X-Amzn-Errortype" in headers and (code := aws_code(headers["X-Amzn-Errortype"])):
        return evolve(envelope or Envelope(format="aws"), code=code)
    return envelope


def parse_problem(status: int, headers: Mapping[str, str], body: bytes, /) -> Envelope | None:
    """Read problem details (RFC 9457); the format "problem" as a function."""
    return _BY_NAME["problem"](status, headers, body)


def parse_nested(status: int, headers: Mapping[str, str], body: bytes, /) -> Envelope | None:
    """Read {"error": {...}}; the format "nested" as a function."""
    return _BY_NAME["nested"](status, headers, body)


def parse_flat(status: int, headers: Mapping[str, str], body: bytes, /) -> Envelope | None:
    """Read {"message", "error", ...}; the format "flat" as a function."""
    return _BY_NAME["flat"](status, headers, body)
