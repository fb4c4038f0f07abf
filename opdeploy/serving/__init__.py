"""The model server: one ONNX model over HTTP, by the Open Inference Protocol.

It imports nothing else of opdeploy, so that it can ship alone in a container.
"""
