"""ONNX Runtime sessions that use several threads, and leave the cores to others as soon as they are done."""

from __future__ import annotations

from pathlib import Path

import onnxruntime


def open_session(onnx: Path, threads: int, *, arena: bool) -> onnxruntime.InferenceSession:
    """Open a model for the CPU.

    Args:
        onnx: Its file.
        threads: CPU threads; 0 takes all cores.
        arena: Whether memory is kept for the next input, as much as the largest took so far.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.enable_cpu_mem_arena = arena
    # By default its threads keep looking for work for some 50 ms after the last, while the lines are read beside them.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])
