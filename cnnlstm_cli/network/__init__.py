"""The network: its blocks, how it is built, fitted and exported. The only rooms that import TensorFlow.

TensorFlow is loaded here, before any of them, because its first seconds are noisy: each of its libraries writes to
file descriptor 2 from C++ before its logging is set up, where no setting reaches it. A command-line tool owns its
stderr, so that much is kept back, and shown after all when the import fails.

Keras, which comes with it, loads matplotlib where there is one, as our pages need: a third of a second for nothing, and
where its cache can't be written another thing to say.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps back what is written to file descriptor 2, whichever language writes it; an exception brings it back."""
    try:
        stderr = os.dup(2)
    except OSError:  # it was closed from the start: nothing can be heard
        yield
        return
    with tempfile.TemporaryFile() as kept, contextlib.ExitStack() as undo:
        undo.callback(os.close, stderr)
        undo.callback(os.dup2, stderr, 2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except Exception:  # Ctrl-C brings nothing back: what was said is not about it
            kept.seek(0)
            os.write(stderr, kept.read())
            raise


@contextlib.contextmanager
def hidden(module: str) -> Iterator[None]:
    """As if it were not installed, unless it is loaded already."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # by which Python means: not to be found
    try:
        yield
    finally:
        del sys.modules[module]


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # after the import: errors only through exceptions
# Networks train a core each: threads inside a step wait for one another, which takes an eighth of a training, and sum
# in an order that depends on how many cores there are.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # fit.py and export.py speak TensorFlow
os.environ.setdefault("TF2ONNX_CATCH_ERRORS", "FALSE")  # or it copies the graph before every step

with quiet(), hidden("matplotlib"):
    import tensorflow as tf

# A traced graph is run as it is: to rewrite it takes an eighth of a short training, and steps are no faster for it.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
