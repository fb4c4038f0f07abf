"""What is said of a base that a build did not get: found in a log of BuildKit, and told in a few words."""

from __future__ import annotations

import pytest

from opdeploy.clients.docker.bases import buildkit_error, in_words

UNKNOWN = "its registry does not have it"
ALONE = "its registry is not found: no network, or no such host"
SILENT = "its registry does not answer"
SECRET = "its registry has none, or asks for docker login"  # noqa: S105 - no password
OTHER = "it is not for this platform"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("manifest for 127.0.0.1:5000/none:1 not found: manifest unknown: manifest unknown", UNKNOWN),
        ("127.0.0.1:5000/none:1: not found", UNKNOWN),
        ('Get "https://registry.invalid/v2/": dial tcp: lookup registry.invalid on 10.0.0.1:53: no such host', ALONE),
        ('failed: Head "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused', SILENT),
        ('Get "https://a.example/v2/": net/http: request canceled (Client.Timeout exceeded)', SILENT),
        ("pull access denied for a, repository does not exist or may require 'docker login': denied: …", SECRET),
        ('Get "https://a.example/v2/a": unauthorized: authentication required', SECRET),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", OTHER),
        ("docker.io/library/a:1: no match for platform in manifest: not found", OTHER),
        ('Get "https://a.example/v2/": x509: certificate signed by unknown authority',
         "its registry has a certificate that the engine does not trust"),
        ("failed to register layer:\nno space left on device", "failed to register layer: no space left on device"),
    ],
)  # fmt: skip
def test_a_reason_is_told_in_a_few_words(error: str, words: str) -> None:
    """What is common by what it means to a person, and what is not in the engine's own words, on one line."""
    assert in_words(error) == words


HEAD = ["#1 [internal] load build definition from Dockerfile", "#1 DONE 0.0s"]


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (["#3 ERROR: a:1: not found", "------", " > [internal] load metadata for a:1:", "------",
          "failed to solve with frontend dockerfile.v0: failed to create LLB definition: a:1: not found"],
         "a:1: not found"),
        (["#5 ERROR: failed to copy: of remote: not found", "------", " > [stage-1 1/2] FROM a:1@sha256:0a:", "------",
          "failed to copy: of remote: not found"],
         "failed to copy: of remote: not found"),
        (["#5 ERROR: no space left on device", "------", " > [1/9] FROM a:1@sha256:0a:", "------"],
         "no space left on device"),
        (["#8 ERROR: executor failed running [false]: 1", "------", " > [build 2/4] RUN false:", "------"], ""),
        (["#8 ERROR: x", "------", ' > [2/4] RUN echo "1/2] FROM a":', "------"], ""),
        (["#2 ERROR: dockerfile parse error line 2: unknown instruction: FORM"], ""),
        ([], ""),
    ],
)  # fmt: skip
def test_buildkits_log_tells_of_a_base(lines: list[str], error: str) -> None:
    """Where the step that failed is the one that gets it, its error is the reason; else there is none."""
    assert buildkit_error([*HEAD, *lines]) == error
