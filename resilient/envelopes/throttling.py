"""Know the codes by which a format says that a limit is met, whatever the status.

A code counts only in the format that it belongs to: "17" is a limit with one API and an
account with another. Each row has its source. A policy may take the table, or another.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["THROTTLING_CODES", "ThrottlingCodes", "is_throttling_code"]


class ThrottlingCodes(NamedTuple):
    """The codes of a format that mean "too many requests".

    Attributes:
        codes: The codes.
        source: The address of the document, or of the code, that says so.
    """

    codes: frozenset[str]
    source: str


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

THROTTLING_CODES: Final[Mapping[str, ThrottlingCodes]] = MappingProxyType(
    {
        "aws": ThrottlingCodes(_AWS, _AWS_SOURCE),
        "xml": ThrottlingCodes(_AWS, _AWS_SOURCE),
        "google": ThrottlingCodes(
            frozenset(("RESOURCE_EXHAUSTED", "rateLimitExceeded", "userRateLimitExceeded")),
            "https://developers.google.com/workspace/drive/api/guides/handle-errors",
        ),
        "graphql": ThrottlingCodes(
            frozenset(("THROTTLED", "RATE_LIMITED")),
            "https://shopify.dev/docs/api/admin-graphql (status and error codes)",
        ),
        "slack": ThrottlingCodes(
            frozenset(("ratelimited", "rate_limited")),
            "https://docs.slack.dev/apis/web-api/rate-limits",
        ),
    }
)


def is_throttling_code(
    code: str | None,
    format_name: str | None,
    table: Mapping[str, ThrottlingCodes] = THROTTLING_CODES,
) -> bool:
    """Return whether a code means "too many requests" in the format that it came in."""
    row = table.get(format_name or "")
    return row is not None and code in row.codes
