# SPDX-License-Identifier: Apache-2.0
"""Waiting for a condition, with a deadline. E2E_SCALE stretches every deadline (sanitizers, a busy machine)."""
import os
import threading
import time

SCALE = float(os.environ.get("E2E_SCALE", "1"))


def until(condition, seconds, what, every=0.01):
    """Polls `condition` until it is true and returns its value; AssertionError after `seconds`. `what` may be a callable."""
    end = time.monotonic() + seconds * SCALE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds * SCALE:g} s: {what() if callable(what) else what}")
        threading.Event().wait(every)


def over(seconds, observe):
    """Calls observe() again and again for `seconds`, for a rate that needs a span of time; returns the span."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        observe()
        threading.Event().wait(0.02)
    return time.monotonic() - start
