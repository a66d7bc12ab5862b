"""The papers' formulas in NumPy, one window and one step at a time, in float64: what networks are held against."""

from __future__ import annotations

import numpy as np

Weights = dict[str, np.ndarray]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def selu(x: np.ndarray) -> np.ndarray:
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(x) - 1))


def causal(rows: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """(L, C), (k, C, F) -> (L, F): each step sees its own row and the k - 1 before it."""
    steps = np.zeros((len(rows), kernel.shape[2]))
    for step in range(len(rows)):
        for back in range(len(kernel)):
            if step >= back:
                steps[step] += rows[step - back] @ kernel[len(kernel) - 1 - back]
    return steps


def normalised(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    """Batch normalisation by its moving statistics."""
    deviation = np.sqrt(weights[f"{name}/moving_variance"] + 1e-3)
    scaled = (x - weights[f"{name}/moving_mean"]) / deviation * weights.get(f"{name}/gamma", 1)
    return scaled + weights.get(f"{name}/beta", 0)


def lstm(steps: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    """(T, F) -> (U,): the memory after the last step."""
    kernel, recurrent, bias = (weights[f"{name}/{part}"] for part in ("kernel", "recurrent_kernel", "bias"))
    memory, state = np.zeros(len(recurrent)), np.zeros(len(recurrent))
    for step in steps:
        into, forget, candidate, out = np.split(step @ kernel + memory @ recurrent + bias, 4)
        state = sigmoid(forget) * state + sigmoid(into) * np.tanh(candidate)
        memory = sigmoid(out) * np.tanh(state)
    return memory
