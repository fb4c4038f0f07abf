"""What runs an artefact, the same wherever it runs: the server, batch jobs, databases and the command line.

It imports nothing else of opdeploy but its errors, so that it can ship alone in a container.
"""
