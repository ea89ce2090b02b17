"""The pictures of the algorithms for the documents: runs in virtual time, and their drawing."""
