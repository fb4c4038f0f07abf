"""Loads an HTTP server with requests that are made beforehand, and reduces what came of them to a curve with its knee.

It knows nothing of models: a server is an address, and a request its bytes.
"""
