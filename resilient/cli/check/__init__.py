"""`resilient check`: what a file of services comes to, or what is wrong with it."""
