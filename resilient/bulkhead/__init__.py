"""Few at once: the policy, the limit and how it adapts, and the middleware around them."""

from resilient.bulkhead.destination import Places
from resilient.bulkhead.middleware import Bulkhead
from resilient.bulkhead.policy import Aimd, BulkheadPolicy

__all__ = ["Aimd", "Bulkhead", "BulkheadPolicy", "Places"]
