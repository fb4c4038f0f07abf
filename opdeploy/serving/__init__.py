"""The model server: one ONNX model over HTTP, by the Open Inference Protocol.

It imports nothing else of opdeploy but `runtime` and its errors, so that it can ship alone in a container.
"""
