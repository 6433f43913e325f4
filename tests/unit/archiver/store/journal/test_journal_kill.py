import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import journal_samples as some
import pytest

from linacre.archiver.store.files import OsFiles
from linacre.archiver.store.journal.journal import Journal


@pytest.mark.parametrize("kills", [6, pytest.param(50, marks=pytest.mark.thorough)])
def test_kills_under_load_lose_nothing_that_was_safe(tmp_path, kills):
    script = Path(__file__).parents[1] / "journal_writer.py"
    random.seed(5)
    writer = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    first = 0
    try:
        for _ in range(kills):
            writer.stdin.write(f"{tmp_path} {first}\n")
            pid = int(writer.stdout.readline())
            for _ in range(random.randint(1, 15)):
                safe = int(writer.stdout.readline())
            os.kill(pid, signal.SIGKILL)
            while (line := int(writer.stdout.readline())) != -1:
                safe = line
            journal = Journal(tmp_path, files=OsFiles(), clock=some.Clock())
            assert journal.damage == []
            numbers = some.numbers(journal.part())
            texts = some.numbers(journal.part(), "LIN:string")
            assert numbers == list(range(first, first + len(numbers)))
            # A block of numbers is written before that of texts that came with it.
            assert texts[: len(numbers) // 50 - 10] == [
                str(k) for k in range(first, first + len(numbers) - 500, 50)
            ]
            assert texts == [str(k) for k in range(first, first + 50 * len(texts), 50)]
            assert first + len(numbers) > safe
            assert first + 50 * len(texts) > safe
            first += len(numbers)
            # As when they are made segments; the next run then begins at a whole batch.
            first += -first % 500
            for file in journal.closed():
                journal.forget(file)
            journal.close()
    finally:
        writer.stdin.close()
        writer.stdout.close()
        writer.wait(10)
