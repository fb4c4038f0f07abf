"""A model behind granian and orjson, and nothing else: `python bench/bare_server.py MODEL PORT`.

What an HTTP server in Python reaches where nothing is checked, limited, measured or computed on another thread.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import orjson
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

if TYPE_CHECKING:
    from granian._granian import RSGIHTTPProtocol
    from granian.rsgi import Scope

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
taken, given = session.get_inputs()[0].name, session.get_outputs()[0].name


async def app(_scope: Scope, protocol: RSGIHTTPProtocol) -> None:
    """Answer whatever comes as a request of the Open Inference Protocol for one tensor of floats."""
    tensor = orjson.loads(await protocol())["inputs"][0]
    array = np.array(tensor["data"], np.float32).reshape(tensor["shape"])
    answer = session.run([given], {taken: array})[0]
    output = {"name": given, "datatype": "FP32", "shape": answer.shape, "data": answer.ravel()}
    body = orjson.dumps({"model_name": "bare", "outputs": [output]}, option=orjson.OPT_SERIALIZE_NUMPY)
    protocol.response_bytes(200, [("content-type", "application/json")], body)


async def main() -> None:
    """Serve until a signal ends the process."""
    await Server(
        app, "127.0.0.1", int(sys.argv[2]), interface=Interfaces.RSGI, websockets=False, log_level=LogLevels.error
    ).serve()


if __name__ == "__main__":
    asyncio.run(main())
