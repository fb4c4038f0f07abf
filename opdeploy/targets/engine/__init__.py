"""The steps on a Docker engine: each version is a container, and a front owns the port. Pure.

Docker cannot hand a published port from one container to another. The front is a container that forwards each request
to the current version; it is switched once the new one is ready and right, and then the old one is stopped.
"""
