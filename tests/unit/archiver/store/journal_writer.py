"""Writes a journal under load until it is killed, for each folder and first number on stdin.

Prints the process's number, then after each sync the last number that is safe.
"""

import os
import sys
import time
from pathlib import Path

import journal_samples as some

from linacre.archiver.model import Kind
from linacre.archiver.store.files import OsFiles
from linacre.archiver.store.journal.journal import Journal


def write(folder, first):
    journal = Journal(folder, files=OsFiles(), clock=time.time_ns, scalar_limit=400_000)
    some.declare_all(journal)
    say(os.getpid())
    text = some.NUMBER[Kind.STRING]
    n = 500
    while True:
        for _ in range(3):
            rows = [(text, some.NOW + k, b"%d" % k) for k in range(first, first + n, 50)]
            journal.append([some.counting(first, n)], [some.blob_batch(rows)])
            first += n
        journal.sync()
        say(first - 1)


def say(number):
    os.write(1, b"%d\n" % number)


for line in sys.stdin:
    words = line.split()
    child = os.fork()
    if child == 0:
        write(Path(words[0]), int(words[1]))
    os.waitpid(child, 0)
    say(-1)
