"""How an IOC of the truth suite is told what to do: a line of JSON each, and a line as answer."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TextIO


def obey(acts: Mapping[str, Callable[..., Any]], answers: TextIO) -> NoReturn:
    """Do what standard input tells, by name, until it ends; the process ends with it."""
    for line in sys.stdin:
        told = json.loads(line)
        answer = acts[told.pop("do")](**told)
        answers.write(json.dumps(answer or {}) + "\n")
        answers.flush()
    os._exit(0)
