"""Narrow wrappers: the only place where a foreign SDK or program is used, and where its errors become ours."""
