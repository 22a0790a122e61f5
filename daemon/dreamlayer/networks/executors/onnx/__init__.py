"""Networks as ONNX graphs, run by ONNX Runtime: for graphics cards that torch does not know."""
