"""ONNX Runtime's sessions: a compiled graph on a device, and what its errors mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dreamlayer.networks.executors.onnx.pass_graphs import OnnxGraph
from dreamlayer.runtime import webgpu

CPU_PROVIDER, WEBGPU_PROVIDER = "CPUExecutionProvider", webgpu.PROVIDER


class OnnxSession:
    """One graph, compiled for the CPU or for a card.

    Tensors of the card that another session reads stay there.
    """

    def __init__(self, graph: OnnxGraph, provider: str) -> None:
        """Compile; raises webgpu.WebGpuError, and MemoryError."""
        self._graph = graph
        self._kept_on = "webgpu" if provider == WEBGPU_PROVIDER else "cpu"
        self._session = webgpu.session(graph.model, provider, torch.get_num_threads())

    def run(
        self, inputs: Sequence[Tensor], kept: Sequence[Any] = ()
    ) -> tuple[list[Tensor | None], list[Any]]:
        """Return the outputs, None for those that the graph does not have, and what is kept.

        Args:
            inputs: float32 on the CPU; those for which the graph has no name are not read.
            kept: what the forward graph kept, after the other inputs.
        """
        graph, binding = self._graph, self._session.io_binding()
        arrays = [np.ascontiguousarray(tensor.numpy()) for tensor in inputs]
        with webgpu.errors_told():
            for name, value in zip(graph.inputs, [*arrays, *kept], strict=True):
                if name is not None and isinstance(value, np.ndarray):
                    binding.bind_cpu_input(name, value)
                elif name is not None:
                    binding.bind_ortvalue_input(name, value)
            names = [name for name in graph.outputs if name is not None]
            for name in names:
                binding.bind_output(name, "cpu")
            for name in graph.kept:
                binding.bind_output(name, self._kept_on)
            self._session.run_with_iobinding(binding)
            results = binding.get_outputs()
        by_name = dict(zip([*names, *graph.kept], results, strict=True))
        outputs = [None if n is None else torch.from_numpy(by_name[n].numpy())
                   for n in graph.outputs]  # fmt: skip
        return outputs, [by_name[name] for name in graph.kept]
