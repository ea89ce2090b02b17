"""Give each service a policy of its own, by URL, in code or in a file."""

from resilient.services.config.load import load_services
from resilient.services.middleware import Services
from resilient.services.pattern import Pattern
from resilient.services.service import Service

__all__ = ["Pattern", "Service", "Services", "load_services"]
