"""Trying again: the policy, the waits, the budget, and the middleware around them."""

from resilient.retry.budget import BudgetPolicy, RetryBudget
from resilient.retry.middleware import Retry
from resilient.retry.policy import Judge, RetryPolicy
from resilient.retry.schedule import Backoff, Jitter, WaitGenerator

__all__ = [
    "Backoff",
    "BudgetPolicy",
    "Jitter",
    "Judge",
    "Retry",
    "RetryBudget",
    "RetryPolicy",
    "WaitGenerator",
]
