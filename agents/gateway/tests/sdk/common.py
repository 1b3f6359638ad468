"""What the scripts share: who they are, and how they report."""

import json
import os

URL = os.environ["GATEWAY_URL"]
TOKEN = os.environ["GATEWAY_TOKEN"]
GOAL = os.environ["GOAL"]
SYSTEM = "Role: developer\nAttempt: 1"

# One pixel.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

# Every usage that the client was told, in the order of its calls.
USED = []


def used(input_tokens, cached_tokens, output_tokens):
    USED.append({"input": input_tokens, "cached": cached_tokens, "output": output_tokens})


def raises(kind, call):
    """The exception of exactly this class that the call ends with."""
    try:
        said = call()
    except Exception as error:
        assert type(error) is kind, f"{type(error)} is not {kind}: {error}"
        return error
    raise AssertionError(f"no {kind}: {said}")


def report():
    print(json.dumps({"used": USED}))
