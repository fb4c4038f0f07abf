"""The front: a reverse proxy that owns a port and hands it from one model server to the next.

It reads HTTP/1.1 itself, with httptools on asyncio, where the server leaves that to granian: granian 2.8.7 gives a path
decoded (`%2F` is `/` then), leaves headers out that are not ASCII, ends an answer that broke off as if it were whole,
and takes an answer into memory as fast as it is given (128 MiB for a client that read nothing, 2026-11-25).
"""
