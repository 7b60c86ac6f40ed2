"""ONNX graphs of HTDemucs without weights, built node by node from a checkpoint's own description."""
from .checkpoint import Checkpoint
from .htdemucs import build_graph

__all__ = ["Checkpoint", "build_graph"]
