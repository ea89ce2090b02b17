"""Know the codes that say more of a limit than the status does.

Many services say "too many requests" with a 400, a 403 or a 503, and a code; and a few answer 429
where no wait helps, since a quota is used up for the month. A code counts only in the format that
it belongs to: "17" is a limit with one API and an account with another. Each row has its source,
and a policy may put others in their place.

GitHub has no codes, and tells one 403 from another by words alone: those count as a code does.

Here is only what a code says by itself. Codes that mean this with one service and something else
with others, and words that have to be made into a code first, are in that service's preset. And a
code with a status that is not repeated anyway (`invalid_grant` of RFC 6749 comes with a 400) needs
no row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from resilient.support.validation import as_set

if TYPE_CHECKING:
    from resilient.envelopes.envelope import Envelope

__all__ = [
    "QUOTA_CODES",
    "THROTTLING_CODES",
    "CodesByFormat",
    "KnownCodes",
    "as_codes",
    "is_throttled",
]

# Characters of a message that words are looked for in.
_SEARCHED: Final = 300

CodesByFormat = Mapping[str, frozenset[str]]


class KnownCodes(NamedTuple):
    """The codes of a format that mean one thing.

    Attributes:
        codes: The codes.
        source: The address of the document, or of the code, that says so.
        words: Words of a message that mean the same, in lower case, for a format without codes.
    """

    codes: frozenset[str]
    source: str
    words: tuple[str, ...] = ()


_AWS: Final = frozenset(
    (
        *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException"),
        *("TooManyRequestsException", "ProvisionedThroughputExceededException", "SlowDown"),
        *("TransactionInProgressException", "RequestLimitExceeded", "BandwidthLimitExceeded"),
        *("LimitExceededException", "RequestThrottled", "PriorRequestNotComplete"),
        "EC2ThrottledException",
    )
)
_AWS_SOURCE: Final = (
    "https://docs.aws.amazon.com/boto3/latest/guide/retries.html (standard mode: throttling)"
)

# They mean "too many requests", whatever the status.
THROTTLING_CODES: Final[Mapping[str, KnownCodes]] = MappingProxyType(
    {
        "aws": KnownCodes(_AWS, _AWS_SOURCE),
        "xml": KnownCodes(_AWS, _AWS_SOURCE),
        "google": KnownCodes(
            frozenset(("RESOURCE_EXHAUSTED", "rateLimitExceeded", "userRateLimitExceeded")),
            "https://developers.google.com/workspace/drive/api/guides/handle-errors",
        ),
        "github": KnownCodes(
            frozenset(),
            "https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api",
            ("secondary rate limit", "api rate limit exceeded"),
        ),
        "graphql": KnownCodes(
            frozenset(("THROTTLED", "RATE_LIMITED")),
            "https://shopify.dev/docs/api/admin-graphql (status and error codes)",
        ),
        "slack": KnownCodes(
            frozenset(("ratelimited", "rate_limited")),
            "https://docs.slack.dev/apis/web-api/rate-limits",
        ),
    }
)

# A 429 with one of these is no throttling: no wait that a call can make mends it.
QUOTA_CODES: Final[Mapping[str, KnownCodes]] = MappingProxyType(
    {
        "nested": KnownCodes(
            frozenset(
                (
                    *("insufficient_quota", "credit_balance_exhausted"),
                    *("organization_spend_limit_exceeded", "project_spend_limit_exceeded"),
                    "organization_usage_limit_exceeded",
                )
            ),
            "https://developers.openai.com/api/docs/guides/error-codes",
        ),
    }
)


def as_codes(given: Mapping[str, Iterable[str]]) -> CodesByFormat:
    """Return rows of codes with sets in them; anything that is no table as it is."""
    table: Any = given
    is_table = isinstance(table, Mapping)
    return {name: as_set(codes) for name, codes in table.items()} if is_table else table


def is_throttled(
    status: int,
    envelope: Envelope,
    *,
    throttling: CodesByFormat,
    quota: CodesByFormat,
) -> bool:
    """Return whether an error says "too many requests", by its status or its code.

    Args:
        status: The status of the response.
        envelope: What it says, and in which format.
        throttling: Rows that take the place of those of `THROTTLING_CODES`, by their format.
        quota: The same for `QUOTA_CODES`.
    """
    is_429 = status == 429
    given, known = (quota, QUOTA_CODES) if is_429 else (throttling, THROTTLING_CODES)
    codes = given.get(envelope.format or "")
    is_known = codes is not None and envelope.code in codes
    if codes is None and (row := known.get(envelope.format or "")) is not None:
        said = (envelope.message or "")[:_SEARCHED].lower()
        is_known = envelope.code in row.codes or any(words in said for words in row.words)
    # What denies a 429 stands for one elsewhere.
    return is_429 is not is_known
