"""Give each service a policy of its own, by URL, in code or in a file."""

from resilient.services.changes import Changes
from resilient.services.config.load import load_services
from resilient.services.middleware import Services
from resilient.services.pattern import Pattern
from resilient.services.service import Service
from resilient.services.watch import watch_services

__all__ = ["Changes", "Pattern", "Service", "Services", "load_services", "watch_services"]
