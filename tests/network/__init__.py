"""Importing the room first keeps TensorFlow's start-up lines out of the tests' output, as it does for users."""

import cnnlstm_cli.network  # noqa: F401
