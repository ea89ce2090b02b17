"""One call and one attempt: what every capability stands on."""
